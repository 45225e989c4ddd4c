/**
 * Waits for what several servers answer to one question, for as long as more answers are worth it.
 * Used by cluster and weigh.
 */
import { type DfsError, isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";

export interface GatherOptions<T> {
  /**
   * For how many milliseconds it is worth waiting for more answers (0: not at all; null: without
   * end).
   */
  readonly patience: (replies: Map<number, T>) => number | null;
  /** Are the answers worthless by now, however many come? */
  readonly isMoot: () => boolean;
  /** Called for a server that answered with an error, or not at all. */
  readonly onError: (slot: number, error: DfsError) => void;
}

/**
 * Resolves to the answers by slot, once all have come or no more are worth waiting for. Throws
 * errors that are not a server's.
 */
export function gather<T>(
  clock: Clock,
  calls: readonly (readonly [slot: number, reply: Promise<T>])[],
  { patience, isMoot, onError }: GatherOptions<T>,
): Promise<Map<number, T>> {
  const replies = new Map<number, T>();
  return new Promise((resolve, reject) => {
    let open = calls.length + 1;
    let until = Infinity;
    let cancel = (): void => {};
    const end = (): void => {
      cancel();
      open = 0;
      resolve(replies);
    };
    const settle = (): void => {
      if (open === 0) return;
      open--;
      if (open === 0 || isMoot()) return end();
      const more = patience(replies);
      if (more === 0) return end();
      if (more === null || clock.now() + more >= until) return;
      cancel();
      until = clock.now() + more;
      cancel = clock.after(more, () => open > 0 && end());
    };
    for (const [slot, reply] of calls)
      reply.then(
        (answer) => {
          // An answer that comes too late must not change the map that was returned.
          if (open === 0) return;
          replies.set(slot, answer);
          settle();
        },
        (error: unknown) => {
          if (!isDfsError(error)) {
            cancel();
            open = 0;
            return reject(error);
          }
          onError(slot, error);
          settle();
        },
      );
    settle();
  });
}
