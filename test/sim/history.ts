/** What a history is made of, and what it tells. */
import type { FaultKind, Rates } from "./faults.ts";
import type { Recorded } from "./operations.ts";
import type { Plot } from "./plots.ts";

export interface HistoryOptions {
  readonly trace?: boolean;
  /** Ends after so many of the operations that the seed draws. */
  readonly operations?: number;
  /** Operations that are drawn, counted from 0, and not done. */
  readonly skip?: ReadonlySet<number>;
  /** Kinds of faults that do not happen. */
  readonly without?: ReadonlySet<FaultKind>;
  readonly calm?: boolean;
  /** Plays this plot instead of what the seed would draw. */
  readonly plot?: Plot;
}

export interface History {
  readonly seed: number;
  readonly servers: number;
  readonly rates: Rates;
  /** What is wrong; null when nothing is. */
  readonly wrong: string | null;
  /** What is wrong, where a server was put back and nobody who answered knew. */
  readonly unnoticed: string | null;
  readonly operations: readonly Recorded[];
  readonly marks: ReadonlyMap<string, number>;
  readonly hash: string;
  readonly trace: readonly string[];
  /** Of the trace, what clients did and what went wrong. */
  readonly story: readonly string[];
  readonly events: number;
  /** What the servers held at the end; only of a history that is wrong. */
  readonly portrait: readonly string[];
}
