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
import { believed, believedInEnd } from "./believe.ts";
import type { Cluster, Replies, Round } from "./cluster.ts";
import type { View } from "./view.ts";
import { canAccept, type Quorum } from "./decide.ts";

/** Resolves after `ms`. */
export const pause = (cluster: Cluster, ms: number): Promise<void> =>
  new Promise((resolve) => void cluster.ports.clock.after(ms, resolve));

/** The registers in these replies. */
export const registersOf = (replies: Replies<"read"> | Replies<"prepare">): Map<number, Register> =>
  new Map([...replies].map(([slot, { register }]) => [slot, register]));

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
  /** Why there are none. */
  shortage(held: ReadonlyMap<number, readonly number[]>): Promise<string>;
}

/** Whether these servers are enough. */
export type Enough = (quorum: Quorum, slots: Iterable<number>) => boolean;

/** What PREPARE brought. Only at the epoch of `view` may a value be accepted by it. */
export interface Promises {
  readonly granted: Replies<"prepare">;
  readonly view: View;
  /** All that answered. */
  readonly answered: readonly number[];
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
 * PREPARE to all, until there are promises enough. `supply` has what rides with it, and says when the promises cover the
 * pieces.
 */
export async function prepare(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  ballot: Ballot,
  vid: Vid,
  enough: Enough,
  supply: Supply | null,
): Promise<Promises> {
  const grantedOf = (so: Replies<"prepare">) => new Map([...so].filter(([, reply]) => reply.ok));
  const { replies, view } = await cluster.ask(
    "prepare",
    (slot) => ({ name, ballot, vid, inline: supply?.inlineFor(slot) ?? [] }),
    (so, { quorum, members }) => {
      const granted = grantedOf(believed(cluster, name, quorum, so));
      const left = members.filter((slot) => !so.has(slot) || granted.has(slot));
      if (!enough(quorum, left)) return 0;
      if (!enough(quorum, granted.keys())) return null;
      return !supply || supply.isWhole(heldIn(granted)) ? 0 : STRAGGLER_MS;
    },
  );
  const heard = believedInEnd(cluster, name, view.quorum, replies);
  for (const { floor, register } of heard.values())
    ballots.saw(floor, register.prom, register.acc?.ballot ?? 0n, register.com?.ballot ?? 0n);
  return { granted: grantedOf(heard), view, answered: [...heard.keys()] };
}

/** What each server that promised holds of the version that is proposed. */
export const heldIn = (granted: Replies<"prepare">): Map<number, number[]> =>
  new Map([...granted].map(([slot, reply]) => [slot, reply.held]));

/**
 * ACCEPT to all, and COMMIT where it was chosen; "refused" says that somebody else's ballot was higher, or that the promises of
 * `epoch` are worth nothing any more.
 */
export async function acceptAndCommit(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  ballot: Ballot,
  version: Version,
  epoch: number,
): Promise<"chosen" | "refused" | "tooFew"> {
  const yes = (so: Replies<"accept">): number[] =>
    [...so].flatMap(([slot, reply]) => (reply.ok ? [slot] : []));
  const { replies, view } = await cluster.ask(
    "accept",
    () => ({ name, ballot, version }),
    (so, { quorum, members }) => {
      const left = members.filter((slot) => so.get(slot)?.ok !== false);
      return canAccept(quorum, yes(so)) || !canAccept(quorum, left) ? 0 : null;
    },
    epoch,
  );
  for (const { prom } of replies.values()) ballots.saw(prom);
  if (view.config.epoch !== epoch) return "refused";
  if (canAccept(view.quorum, yes(replies))) {
    await sendCommit(cluster, name, { ballot, version }, false, epoch);
    return "chosen";
  }
  return yes(replies).length < replies.size ? "refused" : "tooFew";
}

/**
 * COMMIT to all, and who acknowledged it. That it arrives everywhere is a matter of speed, not of safety;
 * with `sync` a server acknowledges it only once it is durable, and all are waited for. It goes out at the epoch at which it was
 * known to be current, or not at all: who came later may not know that the name was forgotten since.
 */
export async function sendCommit(
  cluster: Cluster,
  name: string,
  accepted: Accepted,
  sync: boolean,
  epoch: number,
): Promise<Round<"commit">> {
  return cluster.ask(
    "commit",
    () => ({ name, accepted, sync }),
    (so, { quorum }) => (!sync && canAccept(quorum, so.keys()) ? STRAGGLER_MS : null),
    epoch,
  );
}

/** Longer with each try and never the same time as others, so that of many writers one gets through. */
export function backOffMs(cluster: Cluster, tries: number): number {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** tries);
  return 1 + cluster.ports.random.fraction() * most;
}
