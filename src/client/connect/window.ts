/** How much one client has in memory and on the way at once: a fixed number of chunk buffers, lent out in turn. */
import { assert } from "../../errors.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT } from "../../limits.ts";

export class Window {
  /** Places that nobody has, each with its buffer if it ever needed one. */
  readonly #free: (Uint8Array | null)[] = [];
  readonly #waiting: ((place: Uint8Array | null) => void)[] = [];
  #made = 0;
  #gathering: Promise<void> = Promise.resolve();

  /** A buffer of one chunk, as soon as there is one; who takes it gives it back. */
  async take(): Promise<Uint8Array> {
    return (await this.#place()) ?? new Uint8Array(CHUNK_BYTES);
  }

  giveBack(buffer: Uint8Array): void {
    assert(buffer.length === CHUNK_BYTES, "the whole buffer comes back");
    this.#return(buffer);
  }

  /** Places for what brings its own memory, at most all; the function returned gives them back. */
  async enter(count = 1): Promise<() => void> {
    // Only one at a time gathers places, or two could wait for each other's.
    const before = this.#gathering;
    const gathered = Promise.withResolvers<void>();
    this.#gathering = gathered.promise;
    await before;
    const places: (Uint8Array | null)[] = [];
    while (places.length < Math.min(count, CHUNKS_IN_FLIGHT)) places.push(await this.#place());
    gathered.resolve();
    return () => {
      for (const place of places) this.#return(place);
    };
  }

  #place(): Promise<Uint8Array | null> {
    const free = this.#free.pop();
    if (free !== undefined) return Promise.resolve(free);
    if (this.#made < CHUNKS_IN_FLIGHT) {
      this.#made++;
      return Promise.resolve(null);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #return(place: Uint8Array | null): void {
    const next = this.#waiting.shift();
    if (next) next(place);
    else this.#free.push(place);
  }
}

/** Runs `work` over all items, at most `width` at once, in their order; ends when all have; throws an error of one that failed. */
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
