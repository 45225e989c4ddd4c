/** Agreeing on a version (CONSISTENCY.md sections 2 and 3): READ and decide; PREPARE, ACCEPT, COMMIT. */
import { isDfsError } from "../errors.ts";
import {
  BACKOFF_FIRST_MS,
  BACKOFF_MAX_MS,
  DOUBT_PAUSE_MS,
  DOUBT_TRIES,
  PROPOSE_MS,
  READ_PATIENCE_MS,
  STRAGGLER_MS,
} from "../limits.ts";
import {
  type Accepted,
  type Ballot,
  ballotAbove,
  childOf,
  type Content,
  highest,
  tombstone,
  type Version,
  type Vid,
} from "../version.ts";
import type { InlinePiece } from "../wire/messages.ts";
import type { Cluster, Replies } from "./cluster.ts";
import { type Attempt, type Condition, decide, nextStep, select } from "./decide.ts";

/** Resolves after `ms`. */
export const pause = (cluster: Cluster, ms: number): Promise<void> =>
  new Promise((resolve) => void cluster.ports.clock.after(ms, resolve));

/** What READ told. "current" is certain; otherwise `current` is merely the newest that anybody knows. */
export interface Reading {
  readonly is: "current" | "tooFew" | "doubt";
  readonly current: Accepted | null;
  readonly replies: Replies<"read">;
}

/** Reads a name, and finishes what a writer left in doubt. */
export async function readName(cluster: Cluster, name: string): Promise<Reading> {
  for (let tries = 0; ; tries++) {
    const replies = await cluster.ask(
      "read",
      () => ({ name }),
      (so) => (decide(cluster.quorum, registersOf(so)).is === "current" ? READ_PATIENCE_MS : null),
    );
    const decision = decide(cluster.quorum, registersOf(replies));
    if (decision.is === "current") {
      if (decision.lagging && decision.current)
        await sendCommit(cluster, name, decision.current, false);
      return { ...decision, replies };
    }
    const { current } = select(registersOf(replies));
    if (decision.is === "tooFew") return { is: "tooFew", current, replies };
    if (tries < DOUBT_TRIES) {
      await pause(cluster, DOUBT_PAUSE_MS);
      continue;
    }
    const settled = await settle(cluster, name);
    return settled === "failed"
      ? { is: "doubt", current, replies }
      : { is: "current", current: settled, replies };
  }
}

const registersOf = (replies: Replies<"read"> | Replies<"prepare">) =>
  [...replies.values()].map((reply) => reply.register);

/** The pieces that go with a version, as a proposer needs them. */
export interface Supply {
  /** The small pieces that ride with the PREPARE to this server. */
  inlineFor(slot: number): InlinePiece[];
  /** Has every piece its copies among these holders? */
  isCovered(held: ReadonlyMap<number, readonly number[]>): boolean;
  /** Sends what lacks copies to further servers; false when there are none. */
  cover(held: ReadonlyMap<number, readonly number[]>): Promise<boolean>;
}

export interface Proposal {
  readonly content: Content;
  readonly condition: Condition | null;
  readonly supply: Supply | null;
}

/** How a proposal ended. "failed" has no effect, now or later; "unknown" may. */
export type Outcome =
  | { readonly is: "done"; readonly current: Version }
  | { readonly is: "refused"; readonly current: Version | null }
  | { readonly is: "nothingToDelete" }
  | { readonly is: "failed" | "unknown"; readonly why: string };

/** What PREPARE brought. */
interface Promises {
  readonly enough: boolean;
  readonly granted: Replies<"prepare">;
  readonly answered: number;
}

/** Numbers the rounds of one operation, each above all that it has seen. */
class Ballots {
  readonly #cluster: Cluster;
  #seen: Ballot;

  constructor(cluster: Cluster, seen: Ballot) {
    this.#cluster = cluster;
    this.#seen = seen;
  }
  next(): Ballot {
    return ballotAbove([this.#seen], this.#cluster.ports.random.bytes(8));
  }
  saw(...ballots: Ballot[]): void {
    this.#seen = highest([this.#seen, ...ballots]);
  }
}

async function prepare(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  ballot: Ballot,
  vid: Vid,
  supply: Supply | null,
): Promise<Promises> {
  const { quorum } = cluster;
  const grantedOf = (so: Replies<"prepare">) => new Map([...so].filter(([, reply]) => reply.ok));
  const replies = await cluster.ask(
    "prepare",
    (slot) => ({ name, ballot, vid, inline: supply?.inlineFor(slot) ?? [] }),
    (so) => {
      const granted = grantedOf(so);
      if (so.size - granted.size > quorum.servers - quorum.read) return 0;
      if (granted.size < quorum.read) return null;
      return !supply || supply.isCovered(heldIn(granted)) ? 0 : STRAGGLER_MS;
    },
  );
  for (const { floor, register } of replies.values())
    ballots.saw(floor, register.prom, register.acc?.ballot ?? 0n, register.com?.ballot ?? 0n);
  const granted = grantedOf(replies);
  return { enough: granted.size >= quorum.read, granted, answered: replies.size };
}

const heldIn = (granted: Replies<"prepare">): Map<number, number[]> =>
  new Map([...granted].map(([slot, reply]) => [slot, reply.held]));

/** ACCEPT to all, and COMMIT where it was chosen; "refused" says that somebody else's ballot was higher. */
async function acceptAndCommit(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  ballot: Ballot,
  version: Version,
): Promise<"chosen" | "refused" | "tooFew"> {
  const { quorum } = cluster;
  const yes = (so: Replies<"accept">): number =>
    [...so.values()].filter((reply) => reply.ok).length;
  const replies = await cluster.ask(
    "accept",
    () => ({ name, ballot, version }),
    (so) =>
      yes(so) >= quorum.accept || so.size - yes(so) > quorum.servers - quorum.accept ? 0 : null,
  );
  for (const { prom } of replies.values()) ballots.saw(prom);
  if (yes(replies) >= quorum.accept) {
    await sendCommit(cluster, name, { ballot, version }, false);
    return "chosen";
  }
  return yes(replies) < replies.size ? "refused" : "tooFew";
}

/**
 * COMMIT to all, and how many acknowledged it. That it arrives everywhere is a matter of speed, not of safety;
 * with `sync` a server acknowledges it only once it is durable, and all are waited for.
 */
export async function sendCommit(
  cluster: Cluster,
  name: string,
  accepted: Accepted,
  sync: boolean,
): Promise<number> {
  const enough = (so: Replies<"commit">): boolean => !sync && so.size >= cluster.quorum.accept;
  const replies = await cluster.ask(
    "commit",
    () => ({ name, accepted, sync }),
    (so) => (enough(so) ? STRAGGLER_MS : null),
  );
  return replies.size;
}

/** Waits, longer with each try and never the same time as others, so that of many writers one gets through. */
function backOff(cluster: Cluster, tries: number): Promise<void> {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** tries);
  return pause(cluster, 1 + cluster.ports.random.fraction() * most);
}

/** propose: makes `content` the next version of the name, or says why not. */
export async function propose(
  cluster: Cluster,
  name: string,
  proposal: Proposal,
): Promise<Outcome> {
  const { content, condition, supply } = proposal;
  const { clock, random } = cluster.ports;
  const ballots = new Ballots(cluster, 0n);
  const attempts: Attempt[] = [];
  const until = clock.now() + PROPOSE_MS;
  const giveUp = (why: string): Outcome => ({
    is: attempts.length > 0 ? "unknown" : "failed",
    why,
  });
  const own = { vid: content.vid, deletes: content.deleted, condition, attempts };

  let covers = 0;
  for (let tries = 0; clock.now() < until; tries++) {
    if (tries > covers) await backOff(cluster, tries - covers);
    if (cluster.live.length < cluster.quorum.accept) return giveUp(tooFewLine(cluster));
    const ballot = ballots.next();
    const { enough, granted, answered } = await prepare(
      cluster,
      name,
      ballots,
      ballot,
      content.vid,
      supply,
    );
    if (!enough) {
      if (answered < cluster.quorum.read) return giveUp(tooFewLine(cluster));
      continue;
    }
    const selected = select(registersOf(granted));
    const floors = [...granted.values()].map((reply) => reply.floor);
    const current = selected.current?.version ?? null;
    const step = nextStep(own, selected, floors);
    if (step.do === "unknown")
      return giveUp("others wrote meanwhile, and what became of this write cannot be told");
    if (step.do === "refuse") return { is: "refused", current };
    if (step.do === "nothingToDelete") return { is: "nothingToDelete" };
    if (step.do === "write" && supply && !supply.isCovered(heldIn(granted))) {
      const problem = await coverOrWhy(cluster, supply, heldIn(granted));
      if (problem !== null || ++covers > cluster.size)
        return giveUp(problem ?? tooFewLine(cluster));
      continue;
    }
    const floor = highest(floors);
    const asItIs = current ?? childOf(null, floor, tombstone(random.bytes(16).toHex()));
    const next = step.do === "write" ? childOf(current, floor, content) : asItIs;
    if (next.vid === content.vid) attempts.push({ ballot, parentSeq: next.seq - 1 });
    const result = await acceptAndCommit(cluster, name, ballots, ballot, next);
    if (result === "tooFew") return giveUp(tooFewLine(cluster));
    if (result === "chosen")
      return step.do === "refuseBehindOwn"
        ? { is: "refused", current }
        : { is: "done", current: next };
  }
  return giveUp("too many others write this name at once");
}

/** null once all pieces have their copies; else why not. */
async function coverOrWhy(
  cluster: Cluster,
  supply: Supply,
  held: ReadonlyMap<number, readonly number[]>,
): Promise<string | null> {
  try {
    return (await supply.cover(held)) ? null : tooFewLine(cluster);
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return error.message;
  }
}

const tooFewLine = (cluster: Cluster): string =>
  `${cluster.live.length} of ${cluster.size} servers answer, and it takes ${cluster.quorum.accept}`;

/**
 * Makes sure that what is current is chosen, and returns it; with `above`, at a fresh ballot above that one in any case
 * (a tombstone where there is nothing).
 */
export async function settle(
  cluster: Cluster,
  name: string,
  above?: Ballot,
): Promise<Accepted | null | "failed"> {
  const { clock, random } = cluster.ports;
  const ballots = new Ballots(cluster, above ?? 0n);
  const until = clock.now() + PROPOSE_MS;
  for (let tries = 0; clock.now() < until; tries++) {
    if (tries > 0) await backOff(cluster, tries);
    const ballot = ballots.next();
    const own = random.bytes(16).toHex();
    const { enough, granted, answered } = await prepare(cluster, name, ballots, ballot, own, null);
    if (!enough) {
      if (answered < cluster.quorum.read) return "failed";
      continue;
    }
    const { current, isCommitted } = select(registersOf(granted));
    if (above === undefined && (isCommitted || current === null)) return current;
    const floor = highest([...granted.values()].map((reply) => reply.floor));
    const next = current?.version ?? childOf(null, floor, tombstone(own));
    const result = await acceptAndCommit(cluster, name, ballots, ballot, next);
    if (result === "chosen") return { ballot, version: next };
    if (result === "tooFew") return "failed";
  }
  return "failed";
}
