/**
 * The rules of CONSISTENCY.md section 9, each broken on purpose: edits of the source text, made while it is loaded, so that the
 * program itself has no switch for any of them. A mutant that the simulator does not catch is a rule that nobody checks.
 */
import type { Edit, Mutant } from "./mutant.ts";

const DECIDE = "src/client/decide.ts";
const REGISTER = "src/client/register.ts";
const REPAIR = "src/client/repair.ts";
const PROPOSE = "src/client/propose.ts";
/** Without this a proposer looks what became of its attempts, and seldom comes to where the rule is needed. */
const NO_WATCH: Edit = {
  file: PROPOSE,
  find: "if (attempts.length > 0) {",
  replace: "if (attempts.length < 0) {",
};
const ACCEPTOR = "src/store/acceptor.ts";
const STORE = "src/store/store.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    name: "committed-only",
    rule: "decide looks at committed values only",
    within: 2000,
    edits: [
      {
        file: DECIDE,
        find: "(acc && acc.ballot > ballot ? [acc] : [])",
        replace: "(acc && acc.ballot < 0n ? [acc] : [])",
      },
    ],
  },
  {
    name: "unresolved",
    rule: "the highest value seen is returned, unresolved",
    within: 4000,
    edits: [
      {
        file: DECIDE,
        find: ': { is: "doubt" };',
        replace: ': { is: "current", current: newest(pending), lagging: false };',
      },
    ],
  },
  {
    name: "one-server",
    rule: "one server is read",
    within: 2000,
    edits: [
      { file: DECIDE, find: "votes.length < quorum.read", replace: "votes.length < 1" },
      {
        file: DECIDE,
        find: "const silent = quorum.servers - votes.length;",
        replace: "const silent = -pending.length;",
      },
    ],
  },
  {
    name: "twice",
    rule: "retry without the exactly-once check",
    within: 4000,
    edits: [
      NO_WATCH,
      {
        file: DECIDE,
        find: "if (current?.vid === own.vid || (tried && current?.history.includes(own.vid)))",
        replace: "if (Math.random() < 0)",
      },
      {
        file: DECIDE,
        find: "if (tried && !isProvablyNoAncestor(own.attempts, current, floors))",
        replace: "if (tried && isProvablyNoAncestor.length < 0)",
      },
    ],
  },
  {
    name: "stray",
    rule: "a no without dominating one's strays",
    within: 100,
    plot: "stray",
    edits: [
      {
        file: DECIDE,
        find: 'return settled && !tried ? { do: "refuse" } : { do: "refuseBehindOwn" };',
        replace: 'return settled ? { do: "refuse" } : { do: "refuseBehindOwn" };',
      },
    ],
  },
  {
    name: "by-age",
    rule: "orphans collected by age, without a fence",
    within: 2000,
    edits: [
      {
        file: ACCEPTOR,
        find: "row.prom === ballot && row.acc?.version.vid !== vid",
        replace: "row.prom !== -ballot && row.acc?.version.vid !== vid",
      },
      {
        file: REPAIR,
        find: "if (found.isStray || found.orphans.length > 0) {",
        replace: "if (found.isStray) {",
      },
      {
        file: REPAIR,
        find: "const collected = current ? await",
        replace: "const collected = found.orphans.length > 0 ? await",
      },
      {
        file: REPAIR,
        find: "await collect(cluster, name, current, found.orphans)",
        replace:
          'await collect(cluster, name, current ?? ({ ballot: 1n, version: { vid: "" } } as never), found.orphans)',
      },
    ],
  },
  {
    name: "no-guard",
    rule: "COLLECT without prom = b",
    within: 10_000,
    edits: [
      {
        file: ACCEPTOR,
        find: "row.prom === ballot && row.acc?.version.vid !== vid",
        replace: "row.prom !== -ballot && row.acc?.version.vid !== vid",
      },
    ],
  },
  {
    name: "fence-by-promise",
    rule: "fence by PREPARE only",
    within: 10_000,
    edits: [
      {
        file: REGISTER,
        find: "if (above === undefined && (isCommitted || current === null)) return current;",
        replace:
          "if (isCommitted || current === null) return current && above !== undefined ? { ballot, version: current.version } : current;",
      },
    ],
  },
  {
    name: "majority-tombstone",
    rule: "tombstone forgotten after a majority",
    within: 2000,
    edits: [
      {
        file: REPAIR,
        find: "if (acknowledged < cluster.size) return false;",
        replace: "if (acknowledged < cluster.quorum.accept) return false;",
      },
      {
        file: REPAIR,
        find: "if (replies.size < cluster.size) return false;",
        replace: "if (replies.size < cluster.quorum.accept) return false;",
      },
      {
        file: REPAIR,
        find: "forgotten: replies.size === cluster.size && mayGo",
        replace: "forgotten: mayGo",
      },
    ],
  },
  {
    name: "no-floor",
    rule: "no floor",
    within: 2000,
    edits: [{ file: STORE, find: "this.#catalog.raiseFloor(row.prom);", replace: "" }],
  },
  {
    name: "same-sid",
    rule: "lost disk, same sid",
    within: 100,
    plot: "sameSid",
    edits: [
      {
        file: "src/store/recover.ts",
        find: "?? ports.random.bytes(16).toHex();",
        replace: "?? new Bun.CryptoHasher('md5').update(layout.folder).digest('hex');",
      },
    ],
  },
  {
    name: "volatile-promise",
    rule: "promise not durable",
    within: 10_000,
    edits: [
      {
        file: STORE,
        find: "return this.#catalog.write(true, () => {\n      const old = this.#row(space, name);\n      const row = prepare(old, ballot);",
        replace:
          "return this.#catalog.write(false, () => {\n      const old = this.#row(space, name);\n      const row = prepare(old, ballot);",
      },
    ],
  },
  {
    name: "early-accept",
    rule: "ACCEPT before the pieces are known to be durable",
    within: 2000,
    edits: [
      {
        file: "src/client/pieces.ts",
        find: "this.#copiesIn(held, piece) >= this.#shape.copies);",
        replace: "this.#copiesIn(held, piece) >= 0);",
      },
    ],
  },
  {
    name: "check-then-write",
    rule: "conditional put as read, check, write",
    within: 4000,
    edits: [
      {
        file: "src/client/put.ts",
        find: "condition: options.condition ?? null,",
        replace: "condition: await checked(cluster, name, options.condition),",
      },
      {
        file: "src/client/put.ts",
        find: "function checkLive(",
        replace: `async function checked(cluster: Cluster, name: string, condition?: Condition): Promise<null> {
  if (!condition) return null;
  const { readName } = await import("./register.ts");
  const { current } = await readName(cluster, name);
  const vid = current && !current.version.deleted ? current.version.vid : null;
  if (vid !== condition.vid) throw new DfsError("conflict", "changed");
  return null;
}

function checkLive(`,
      },
    ],
  },
  {
    name: "eager-trash",
    rule: "old pieces deleted at ACCEPT",
    within: 2000,
    edits: [
      {
        file: STORE,
        find: "if (row && row !== old) this.#catalog.putRegister(space, name, row);",
        replace:
          "if (row && row !== old) this.#catalog.putRegister(space, name, row);\n      if (row && old.acc && old.acc.version.vid !== version.vid) this.#catalog.trash(space, name, old.acc.version.vid, 0);",
      },
    ],
  },
  {
    name: "lazy-forget",
    rule: "COMMIT before FORGET not durable",
    within: 100,
    plot: "lazyForget",
    edits: [
      {
        file: REPAIR,
        find: "sendCommit(cluster, name, tombstone, true)",
        replace: "sendCommit(cluster, name, tombstone, false)",
      },
    ],
  },
  {
    name: "zombie-commit",
    rule: "COMMIT taken on an absent row below the floor",
    within: 100,
    plot: "zombieCommit",
    edits: [
      {
        file: ACCEPTOR,
        find: "if (row.acc === null && row.com === null && ballot <= floor) return",
        replace: "if (row.acc === null && row.com === null && ballot < -floor) return",
      },
    ],
  },
  {
    name: "short-history",
    rule: "truncated history taken as proof",
    within: 20_000,
    edits: [
      NO_WATCH,
      { file: "src/limits.ts", find: "HISTORY_LENGTH = 16", replace: "HISTORY_LENGTH = 1" },
      {
        file: DECIDE,
        find: "current.seq - current.history.length <= parentSeq + 1",
        replace: "current.seq - current.history.length <= Infinity + parentSeq",
      },
    ],
  },
  {
    name: "control",
    rule: "nothing is broken: a short history alone is safe",
    within: 0,
    edits: [{ file: "src/limits.ts", find: "HISTORY_LENGTH = 16", replace: "HISTORY_LENGTH = 1" }],
  },
];
