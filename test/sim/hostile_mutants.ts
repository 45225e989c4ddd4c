/** The rules that bound what users and servers may say (docs/consistency.md section 12), each broken on purpose; see mutants.ts. */
import { edit, type Mutant } from "./mutant.ts";

const BALLOTS = "src/client/ballots.ts";

export const HOSTILE_MUTANTS: readonly Mutant[] = [
  {
    name: "no-bound",
    rule: "ballots are bounded",
    within: 20,
    plot: "jumped",
    edits: [
      edit(
        "src/store/acceptor.ts",
        "roundOf(ballot) > roundOf(boundOf(prom, floor));",
        "roundOf(ballot) < roundOf(prom - boundOf(prom, floor) - ballot);",
      ),
    ],
  },
  {
    name: "no-climbing",
    rule: "who is refused as too high climbs",
    within: 20,
    plot: "jumped",
    edits: [
      edit("src/client/climb.ts", "step < CLIMB_STEPS && !fits", "step < -CLIMB_STEPS && !fits"),
    ],
  },
  {
    name: "unheard-behind",
    rule: "where one is ahead the others are heard too",
    within: 100,
    plot: "outrun",
    edits: [
      edit(
        BALLOTS,
        "return highest(numbers) > reachOf(numbers);",
        "return highest(numbers) < reachOf(numbers) && false;",
      ),
    ],
  },
  {
    name: "believe-any",
    rule: "no single server's number is followed where it is not needed",
    within: 20,
    plot: "named",
    edits: [
      edit(BALLOTS, "return first <= boundOf(second) ? first : second;", "return first;"),
      edit(BALLOTS, "return first < bound ? first : bound;", "return first;"),
    ],
  },
  {
    name: "one-floor",
    rule: "floors are one a space",
    within: 20,
    plot: "elsewhere",
    edits: [
      edit(
        "src/store/floors.ts",
        "if (to <= this.of(space)) return;",
        'if (space !== "*") return this.raiseEverywhere(to);',
      ),
    ],
  },
  {
    name: "made-up",
    rule: "servers accept only what could have been put",
    within: 20,
    plot: "jumped",
    edits: [
      edit(
        "src/server/sound.ts",
        "if (why === null && !isReserved) return;",
        "if (!isReserved) return;",
      ),
    ],
  },
];
