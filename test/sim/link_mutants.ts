/** The rules of copies and moves, each broken on purpose; see mutants.ts. */
import type { Mutant } from "./mutant.ts";

export const LINK_MUTANTS: readonly Mutant[] = [
  {
    name: "trusted-link",
    rule: "what is linked is not counted among the promises",
    within: 100,
    plot: "linked",
    breaks: { "linked-pieces-count": "always" },
  },
  {
    name: "blind-move",
    rule: "a move deletes whatever the old name has by then",
    within: 100,
    plot: "overtaken",
    breaks: { "move-deletes-what-it-copied": () => "undefined" },
  },
];
