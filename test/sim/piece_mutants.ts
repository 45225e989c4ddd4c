/** The rules by which pieces come before their version, and go after it, each broken on purpose; see mutants.ts. */
import type { Mutant } from "./mutant.ts";

export const PIECE_MUTANTS: readonly Mutant[] = [
  {
    name: "early-accept",
    rule: "ACCEPT before the pieces are known to be durable",
    within: 2000,
    breaks: { "pieces-first": "always" },
  },
  {
    name: "dropped-before-all-home",
    rule: "with parity no piece is too much before each is at home",
    within: 200,
    plot: "doubled",
    breaks: { "all-home-first": "never" },
  },
  {
    name: "thin-parity",
    rule: "ACCEPT before K + 1 pieces lie on servers of their own",
    within: 2000,
    breaks: { "one-more-than-needed": "always" },
  },
  {
    name: "trusted-trash",
    rule: "pieces in the trash are counted, and not taken out of it",
    within: 100,
    plot: "collected",
    breaks: {
      "trash-comes-back": "never",
      "trash-does-not-count": (was) => was.replace(" AND trashed IS NULL", ""),
    },
  },
  {
    name: "bare-copy",
    rule: "what is put again has no attributes",
    within: 20,
    plot: "rebalanced",
    breaks: { "attributes-go-along": () => "new Map()" },
  },
  {
    name: "eager-trash",
    rule: "old pieces deleted at ACCEPT",
    within: 2000,
    breaks: {
      "accept-keeps-old-pieces": (was) =>
        `(old.acc && old.acc.version.vid !== version.vid && this.#catalog.pieces.trash(space, name, old.acc.version.vid, 0), ${was})`,
    },
  },
];
