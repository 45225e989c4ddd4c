/**
 * Hedged requests: when a candidate fails or is slow, the next one is asked as well, until enough
 * have delivered. Enough is one holder of a piece (fetcher), or as many pieces as another one can
 * be made of (rebuilder). This file knows only the clock.
 */
import { isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";

/** How long to wait for a candidate before the next one is asked as well. */
export interface Patience {
  readonly clock: Pick<Clock, "after">;
  readonly ms: number;
}

/** The question, its candidates, and how many answers are enough. */
export interface Hedge<C, T> {
  /** The best one first. None is asked twice. */
  readonly candidates: readonly C[];
  /** How many are asked at first. If all of these deliver, it is enough. */
  readonly first: number;
  /** How many must be expected to deliver once one has failed or is slow. */
  readonly needed: number;
  readonly isEnough: (delivered: ReadonlyMap<C, T>) => boolean;
  readonly ask: (candidate: C) => Promise<T>;
  /**
   * Called when a candidate is slow and there is another one to ask. The slow one may still
   * deliver, or fail.
   */
  readonly onSlow: (candidate: C) => void;
  /** Called when a candidate failed, even after the end. */
  readonly onFailed: (candidate: C, error: unknown) => void;
}

/**
 * Resolves to the answers as soon as they are enough; to null when all were asked and they are not.
 * Throws only DfsError("interrupted").
 */
export function hedged<C, T>(
  { clock, ms }: Patience,
  { candidates, first, needed, isEnough, ask, onSlow, onFailed }: Hedge<C, T>,
): Promise<Map<C, T> | null> {
  const queue = [...candidates];
  const delivered = new Map<C, T>();
  /** Candidates that have delivered, or are expected to. */
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
        if (isDfsError(error, "interrupted")) {
          isOver = true;
          return result.reject(error);
        }
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
