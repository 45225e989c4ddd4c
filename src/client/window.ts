/** How much one client has in memory and on the way at once: a fixed number of chunk buffers, lent out in turn. */
import { assert } from "../errors.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT } from "../limits.ts";

export class Window {
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((buffer: Uint8Array) => void)[] = [];
  #made = 0;

  /** A buffer of one chunk, as soon as there is one; who takes it gives it back. */
  take(): Promise<Uint8Array> {
    const free = this.#free.pop();
    if (free) return Promise.resolve(free);
    if (this.#made < CHUNKS_IN_FLIGHT) {
      this.#made++;
      return Promise.resolve(new Uint8Array(CHUNK_BYTES));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  giveBack(buffer: Uint8Array): void {
    assert(buffer.length === CHUNK_BYTES, "the whole buffer comes back");
    const next = this.#waiting.shift();
    if (next) next(buffer);
    else this.#free.push(buffer);
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
