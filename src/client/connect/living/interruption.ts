/**
 * What an AbortSignal does to work under way: nobody waits for it any longer. Used by all that
 * waits for servers, through the cluster.
 */
import { DfsError } from "../../../errors.ts";

const interruption = (): DfsError => new DfsError("interrupted", "interrupted");

/** Throws DfsError("interrupted") once the signal is aborted. */
export function checkGoesOn(signal: AbortSignal | null): void {
  if (signal?.aborted) throw interruption();
}

const NOTHING = Promise.resolve();

/**
 * Settles as `work` does. Where the signal is aborted before that, it rejects with
 * DfsError("interrupted"), once `memoryFree` has settled: until then `work` may use the caller's
 * memory. What comes of `work` after that is ignored. Nothing stays at the signal.
 */
export function orInterrupted<T>(
  work: Promise<T>,
  signal: AbortSignal | null,
  memoryFree: Promise<unknown> = NOTHING,
): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const interrupt = (): void => {
      const end = (): void => reject(interruption());
      memoryFree.then(end, end);
    };
    const forget = (): void => signal.removeEventListener("abort", interrupt);
    if (signal.aborted) interrupt();
    else signal.addEventListener("abort", interrupt, { once: true });
    work.then(resolve, reject).then(forget, forget);
  });
}
