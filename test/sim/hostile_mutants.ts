/** The rules that bound what users and servers may say (docs/consistency.md section 12), each broken on purpose; see mutants.ts. */
import type { Mutant } from "./mutant.ts";

export const HOSTILE_MUTANTS: readonly Mutant[] = [
  {
    name: "no-bound",
    rule: "ballots are bounded",
    within: 20,
    plot: "jumped",
    breaks: { "ballots-rise-in-steps": "never" },
  },
  {
    name: "no-climbing",
    rule: "who is refused as too high climbs",
    within: 20,
    plot: "jumped",
    breaks: { "who-is-behind-climbs": "skip" },
  },
  {
    name: "unheard-behind",
    rule: "where one is ahead the others are heard too",
    within: 100,
    plot: "outrun",
    breaks: { "others-are-heard": "never" },
  },
  {
    name: "believe-any",
    rule: "no single server's number is followed where it is not needed",
    within: 20,
    plot: "named",
    breaks: { "vouched-by-two": "always", "reach-is-bounded": "always" },
  },
  {
    name: "one-floor",
    rule: "floors are one a space",
    within: 20,
    plot: "elsewhere",
    breaks: { "floor-per-space": () => "this.raiseEverywhere(to), true" },
  },
  {
    name: "made-up",
    rule: "servers accept only what could have been put",
    within: 20,
    plot: "jumped",
    breaks: { "only-what-could-be-put": "always" },
  },
];
