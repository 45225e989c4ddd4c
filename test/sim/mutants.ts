/**
 * The rules of docs/consistency.md section 9, each broken on purpose (mutant.ts). A mutant that the simulator does not catch is a rule that
 * nobody checks.
 */
import { HOSTILE_MUTANTS } from "./hostile_mutants.ts";
import { LIFE_MUTANTS } from "./life_mutants.ts";
import { LINK_MUTANTS } from "./link_mutants.ts";
import { MEMBER_MUTANTS } from "./member_mutants.ts";
import type { Mutant } from "./mutant.ts";
import { PIECE_MUTANTS } from "./piece_mutants.ts";
import { SEAT_MUTANTS } from "./seat_mutants.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    name: "committed-only",
    rule: "decide looks at committed values only",
    within: 2000,
    breaks: { "accepted-counts": "never" },
  },
  {
    name: "unresolved",
    rule: "the highest value seen is returned, unresolved",
    within: 4000,
    breaks: {
      "doubt-is-settled": () =>
        '{ is: "current", current: newest(pending.map(({ acc }) => acc)), lagging: false }',
    },
  },
  {
    name: "one-server",
    rule: "one server is read",
    within: 2000,
    breaks: { "read-by-quorum": () => "votes.size < 1", "unheard-may-be-newer": "always" },
  },
  {
    name: "twice",
    rule: "retry without the exactly-once check",
    within: 100,
    plot: "twice",
    breaks: {
      "attempts-are-watched": "never",
      "written-once": "never",
      "open-outcome-is-told": "never",
      // Servers would refuse what was before itself.
      "no-version-before-itself": "never",
      // And take no pieces of it.
      "over-is-not-pending": "never",
    },
  },
  {
    name: "stray",
    rule: "a no without dominating one's strays",
    within: 100,
    plot: "stray",
    breaks: { "strays-are-dominated": "always" },
  },
  {
    name: "by-age",
    rule: "orphans collected by age, without a fence",
    within: 2000,
    breaks: {
      "collect-behind-fence": "always",
      "fence-before-collect": "never",
      // Where nothing is current any ballot will do.
      "collect-needs-fence": (was) =>
        `await (async (current) => ${was})(current ?? { ballot: 1n, version: { vid: "" } } as never)`,
    },
  },
  {
    name: "no-guard",
    rule: "COLLECT without prom = b",
    within: 10_000,
    breaks: { "collect-behind-fence": "always" },
  },
  {
    name: "fence-by-promise",
    rule: "fence by PREPARE only",
    within: 10_000,
    breaks: { "fence-is-accepted": (was) => `isCommitted ? "chosen" : ${was}` },
  },
  {
    name: "majority-tombstone",
    rule: "tombstone forgotten after a majority",
    within: 100,
    plot: "missed",
    breaks: {
      "tombstone-on-all": () => "replies.size >= view.quorum[0].accept",
      "forgotten-by-all": "always",
    },
  },
  {
    name: "no-floor",
    rule: "no floor",
    within: 2000,
    breaks: { "forget-leaves-floor": "skip" },
  },
  {
    name: "same-sid",
    rule: "lost disk, same sid",
    within: 100,
    plot: "sameSid",
    breaks: {
      "lost-data-new-id": () => "new Bun.CryptoHasher('md5').update(paths.folder).digest('hex')",
    },
  },
  {
    name: "volatile-promise",
    rule: "promise not durable",
    within: 10_000,
    breaks: { "promise-is-durable": "never" },
  },
  {
    name: "check-then-write",
    rule: "conditional put as read, check, write",
    within: 4000,
    breaks: {
      // The first answer stands for all tries.
      "condition-at-each-try": (was) => `(own as { fails?: boolean }).fails ??= ${was}`,
    },
  },
  {
    name: "lazy-forget",
    rule: "COMMIT before FORGET not durable",
    within: 100,
    plot: "lazyForget",
    breaks: { "tombstone-is-durable": "never" },
  },
  {
    name: "zombie-commit",
    rule: "COMMIT taken on an absent row below the floor",
    within: 100,
    plot: "zombieCommit",
    breaks: { "late-commit-is-ignored": "never" },
  },
  {
    name: "short-history",
    rule: "truncated history taken as proof",
    within: 100,
    plot: "twice",
    breaks: {
      "attempts-are-watched": "never",
      "long-history": () => "1",
      "history-reaches-back": "always",
    },
  },
  {
    name: "named-folders",
    rule: "a folder is there if any server knows a name below it",
    within: 100,
    breaks: { "folders-are-decided": "always" },
  },
  {
    name: "first-names",
    rule: "a folder is not there if its first name is not known to be",
    within: 100,
    plot: "firstDeleted",
    breaks: { "folders-are-looked-into": "always" },
  },
  ...PIECE_MUTANTS,
  ...LINK_MUTANTS,
  ...MEMBER_MUTANTS,
  ...LIFE_MUTANTS,
  ...SEAT_MUTANTS,
  ...HOSTILE_MUTANTS,
  {
    name: "control",
    rule: "nothing is broken: a short history alone is safe",
    within: 0,
    breaks: { "long-history": () => "1" },
  },
];
