import type { Plot } from "./plots.ts";

/** A rule broken on purpose: edits of the source text, made while it is loaded. */
export interface Edit {
  readonly file: string;
  /** Must occur exactly once. */
  readonly find: string;
  readonly replace: string;
}

export interface Mutant {
  readonly name: string;
  readonly rule: string;
  readonly edits: readonly Edit[];
  /** Histories within which it must be caught; 0: it must survive, being no breach. */
  readonly within: number;
  /** The plot that leads up to it, where chance alone would take too long. */
  readonly plot?: Plot;
}

export const edit = (file: string, find: string, replace: string): Edit => ({
  file,
  find,
  replace,
});
