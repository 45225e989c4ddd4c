/**
 * The rounds of one register: PREPARE, ACCEPT and COMMIT to all servers, and when enough have
 * answered (docs/consistency.md section 2). Used by register, propose, forget and repair.
 */
import type { StoredName } from "../../file/names.ts";
import { STRAGGLER_MS } from "../../limits.ts";
import type { Accepted, Ballot, Cid, Register, Vid } from "../../version.ts";
import type { InlinePiece } from "../../wire/values.ts";
import { Ballots, claimOf } from "./ballots.ts";
import { believed, believedInEnd } from "./believe.ts";
import { climb, type PositionReply, tooHighFor } from "./climb.ts";
import type { Cluster, Replies, Round } from "../connect/cluster.ts";
import type { View } from "../connect/view.ts";
import { canAccept, type Quorum } from "../../quorum.ts";

/** The registers in these replies. */
export const registersOf = (replies: Replies<"read"> | Replies<"prepare">): Map<number, Register> =>
  new Map([...replies].map(([slot, { register }]) => [slot, register]));

/** The pieces of a version, as a proposer needs them. The room send implements it. */
export interface Supply {
  /** The content that they are of. Each server that promises links what it has of it. */
  readonly cid: Cid;
  /** The small pieces that go along with the PREPARE to this server. */
  inlineFor(slot: number): InlinePiece[];
  /** Do these holders have every copy of every piece? It is worth a short wait. */
  isWhole(held: ReadonlyMap<number, readonly number[]>): boolean;
  /** Do they have enough copies for the version to be accepted? */
  isCovered(held: ReadonlyMap<number, readonly number[]>): boolean;
  /** Sends pieces that lack copies to further servers. Returns false when no server is left. */
  cover(held: ReadonlyMap<number, readonly number[]>): Promise<boolean>;
  /** Says why no server is left. */
  shortage(held: ReadonlyMap<number, readonly number[]>): Promise<string>;
}

/** Are these servers enough? */
export type Enough = (quorum: Quorum, slots: Iterable<number>) => boolean;

/** What PREPARE brought. A value may be accepted on these promises only at the epoch of `view`. */
export interface Promises {
  readonly granted: Replies<"prepare">;
  readonly view: View;
  /** All servers that answered. */
  readonly answered: readonly number[];
}

/** The ballots of one operation, all above `above` if that is given. */
export const ballotsOf = (cluster: Cluster, above?: Ballot): Ballots =>
  new Ballots(() => cluster.ports.random.bytes(8), above);

/** What a PREPARE asks for. */
export interface PrepareRequest {
  readonly ballot: Ballot;
  readonly vid: Vid;
  readonly enough: Enough;
  /** The pieces that go along with it. It also says when the promises cover the pieces. */
  readonly supply: Supply | null;
  /** Until then, servers that find the ballot too high are brought up to it. */
  readonly until: number;
}

/**
 * Sends PREPARE to all servers, until there are enough promises. If there are not, it brings up
 * servers that are behind, and asks again.
 */
export async function prepare(
  cluster: Cluster,
  name: StoredName,
  ballots: Ballots,
  request: PrepareRequest,
): Promise<Promises> {
  for (;;) {
    const { high, ...promises } = await prepareOnce(cluster, name, ballots, request);
    if (request.enough(promises.view.quorum, promises.granted.keys())) return promises;
    const isInReach = ballots.mayClimbTo(request.ballot);
    const isWorth = isInReach && cluster.ports.clock.now() < request.until;
    if (isWorth && (await climb(cluster, name, request.ballot, high))) continue;
    if (isInReach) ballots.fellShort();
    return promises;
  }
}

async function prepareOnce(
  cluster: Cluster,
  name: StoredName,
  ballots: Ballots,
  { ballot, vid, enough, supply }: PrepareRequest,
): Promise<Promises & { high: Map<number, PositionReply> }> {
  const grantedOf = (replies: Replies<"prepare">) =>
    new Map([...replies].filter(([, reply]) => reply.ok));
  const claimsBySlot = (replies: Replies<"prepare">) =>
    [...replies].map(([slot, { register }]) => [slot, claimOf(register)] as const);
  const { replies, view } = await cluster.ask(
    "prepare",
    (slot) => ({
      name,
      ballot,
      vid,
      link: supply?.cid ?? null,
      inline: supply?.inlineFor(slot) ?? [],
    }),
    (soFar, { quorum, members }) => {
      const trusted = believed(cluster, name, quorum, soFar);
      const left = members.filter((slot) => !soFar.has(slot) || trusted.get(slot)?.ok);
      if (!enough(quorum, left)) return ballots.isAhead(claimsBySlot(soFar)) ? STRAGGLER_MS : 0;
      const granted = left.filter((slot) => soFar.has(slot));
      if (!enough(quorum, granted)) return null;
      return !supply || supply.isWhole(heldIn(grantedOf(trusted))) ? 0 : STRAGGLER_MS;
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

/** The pieces of the proposed content that each promising server holds for the name. */
export const heldIn = (granted: Replies<"prepare">): Map<number, number[]> =>
  new Map([...granted].map(([slot, reply]) => [slot, reply.held]));

/**
 * What an ACCEPT asks for: a value at its ballot and epoch. `until`: as long as servers are brought
 * up to the ballot.
 */
export interface AcceptRequest extends Accepted {
  readonly epoch: number;
  readonly until: number;
}

/**
 * Sends ACCEPT to all servers, and COMMIT once the value is chosen. "refused": somebody else's
 * ballot was higher, or the epoch is over and its promises are worth nothing.
 */
export async function acceptAndCommit(
  cluster: Cluster,
  name: StoredName,
  ballots: Ballots,
  { ballot, version, epoch, until }: AcceptRequest,
): Promise<"chosen" | "refused" | "tooFew"> {
  for (;;) {
    const { replies, view } = await cluster.ask(
      "accept",
      () => ({ name, ballot, version }),
      (soFar, { quorum, members }) => {
        const left = members.filter((slot) => soFar.get(slot)?.ok !== false);
        return canAccept(quorum, takersIn(soFar)) || !canAccept(quorum, left) ? 0 : null;
      },
      epoch,
    );
    for (const [slot, { prom }] of replies) ballots.saw(slot, prom);
    if (view.config.epoch !== epoch) return "refused";
    if (canAccept(view.quorum, takersIn(replies))) {
      await sendCommit(cluster, name, { ballot, version }, false, epoch);
      return "chosen";
    }
    // Choosing a value takes more servers than promising. Some servers may not have been brought up
    // with the others.
    const isWorth = ballots.mayClimbTo(ballot) && cluster.ports.clock.now() < until;
    if (isWorth && (await climb(cluster, name, ballot, tooHighFor(replies)))) continue;
    if (takersIn(replies).length === replies.size) return "tooFew";
    // The server that is missing may be one that is far ahead.
    ballots.fellShort();
    return "refused";
  }
}

const takersIn = (replies: Replies<"accept">): number[] =>
  [...replies].flatMap(([slot, { ok }]) => (ok ? [slot] : []));

/**
 * Sends COMMIT to all servers, and returns their acknowledgements. It is a matter of speed, not of
 * safety, that it arrives everywhere.
 *
 * With `sync`, a server acknowledges it only once it is durable, and all servers are waited for. It
 * is sent at the epoch at which the value was known to be current, or not at all: a server that
 * came later may not know that the name was forgotten since.
 */
export async function sendCommit(
  cluster: Cluster,
  name: StoredName,
  accepted: Accepted,
  sync: boolean,
  epoch: number,
): Promise<Round<"commit">> {
  return cluster.ask(
    "commit",
    () => ({ name, accepted, sync }),
    (soFar, { quorum }) => (!sync && canAccept(quorum, soFar.keys()) ? STRAGGLER_MS : null),
    epoch,
  );
}
