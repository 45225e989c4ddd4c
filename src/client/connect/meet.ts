/**
 * Client and servers tell each other which lives of servers they know, before anything is asked of one: so whoever was put back to an
 * earlier state is noticed by each operation that meets somebody who knows. Only operators tell servers; others compare.
 */
import { decode, encode } from "../../bytes.ts";
import { isDfsError } from "../../errors.ts";
import { type Life, lifeCodec } from "../../life.ts";
import type { Connections } from "./connections.ts";
import { type Claim, claimsOn, isKnownByEnough, newsFor, type Standing } from "../trust/lives.ts";
import type { Config } from "../../membership.ts";
import type { ClusterMemory } from "../trust/memory.ts";
import type { Peer } from "./peer.ts";
import type { View } from "./view.ts";

/** The servers that decide, by id: of two groups while that changes; and how many of each choose a value. */
interface DecidingGroup {
  readonly sids: readonly string[];
  readonly accept: number;
}

const decidingIn = ({ config, quorum }: View): DecidingGroup[] =>
  quorum.map(({ slots, accept }) => ({
    accept,
    sids: slots.flatMap((slot) => config.seats[slot]?.sid ?? []),
  }));

/** More than it takes where everybody is told once. */
const ROUNDS_MAX = 5;

/**
 * Meets the servers that decide, those that are connected. Afterwards those that were put back, or run on a copy that not enough others know of, are
 * out: `connections` does not count them any more.
 */
export async function meetServers(
  connections: Connections,
  cluster: string,
  view: View,
): Promise<void> {
  const { memory } = connections;
  const groups = decidingIn(view);
  const sids = [...new Set(groups.flatMap((group) => group.sids))];
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const peers = sids.flatMap((sid) => toMeet(connections, sid));
    const orders = ordersFor(connections, peers, groups);
    const said = await Promise.all(
      peers.map((peer, i) => carryOut(connections, cluster, view.config, peer, orders[i] ?? null)),
    );
    if (!said.includes(true)) break;
  }
  for (const sid of sids) {
    const standing = toMeet(connections, sid)[0]?.standing;
    if (!standing) continue;
    connections.judge(
      sid,
      /* rule: copies-settle-first */ standing.isUnsettled ? { is: "copy" } : null,
    );
    if (!standing.isUnsettled) remember(memory, standing);
  }
}

/** The server with this id, if it answers and was not put back. */
function toMeet(connections: Connections, sid: string): Peer[] {
  const peer = connections.whyOut(sid)?.is === "putBack" ? null : connections.connectedTo(sid);
  return peer ? [peer] : [];
}

/** What is to be said to one server now. */
interface Order {
  readonly claims: readonly Claim[];
  readonly news: ReturnType<typeof newsFor>;
  readonly isSettled: boolean;
}

/** First each is asked for what others say of it; what it lives is told to others only after that. null: there is nothing to say. */
function ordersFor(
  { memory, isOperator }: Connections,
  peers: readonly Peer[],
  groups: readonly DecidingGroup[],
): (Order | null)[] {
  const all = peers.flatMap(({ standing }) => standing ?? []);
  const claimsOf = new Map(all.map((one) => [one, claimsOn(one, all, recall(memory, one.sid))]));
  const clear = all.filter((one) => claimsOf.get(one)?.length === 0);
  return peers.map(({ standing }) => {
    if (!standing) return null;
    // rule: lives-are-compared
    const claims = claimsOf.get(standing) ?? [];
    // rule: lives-are-told
    const news = isOperator ? newsFor(standing, clear) : [];
    const isSettled =
      isOperator &&
      standing.isUnsettled &&
      claims.length === 0 &&
      isKnownByEnough(standing, all, groups);
    return claims.length + news.length > 0 || isSettled ? { claims, news, isSettled } : null;
  });
}

/** Says it, and takes the answer; true where the server answered. */
async function carryOut(
  connections: Connections,
  cluster: string,
  config: Config,
  peer: Peer,
  order: Order | null,
): Promise<boolean> {
  if (!order) return false;
  const { claims, news, isSettled } = order;
  try {
    // rule: members-before-lives. It keeps the lives of those only who are members as far as it knows; and while it does not count nobody else tells it more.
    if (news.length > 0 && peer.epoch < config.epoch) await peer.install(cluster, config, 0n);
    const areYours = claims.map(({ life, mark }) => ({ life, mark }));
    const { areYours: said } = await peer.meet(cluster, { areYours, tell: news, isSettled });
    const denied = claims.find((_, i) => !said[i]);
    if (denied) connections.judge(peer.sid, { is: "putBack", claim: denied });
    return true;
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return false;
  }
}

const keyOf = (sid: string): string => `life ${sid}`;

/** The life of a server that this computer has met last; null: none. */
function recall(memory: ClusterMemory | undefined, sid: string): Life | null {
  const known = memory?.factOf(keyOf(sid));
  return known ? decode(lifeCodec, known) : null;
}

function remember(memory: ClusterMemory | undefined, { sid, now }: Standing): void {
  if (memory && recall(memory, sid)?.mark !== now.mark)
    memory.noteFact(keyOf(sid), encode(lifeCodec, now));
}

/** Says of each server that answers and does not count, why, and what to do. */
export function warnOfOuts(cluster: {
  readonly view: View;
  readonly connections: Connections;
  readonly warn: (line: string) => void;
  labelOf(slot: number): string;
}): void {
  const { seats } = cluster.view.config;
  for (const [slot, { sid }] of seats.entries()) {
    const why = sid === null ? null : cluster.connections.whyOut(sid);
    if (!why) continue;
    const name = cluster.labelOf(slot);
    if (why.is === "copy")
      cluster.warn(
        `${name} runs on a copy of its folder, and counts once enough of the other servers know that: ${cluster.connections.isOperator ? "start them too, and run this again" : "an operator's command, as dfs-tool status, tells them"}`,
      );
    else {
      const { life, by } = why.claim;
      const other = seats.findIndex((seat) => seat.sid === by);
      const who = by === null ? "this computer" : cluster.labelOf(other);
      cluster.warn(
        `${name} was put back to an earlier state (its life ${life} is another one than ${who} knows): it does not count. Bring its folder back as the server left it, or replace it, as by dfs-tool server replace ${name}`,
      );
    }
  }
}
