/**
 * The rules of docs/consistency.md section 9, each broken on purpose: edits of the source text, made while it is loaded, so that the
 * program itself has no switch for any of them. A mutant that the simulator does not catch is a rule that nobody checks.
 */
import { HOSTILE_MUTANTS } from "./hostile_mutants.ts";
import { LIFE_MUTANTS } from "./life_mutants.ts";
import { MEMBER_MUTANTS } from "./member_mutants.ts";
import { edit, type Mutant } from "./mutant.ts";
import { PIECE_MUTANTS } from "./piece_mutants.ts";
import { SEAT_MUTANTS } from "./seat_mutants.ts";

const DECIDE = "src/client/decide.ts";
const REGISTER = "src/client/register.ts";
const REPAIR = "src/client/repair.ts";
const FORGET = "src/client/forget.ts";
const PROPOSE = "src/client/propose.ts";
/** Without this a proposer looks what became of its attempts, and seldom comes to where the rule is needed. */
const NO_WATCH = edit(PROPOSE, "if (attempts.length > 0) {", "if (attempts.length < 0) {");
const ACCEPTOR = "src/store/acceptor.ts";
const STORE = "src/store/store.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    name: "committed-only",
    rule: "decide looks at committed values only",
    within: 2000,
    edits: [
      edit(
        DECIDE,
        "if (acc && acc.ballot > ballot) pending.push",
        "if (acc && acc.ballot < 0n) pending.push",
      ),
    ],
  },
  {
    name: "unresolved",
    rule: "the highest value seen is returned, unresolved",
    within: 4000,
    edits: [
      edit(
        DECIDE,
        ': { is: "doubt" };',
        ': { is: "current", current: newest(pending.map(({ acc }) => acc)), lagging: false };',
      ),
    ],
  },
  {
    name: "one-server",
    rule: "one server is read",
    within: 2000,
    edits: [
      edit(
        DECIDE,
        "if (!quorum.every((group) => countIn(group, votes) >= group.read)) return",
        "if (votes.size < 1) return",
      ),
      edit(
        DECIDE,
        "const silent = now.slots.length - countIn(now, votes);",
        "const silent = -ahead;",
      ),
    ],
  },
  {
    name: "twice",
    rule: "retry without the exactly-once check",
    within: 100,
    plot: "twice",
    edits: [
      NO_WATCH,
      edit(
        DECIDE,
        "if (current?.vid === own.vid || (tried && current?.history.includes(own.vid)))",
        "if (Math.random() < 0)",
      ),
      edit(
        DECIDE,
        "if (tried && !isProvablyNoAncestor(own.attempts, current, floors))",
        "if (tried && isProvablyNoAncestor.length < 0)",
      ),
      // Servers would refuse what was before itself.
      edit("src/version.ts", " || history.includes(vid)", ""),
    ],
  },
  {
    name: "stray",
    rule: "a no without dominating one's strays",
    within: 100,
    plot: "stray",
    edits: [
      edit(
        DECIDE,
        'return settled && !tried ? { do: "refuse" } : { do: "refuseBehindOwn" };',
        'return settled ? { do: "refuse" } : { do: "refuseBehindOwn" };',
      ),
    ],
  },
  {
    name: "by-age",
    rule: "orphans collected by age, without a fence",
    within: 2000,
    edits: [
      edit(
        ACCEPTOR,
        "row.prom === ballot && row.acc?.version.vid !== vid",
        "row.prom !== -ballot && row.acc?.version.vid !== vid",
      ),
      edit(REPAIR, "if (found.isStray || found.orphans.length > 0) {", "if (found.isStray) {"),
      edit(
        REPAIR,
        "const collected = current ? await",
        "const collected = found.orphans.length > 0 ? await",
      ),
      edit(
        REPAIR,
        "await collect(cluster, name, current, found.orphans, epoch)",
        'await collect(cluster, name, current ?? ({ ballot: 1n, version: { vid: "" } } as never), found.orphans, epoch)',
      ),
    ],
  },
  {
    name: "no-guard",
    rule: "COLLECT without prom = b",
    within: 10_000,
    edits: [
      edit(
        ACCEPTOR,
        "row.prom === ballot && row.acc?.version.vid !== vid",
        "row.prom !== -ballot && row.acc?.version.vid !== vid",
      ),
    ],
  },
  {
    name: "fence-by-promise",
    rule: "fence by PREPARE only",
    within: 10_000,
    edits: [
      edit(
        REGISTER,
        "if (above === undefined && (isCommitted || current === null)) return current;",
        "if (isCommitted || current === null) return current && above !== undefined ? { ballot, version: current.version } : current;",
      ),
    ],
  },
  {
    name: "majority-tombstone",
    rule: "tombstone forgotten after a majority",
    within: 100,
    plot: "missed",
    edits: [
      edit(
        FORGET,
        "if (!isByAll(acknowledged)) return false;",
        "if (acknowledged.replies.size < acknowledged.view.quorum[0].accept) return false;",
      ),
      edit(
        FORGET,
        "if (!isByAll(told)) return false;",
        "if (told.replies.size < told.view.quorum[0].accept) return false;",
      ),
      edit(REPAIR, "forgotten: replies.size === members.length && mayGo", "forgotten: mayGo"),
    ],
  },
  {
    name: "no-floor",
    rule: "no floor",
    within: 2000,
    edits: [edit(STORE, "this.floors.raise(space, row.prom);", "")],
  },
  {
    name: "same-sid",
    rule: "lost disk, same sid",
    within: 100,
    plot: "sameSid",
    edits: [
      edit(
        "src/store/identity.ts",
        "isNew ? ports.random.bytes(16).toHex() : known;",
        "isNew ? new Bun.CryptoHasher('md5').update(layout.folder).digest('hex') : known;",
      ),
    ],
  },
  {
    name: "volatile-promise",
    rule: "promise not durable",
    within: 10_000,
    edits: [
      edit(
        STORE,
        "return this.#catalog.write(true, () => {\n      const old = this.#row(space, name);\n      const floor = this.floors.of(space);\n      const row = prepare(",
        "return this.#catalog.write(false, () => {\n      const old = this.#row(space, name);\n      const floor = this.floors.of(space);\n      const row = prepare(",
      ),
    ],
  },
  {
    name: "check-then-write",
    rule: "conditional put as read, check, write",
    within: 4000,
    edits: [
      edit(
        "src/client/put.ts",
        "condition: options.condition ?? null,",
        "condition: await checked(cluster, name, options.condition),",
      ),
      edit(
        "src/client/put.ts",
        "async function checkLive(",
        `async function checked(cluster: Cluster, name: string, condition?: Condition): Promise<null> {
  if (!condition) return null;
  const { readName } = await import("./register.ts");
  const { current } = await readName(cluster, name);
  const vid = current && !current.version.deleted ? current.version.vid : null;
  if (vid !== condition.vid) throw new DfsError("conflict", "changed");
  return null;
}

async function checkLive(`,
      ),
    ],
  },
  {
    name: "lazy-forget",
    rule: "COMMIT before FORGET not durable",
    within: 100,
    plot: "lazyForget",
    edits: [
      edit(
        FORGET,
        "sendCommit(cluster, name, tombstone, true, epoch)",
        "sendCommit(cluster, name, tombstone, false, epoch)",
      ),
    ],
  },
  {
    name: "zombie-commit",
    rule: "COMMIT taken on an absent row below the floor",
    within: 100,
    plot: "zombieCommit",
    edits: [
      edit(
        ACCEPTOR,
        "if (row.acc === null && row.com === null && ballot <= floor) return",
        "if (row.acc === null && row.com === null && ballot < -floor) return",
      ),
    ],
  },
  {
    name: "short-history",
    rule: "truncated history taken as proof",
    within: 100,
    plot: "twice",
    edits: [
      NO_WATCH,
      edit("src/limits.ts", "HISTORY_LENGTH = 16", "HISTORY_LENGTH = 1"),
      edit(
        DECIDE,
        "current.seq - current.history.length <= parentSeq + 1",
        "current.seq - current.history.length <= Infinity + parentSeq",
      ),
    ],
  },
  ...PIECE_MUTANTS,
  ...MEMBER_MUTANTS,
  ...LIFE_MUTANTS,
  ...SEAT_MUTANTS,
  ...HOSTILE_MUTANTS,
  {
    name: "control",
    rule: "nothing is broken: a short history alone is safe",
    within: 0,
    edits: [edit("src/limits.ts", "HISTORY_LENGTH = 16", "HISTORY_LENGTH = 1")],
  },
];
