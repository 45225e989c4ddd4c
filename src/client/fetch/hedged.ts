/**
 * Asking the next candidate where one fails or is slow, until enough have delivered: one of those that hold a piece (fetcher), or as many
 * pieces as others are made of (rebuilder). It knows of nothing but the clock.
 */
import type { Clock } from "../../io/ports.ts";

/** How long a candidate is waited for before the next one is asked as well. */
export interface Patience {
  readonly clock: Pick<Clock, "after">;
  readonly ms: number;
}

/** What is asked, of whom, and how many it takes. */
export interface Hedge<C, T> {
  /** The best first. None is asked twice. */
  readonly candidates: readonly C[];
  /** How many are asked at first; where all of these deliver it is enough. */
  readonly first: number;
  /** How many are counted on once one of them has failed or is slow. */
  readonly needed: number;
  readonly isEnough: (delivered: ReadonlyMap<C, T>) => boolean;
  readonly ask: (candidate: C) => Promise<T>;
  /** A candidate is slow, and another one is there to be asked. It may deliver all the same, or fail. */
  readonly onSlow: (candidate: C) => void;
  /** A candidate failed, be it after the end. */
  readonly onFailed: (candidate: C, error: unknown) => void;
}

/** What was delivered, as soon as it is enough; null where all have been asked, and it is not. */
export function hedged<C, T>(
  { clock, ms }: Patience,
  { candidates, first, needed, isEnough, ask, onSlow, onFailed }: Hedge<C, T>,
): Promise<Map<C, T> | null> {
  const queue = [...candidates];
  const delivered = new Map<C, T>();
  /** Those that have delivered, or should soon. */
  const expected = new Set<C>();
  const result = Promise.withResolvers<Map<C, T> | null>();
  let open = 0;
  let isOver = false;
  const look = (): void => {
    const isDone = isEnough(delivered);
    if (isOver || (!isDone && open > 0)) return;
    isOver = true;
    result.resolve(isDone ? delivered : null);
  };
  const countOn = (count: number): void => {
    for (const candidate of queue.splice(0, Math.max(0, count - expected.size))) start(candidate);
  };
  const giveUp = (candidate: C): void => {
    expected.delete(candidate);
    if (!isOver) countOn(needed);
  };
  const start = (candidate: C): void => {
    open++;
    expected.add(candidate);
    const stopWaiting = clock.after(ms, () => {
      if (isOver || queue.length === 0) return;
      onSlow(candidate);
      giveUp(candidate);
    });
    const ended = (): void => {
      stopWaiting();
      open--;
    };
    ask(candidate).then(
      (value) => {
        ended();
        if (!isOver) delivered.set(candidate, value);
        look();
      },
      (error: unknown) => {
        ended();
        onFailed(candidate, error);
        giveUp(candidate);
        look();
      },
    );
  };
  countOn(first);
  look();
  return result.promise;
}
