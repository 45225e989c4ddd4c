/**
 * Mutants: the program with rules broken on purpose. Each line of src that keeps a rule of the protocol has a marker directly before it,
 * a comment such as `// rule: written-once`; a mutant names the rules that it breaks, and how. So neither names nor formatting nor the
 * place of a file matter to it. What belongs to a marker is in marked.ts, how it is broken while it is loaded in mutate.ts; the tables are
 * mutants.ts and its parts.
 *
 * A new mutant: mark the line, add the mutant to a table, and run `bun run sim --seeds 1..100 --brief --stop --mutant NAME`, with
 * `--plot PLOT` where chance alone takes too long. Each marker is used by some mutant, and texts must fit the types of the program
 * (rules.test.ts).
 */
import type { Plot } from "./plots.ts";

/**
 * How what follows a marker is broken. "never" and "always": its value becomes false or true; the value of an `if` is its condition. "skip":
 * all of it goes away. A function: what the text of its value becomes. Such a text has as few names of the source as can be, for whoever
 * renames them must do it here too.
 */
export type Break = "never" | "always" | "skip" | ((was: string) => string);

export interface Mutant {
  readonly name: string;
  /** What is wrong in it. */
  readonly rule: string;
  /** The rules it breaks, as they are marked. */
  readonly breaks: Readonly<Record<string, Break>>;
  /** Histories within which it must be caught; 0: it must survive, being no breach. */
  readonly within: number;
  /** The plot that leads up to it, where chance alone would take too long. */
  readonly plot?: Plot;
}

/** Breaks a configuration with two groups that decide: those of after decide at once. */
export const withoutJoint: Break = (was) =>
  `((config) => ({ ...config, voters: config.next ?? config.voters, next: null }))(${was})`;
