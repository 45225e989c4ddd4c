/**
 * Limits what one client has in memory and on the way at once: a fixed number of permits, each for
 * one chunk. Used by put, and by the rooms fetch, send and care.
 */
import { assert } from "../../errors.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT } from "../../limits.ts";

export class Window {
  /** Free permits, each with its buffer if it ever needed one. */
  readonly #free: (Uint8Array | null)[] = [];
  readonly #waiting: ((permit: Uint8Array | null) => void)[] = [];
  #made = 0;
  #gathering: Promise<void> = Promise.resolve();

  /** Takes a buffer of one chunk, as soon as there is one. Its user gives it back. */
  async take(): Promise<Uint8Array> {
    return (await this.#takePermit()) ?? new Uint8Array(CHUNK_BYTES);
  }

  giveBack(buffer: Uint8Array): void {
    assert(buffer.length === CHUNK_BYTES, "the whole buffer comes back");
    this.#return(buffer);
  }

  /**
   * Takes permits for data that has its own memory: `count` of them, or all if that is more. The
   * returned function gives them back.
   */
  async enter(count = 1): Promise<() => void> {
    // Only one at a time gathers permits. Otherwise two could wait for each other's.
    const before = this.#gathering;
    const gathered = Promise.withResolvers<void>();
    this.#gathering = gathered.promise;
    await before;
    const permits: (Uint8Array | null)[] = [];
    while (permits.length < Math.min(count, CHUNKS_IN_FLIGHT))
      permits.push(await this.#takePermit());
    gathered.resolve();
    return () => {
      for (const permit of permits) this.#return(permit);
    };
  }

  #takePermit(): Promise<Uint8Array | null> {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#made < CHUNKS_IN_FLIGHT) {
      this.#made++;
      return Promise.resolve(null);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #return(permit: Uint8Array | null): void {
    const next = this.#waiting.shift();
    if (next) next(permit);
    else this.#free.push(permit);
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
