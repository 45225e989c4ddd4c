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
    name: "trusted-idle",
    rule: "pieces that no name holds any more are counted, and not held from then on",
    within: 100,
    plot: "collected",
    breaks: {
      "link-holds": "never",
      "idle-does-not-count": (was) =>
        was.replace(
          "FROM holding WHERE space = ? AND name = ?",
          "FROM content WHERE space = ? AND ? <> ''",
        ),
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
    name: "released-at-accept",
    rule: "what was pending ends with ACCEPT, and so does what it pushes out",
    within: 2000,
    breaks: {
      "accept-keeps-old-pieces": (was) =>
        `(this.pieces.holds.end(space, name, row, [version.vid]), ${was})`,
    },
  },
  {
    name: "shared-content-swept",
    rule: "what one name lets go is removed, though another name holds it",
    within: 2000,
    breaks: { "others-still-hold": withoutHolders, "held-is-not-swept": withoutHolders },
  },
];

/** Does not look whether any name holds it. */
function withoutHolders(was: string): string {
  return was.replace(/ AND NOT EXISTS\s+\(SELECT 1 FROM holding[^)]*\)/, "");
}
