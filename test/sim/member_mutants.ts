/** The rules by which a cluster changes its members (model/members.ts), each broken on purpose; see mutants.ts. */
import { withoutJoint, type Mutant } from "./mutant.ts";

export const MEMBER_MUTANTS: readonly Mutant[] = [
  {
    name: "no-epochs",
    rule: "members change without epochs",
    within: 4000,
    breaks: { "at-its-epoch": () => "work()" },
  },
  {
    name: "no-joint",
    rule: "members change without an epoch of both",
    within: 100,
    plot: "grown",
    breaks: { "joint-epoch": withoutJoint },
  },
  {
    name: "no-migration",
    rule: "members change without accepting every value anew",
    within: 100,
    plot: "grown",
    breaks: { "every-name-migrates": "skip" },
  },
  {
    name: "promised-passed-over",
    rule: "names that were only promised are not carried over",
    within: 100,
    plot: "promised",
    breaks: { "promised-are-carried": (was) => `above > 0n && ${was}` },
  },
  {
    name: "unforced",
    rule: "what is committed is not accepted anew",
    within: 100,
    plot: "grown",
    breaks: { "accepted-anew": () => "undefined" },
  },
  {
    name: "late-drop",
    rule: "a copy is taken away by what was true before the members changed",
    within: 100,
    plot: "lateDrop",
    breaks: { "drop-at-its-epoch": "skip" },
  },
  {
    name: "no-floors",
    rule: "new members do not know what was forgotten",
    within: 100,
    plot: "forgotten",
    breaks: { "floors-are-carried": "skip" },
  },
  {
    name: "moved-unnoticed",
    rule: "a server at another address than the configuration has is not recorded there",
    within: 20,
    plot: "relocated",
    breaks: { "moves-are-noted": "skip" },
  },
];
