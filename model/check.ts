/** One check of the model: histories without anything wrong, or a rule that is broken and must be caught. Used by the tables of checks. */
import type { Judgement } from "./histories.ts";

export interface Check {
  readonly name: string;
  /** Is it a rule that is broken, and must be caught? */
  readonly isBroken: boolean;
  /** The first seed to look at. */
  readonly from: number;
  readonly history: (seed: number) => Judgement;
  /** There is but one case to look at, which takes as long as it takes. */
  readonly isOnce: boolean;
}

export const sound = (name: string, history: (seed: number) => Judgement): Check => ({
  name,
  isBroken: false,
  from: 1,
  history,
  isOnce: false,
});

export const broken = (
  name: string,
  from: number,
  history: (seed: number) => Judgement,
): Check => ({
  name: `without the rule: ${name}`,
  isBroken: true,
  from,
  history,
  isOnce: false,
});
