/** The rounds of one register: PREPARE, ACCEPT, COMMIT to all servers, and when enough have answered (docs/consistency.md section 2). */
import { STRAGGLER_MS } from "../limits.ts";
import type { Accepted, Ballot, Register, Vid } from "../version.ts";
import type { InlinePiece } from "../wire/values.ts";
import { Ballots, claimOf } from "./ballots.ts";
import { believed, believedInEnd } from "./believe.ts";
import { climb, type Refused, tooHighFor } from "./climb.ts";
import type { Cluster, Replies, Round } from "./cluster.ts";
import type { View } from "./view.ts";
import { canAccept, type Quorum } from "./decide.ts";

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

/** Which ballots an operation tries; `above`: above this one in any case. */
export const ballotsOf = (cluster: Cluster, above?: Ballot): Ballots =>
  new Ballots(() => cluster.ports.random.bytes(8), above);

/** What PREPARE is about. */
export interface Wanted {
  readonly ballot: Ballot;
  readonly vid: Vid;
  readonly enough: Enough;
  /** What rides with it, and says when the promises cover the pieces. */
  readonly supply: Supply | null;
  /** Until when servers that find the ballot too high are brought up to it. */
  readonly until: number;
}

/** PREPARE to all, until there are promises enough; where there are not, servers that are behind are brought up, and asked again. */
export async function prepare(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  wanted: Wanted,
): Promise<Promises> {
  for (;;) {
    const { high, ...promises } = await prepareOnce(cluster, name, ballots, wanted);
    if (wanted.enough(promises.view.quorum, promises.granted.keys())) return promises;
    const isInReach = ballots.mayClimbTo(wanted.ballot);
    const isWorth = isInReach && cluster.ports.clock.now() < wanted.until;
    if (isWorth && (await climb(cluster, name, wanted.ballot, high))) continue;
    if (isInReach) ballots.fellShort();
    return promises;
  }
}

async function prepareOnce(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  { ballot, vid, enough, supply }: Wanted,
): Promise<Promises & { high: Map<number, Refused> }> {
  const grantedOf = (so: Replies<"prepare">) => new Map([...so].filter(([, reply]) => reply.ok));
  const claimsBySlot = (so: Replies<"prepare">) =>
    [...so].map(([slot, { register }]) => [slot, claimOf(register)] as const);
  const { replies, view } = await cluster.ask(
    "prepare",
    (slot) => ({ name, ballot, vid, inline: supply?.inlineFor(slot) ?? [] }),
    (so, { quorum, members }) => {
      const told = believed(cluster, name, quorum, so);
      const left = members.filter((slot) => !so.has(slot) || told.get(slot)?.ok);
      if (!enough(quorum, left)) return ballots.isAhead(claimsBySlot(so)) ? STRAGGLER_MS : 0;
      const granted = left.filter((slot) => so.has(slot));
      if (!enough(quorum, granted)) return null;
      return !supply || supply.isWhole(heldIn(grantedOf(told))) ? 0 : STRAGGLER_MS;
    },
  );
  const heard = await believedInEnd(cluster, name, view.quorum, replies);
  for (const [slot, claim] of claimsBySlot(heard)) ballots.saw(slot, claim);
  const refusing = [...heard].map(
    ([
      slot,
      {
        refused,
        floor,
        register: { prom },
      },
    ]) => [slot, { refused, floor, prom }] as const,
  );
  const high = tooHighFor(new Map(refusing));
  return { granted: grantedOf(heard), view, answered: [...heard.keys()], high };
}

/** What each server that promised holds of the version that is proposed. */
export const heldIn = (granted: Replies<"prepare">): Map<number, number[]> =>
  new Map([...granted].map(([slot, reply]) => [slot, reply.held]));

/** A value at its ballot, proposed at an epoch until a point in time. */
export interface Attempting extends Accepted {
  readonly epoch: number;
  readonly until: number;
}

/**
 * ACCEPT to all, and COMMIT where it was chosen; "refused" says that somebody else's ballot was higher, or that the promises of
 * the epoch are worth nothing any more.
 */
export async function acceptAndCommit(
  cluster: Cluster,
  name: string,
  ballots: Ballots,
  { ballot, version, epoch, until }: Attempting,
): Promise<"chosen" | "refused" | "tooFew"> {
  for (;;) {
    const { replies, view } = await cluster.ask(
      "accept",
      () => ({ name, ballot, version }),
      (so, { quorum, members }) => {
        const left = members.filter((slot) => so.get(slot)?.ok !== false);
        return canAccept(quorum, takersIn(so)) || !canAccept(quorum, left) ? 0 : null;
      },
      epoch,
    );
    for (const [slot, { prom }] of replies) ballots.saw(slot, prom);
    if (view.config.epoch !== epoch) return "refused";
    if (canAccept(view.quorum, takersIn(replies))) {
      await sendCommit(cluster, name, { ballot, version }, false, epoch);
      return "chosen";
    }
    // It takes more servers to accept a value than to promise: some may not have come up with the others.
    const isWorth = ballots.mayClimbTo(ballot) && cluster.ports.clock.now() < until;
    if (isWorth && (await climb(cluster, name, ballot, tooHighFor(replies)))) continue;
    if (takersIn(replies).length === replies.size) return "tooFew";
    // One that is far ahead can be the one that is needed.
    ballots.fellShort();
    return "refused";
  }
}

const takersIn = (replies: Replies<"accept">): number[] =>
  [...replies].flatMap(([slot, { ok }]) => (ok ? [slot] : []));

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
