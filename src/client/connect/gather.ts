/** Waiting for what several servers answer to one question, for as long as more answers are worth it. Used by Cluster. */
import { type DfsError, isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";

export interface GatherHow<T> {
  /** For how many milliseconds what has come is worth waiting for more (0: not at all; null: without an end). */
  readonly patience: (replies: Map<number, T>) => number | null;
  /** Is nothing worth anything any more? */
  readonly isMoot: () => boolean;
  /** Is told of a server that answered with an error, or not at all. */
  readonly onError: (slot: number, error: DfsError) => void;
}

/** The answers, by slot, that have come when all have, or no more are worth it. Throws what is no error of a server. */
export function gather<T>(
  clock: Clock,
  calls: readonly (readonly [slot: number, reply: Promise<T>])[],
  { patience, isMoot, onError }: GatherHow<T>,
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
        (told) => {
          // What comes too late changes nothing that was given out.
          if (open === 0) return;
          replies.set(slot, told);
          settle();
        },
        (error: unknown) => {
          if (!isDfsError(error)) return reject(error);
          onError(slot, error);
          settle();
        },
      );
    settle();
  });
}
