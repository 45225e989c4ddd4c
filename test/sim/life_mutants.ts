/** The rules by which a folder that is not what its server left is noticed, each broken on purpose; see mutants.ts. */
import { edit, type Mutant } from "./mutant.ts";

const MEET = "src/client/connect/meet.ts";
const IDENTITY = "src/store/identity.ts";

export const LIFE_MUTANTS: readonly Mutant[] = [
  {
    name: "no-lives",
    rule: "what others know of a server's lives is not asked about",
    within: 20,
    plot: "restored",
    edits: [
      edit(MEET, "const claims = claimsOf.get(standing) ?? [];", "const claims: Claim[] = [];"),
    ],
  },
  {
    name: "nobody-is-told",
    rule: "a server's life is told to no other",
    within: 20,
    plot: "restored",
    edits: [edit(MEET, "isOperator ? newsFor(standing, clear) : []", "[]")],
  },
  {
    name: "higher-life-wins",
    rule: "a server that has had more lives than is known passes for itself",
    within: 20,
    plot: "restless",
    edits: [
      edit(
        "src/store/lives.ts",
        "return this.#catalog.fact(pastKey(life))?.toHex() === mark;",
        "return life < this.now.life || this.#catalog.fact(pastKey(life))?.toHex() === mark;",
      ),
    ],
  },
  {
    name: "lost-log-served",
    rule: "a folder in use whose log is gone is served",
    within: 20,
    plot: "beheaded",
    edits: [edit(IDENTITY, "if (logBytes > 0) return;", "if (logBytes >= 0) return;")],
  },
  {
    name: "copies-do-not-settle",
    rule: "a copy counts before others know of it",
    within: 20,
    plot: "forked",
    edits: [
      edit(
        MEET,
        'connections.judge(sid, standing.isUnsettled ? { is: "copy" } : null);',
        'connections.judge(sid, standing.isUnsettled && sid === "" ? { is: "copy" } : null);',
      ),
    ],
  },
  {
    name: "unseated-not-kept",
    rule: "who is told of lives is first told who the members are",
    within: 100,
    plot: "carriedAway",
    edits: [edit(MEET, "peer.epoch < config.epoch", "peer.epoch < 0")],
  },
  {
    name: "settled-by-one-less",
    rule: "a copy counts once fewer others know of it than choose a value",
    within: 20,
    plot: "forked",
    edits: [
      edit(
        "src/client/trust/lives.ts",
        "return knowing.length >= Math.min(accept, others.length);",
        "return knowing.length >= Math.min(accept, others.length) - 1;",
      ),
    ],
  },
];
