/**
 * Limits what one client has in memory and on the way at once: a fixed number of permits, each for
 * one chunk. Used by put, and by the rooms fetch, send and care.
 */
import { assert } from "../../errors.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT } from "../../limits.ts";
import { orInterrupted } from "./living/interruption.ts";

/** What all windows of one client share. */
class Room {
  /** Free permits, each with its buffer if it ever needed one. */
  readonly free: (Uint8Array | null)[] = [];
  readonly waiting: ((permit: Uint8Array | null) => void)[] = [];
  made = 0;
  gathering: Promise<void> = Promise.resolve();
}

export class Window {
  readonly #room: Room;
  readonly #signal: AbortSignal | null;

  constructor(room = new Room(), signal: AbortSignal | null = null) {
    this.#room = room;
    this.#signal = signal;
  }

  /** The same window; nobody waits for it once the signal is aborted. */
  during(signal: AbortSignal | null): Window {
    return new Window(this.#room, signal);
  }

  /**
   * Takes a buffer of one chunk, as soon as there is one. Its user gives it back. Throws
   * DfsError("interrupted").
   */
  async take(): Promise<Uint8Array> {
    return (await this.#takePermit()) ?? new Uint8Array(CHUNK_BYTES);
  }

  giveBack(buffer: Uint8Array): void {
    assert(buffer.length === CHUNK_BYTES, "the whole buffer comes back");
    this.#return(buffer);
  }

  /**
   * Takes permits for data that has its own memory: `count` of them, or all if that is more. The
   * returned function gives them back. Throws DfsError("interrupted").
   */
  async enter(count = 1): Promise<() => void> {
    // Only one at a time gathers permits. Otherwise two could wait for each other's.
    const before = this.#room.gathering;
    const gathered = Promise.withResolvers<void>();
    this.#room.gathering = gathered.promise;
    const permits: (Uint8Array | null)[] = [];
    const leave = (): void => {
      for (const permit of permits) this.#return(permit);
    };
    try {
      await orInterrupted(before, this.#signal);
      while (permits.length < Math.min(count, CHUNKS_IN_FLIGHT))
        permits.push(await this.#takePermit());
      return leave;
    } catch (error) {
      leave();
      throw error;
    } finally {
      void before.then(gathered.resolve);
    }
  }

  #takePermit(): Promise<Uint8Array | null> {
    const room = this.#room;
    const free = room.free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (room.made < CHUNKS_IN_FLIGHT) {
      room.made++;
      return Promise.resolve(null);
    }
    const given = Promise.withResolvers<Uint8Array | null>();
    room.waiting.push(given.resolve);
    return orInterrupted(given.promise, this.#signal).catch((error: unknown) => {
      const place = room.waiting.indexOf(given.resolve);
      if (place >= 0) room.waiting.splice(place, 1);
      else void given.promise.then((permit) => this.#return(permit));
      throw error;
    });
  }

  #return(permit: Uint8Array | null): void {
    const next = this.#room.waiting.shift();
    if (next) next(permit);
    else this.#room.free.push(permit);
  }
}

/**
 * Runs `work` over all items in their order, at most `width` at once. Ends when all runs have
 * ended. Throws the error of one that failed; no new item is begun after that.
 */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let failed = false;
  const lane = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done && !failed; next = iterator.next()) {
      await work(next.value).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: width }, lane));
  for (const end of ended) if (end.status === "rejected") throw end.reason;
}
