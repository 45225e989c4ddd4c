/** The rules of copies, moves and readers of one version, each broken on purpose; see mutants.ts. */
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
  {
    name: "reader-switches",
    rule: "who reads a version goes on with the one that is current by then",
    within: 100,
    plot: "rewritten",
    breaks: {
      "reader-stays": (was) =>
        `await (async (now) => {
          const reader = new VersionReader(cluster, now.stored, now.version, FETCHES_REMEMBERED);
          reader.aim(now.holders, now.small);
          return ${was};
        })(await lookUp(cluster, name))`,
    },
  },
];
