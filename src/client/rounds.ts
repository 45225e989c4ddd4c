/** The rounds of one register: PREPARE, ACCEPT, COMMIT to all servers, and when enough have answered (CONSISTENCY.md section 2). */
import { BACKOFF_FIRST_MS, BACKOFF_MAX_MS, STRAGGLER_MS } from "../limits.ts";
import {
  type Accepted,
  type Ballot,
  ballotAbove,
  highest,
  type Register,
  type Version,
  type Vid,
} from "../version.ts";
import type { InlinePiece } from "../wire/messages.ts";
import type { Cluster, Replies } from "./cluster.ts";

/** Resolves after `ms`. */
export const pause = (cluster: Cluster, ms: number): Promise<void> =>
  new Promise((resolve) => void cluster.ports.clock.after(ms, resolve));

/** The registers in these replies. */
export const registersOf = (replies: Replies<"read"> | Replies<"prepare">): Register[] =>
  [...replies.values()].map((reply) => reply.register);

/** The pieces that go with a version, as a proposer needs them. */
export interface Supply {
  /** The small pieces that ride with the PREPARE to this server. */
  inlineFor(slot: number): InlinePiece[];
  /** Has every piece its copies among these holders? Worth waiting for a moment. */
  isWhole(held: ReadonlyMap<number, readonly number[]>): boolean;
  /** Are there copies enough for the version to be accepted? */
  isCovered(held: ReadonlyMap<number, readonly number[]>): boolean;
  /** Sends what lacks copies to further servers; false when there are none. */
  cover(held: ReadonlyMap<number, readonly number[]>): Promise<boolean>;
}

/** What PREPARE brought. */
export interface Promises {
  readonly granted: Replies<"prepare">;
  readonly answered: number;
}

/** Numbers the rounds of one operation, each above all that it has seen. */
export class Ballots {
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

/**
 * PREPARE to all, for as many promises as are wanted. `supply` has what rides with it, and says when the promises cover the
 * pieces.
 */
export async function prepare(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  ballot: Ballot,
  vid: Vid,
  wanted: number,
  supply: Supply | null,
): Promise<Promises> {
  const { quorum } = cluster;
  const grantedOf = (so: Replies<"prepare">) => new Map([...so].filter(([, reply]) => reply.ok));
  const replies = await cluster.ask(
    "prepare",
    (slot) => ({ name, ballot, vid, inline: supply?.inlineFor(slot) ?? [] }),
    (so) => {
      const granted = grantedOf(so);
      if (so.size - granted.size > quorum.servers - wanted) return 0;
      if (granted.size < wanted) return null;
      return !supply || supply.isWhole(heldIn(granted)) ? 0 : STRAGGLER_MS;
    },
  );
  for (const { floor, register } of replies.values())
    ballots.saw(floor, register.prom, register.acc?.ballot ?? 0n, register.com?.ballot ?? 0n);
  return { granted: grantedOf(replies), answered: replies.size };
}

/** What each server that promised holds of the version that is proposed. */
export const heldIn = (granted: Replies<"prepare">): Map<number, number[]> =>
  new Map([...granted].map(([slot, reply]) => [slot, reply.held]));

/** ACCEPT to all, and COMMIT where it was chosen; "refused" says that somebody else's ballot was higher. */
export async function acceptAndCommit(
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

/** Longer with each try and never the same time as others, so that of many writers one gets through. */
export function backOffMs(cluster: Cluster, tries: number): number {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** tries);
  return 1 + cluster.ports.random.fraction() * most;
}
