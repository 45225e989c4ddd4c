/** The rules by which pieces come before their version, and go after it, each broken on purpose; see mutants.ts. */
import { edit, type Mutant } from "./mutant.ts";

const STORE = "src/store/store.ts";

export const PIECE_MUTANTS: readonly Mutant[] = [
  {
    name: "early-accept",
    rule: "ACCEPT before the pieces are known to be durable",
    within: 2000,
    edits: [
      edit(
        "src/client/send/pieces.ts",
        "this.#copiesIn(held, piece) >= this.#version.copies);",
        "this.#copiesIn(held, piece) >= 0);",
      ),
    ],
  },
  {
    name: "dropped-before-all-home",
    rule: "with parity no piece is too much before each is at home",
    within: 200,
    plot: "doubled",
    edits: [
      edit(
        "src/client/care/diagnose.ts",
        "hasParity(version) && notHome.size > 0 ?",
        "hasParity(version) && notHome.size < 0 ?",
      ),
    ],
  },
  {
    name: "thin-parity",
    rule: "ACCEPT before K + 1 pieces lie on servers of their own",
    within: 2000,
    edits: [
      edit(
        "src/client/send/pieces.ts",
        "return matched(holders) > this.#cut.needed;",
        "return matched(holders) >= 0;",
      ),
    ],
  },
  {
    name: "trusted-trash",
    rule: "pieces in the trash are counted, and not taken out of it",
    within: 100,
    plot: "collected",
    edits: [
      edit(
        STORE,
        "if (mayBecomeCurrent(row, vid)) this.#catalog.pieces.restore(space, name, vid);",
        "",
      ),
      edit(
        "src/store/catalog/piece_table.ts",
        "vid = ? AND space = ? AND name = ? AND bad = 0 AND trashed IS NULL",
        "vid = ? AND space = ? AND name = ? AND bad = 0",
      ),
    ],
  },
  {
    name: "eager-trash",
    rule: "old pieces deleted at ACCEPT",
    within: 2000,
    edits: [
      edit(
        STORE,
        "if (row !== old) this.#catalog.putRegister(space, name, row);",
        "if (row !== old) this.#catalog.putRegister(space, name, row);\n      if (old.acc && old.acc.version.vid !== version.vid) this.#catalog.pieces.trash(space, name, old.acc.version.vid, 0);",
      ),
    ],
  },
];
