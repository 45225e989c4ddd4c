/**
 * Exchanges lives of servers between the client and the servers, before a server is asked anything.
 * So a server that was put back to an earlier state is noticed by every operation that meets
 * somebody who knows its later life. Only an operator's client tells servers of lives; other
 * clients compare. Used by cluster.
 */
import { decode, encode } from "../../bytes.ts";
import { isDfsError } from "../../errors.ts";
import { type Life, lifeCodec } from "../../life.ts";
import type { Connections } from "./connections.ts";
import {
  type LifeClaim,
  claimsOn,
  isKnownByEnough,
  newsFor,
  type Standing,
} from "../trust/lives.ts";
import type { Config } from "../../membership.ts";
import type { ClusterMemory } from "../trust/memory.ts";
import type { Peer } from "./peer.ts";
import type { View } from "./view.ts";

/**
 * The ids of the servers that decide, and how many of them choose a value. There are two groups
 * while members change.
 */
interface DecidingGroup {
  readonly sids: readonly string[];
  readonly accept: number;
}

const decidingIn = ({ config, quorum }: View): DecidingGroup[] =>
  quorum.map(({ slots, accept }) => ({
    accept,
    sids: slots.flatMap((slot) => config.seats[slot]?.sid ?? []),
  }));

/** More rounds than are needed where each server is told once. */
const ROUNDS_MAX = 5;

/**
 * Meets those servers that decide and are connected. Afterwards `connections` does not count
 * servers that were put back, or that run on a copy of their folder of which too few others know.
 */
export async function meetServers(
  connections: Connections,
  cluster: string,
  view: View,
): Promise<void> {
  const groups = decidingIn(view);
  const sids = [...new Set(groups.flatMap((group) => group.sids))];
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const peers = sids.flatMap((sid) => peersToMeet(connections, sid));
    const requests = meetRequestsFor(connections, peers, groups);
    const answered = await Promise.all(
      peers.map((peer, i) =>
        sendMeet(connections, cluster, view.config, peer, requests[i] ?? null),
      ),
    );
    if (!answered.includes(true)) break;
  }
  for (const sid of sids) {
    const standing = peersToMeet(connections, sid)[0]?.standing;
    if (!standing) continue;
    connections.setExclusion(
      sid,
      /* rule: copies-settle-first */ standing.isUnsettled ? { is: "copy" } : null,
    );
    if (!standing.isUnsettled) remember(connections, standing);
  }
}

/** The server with this id, as a list of one, if it answers and was not put back. */
function peersToMeet(connections: Connections, sid: string): Peer[] {
  const peer = connections.exclusionOf(sid)?.is === "putBack" ? null : connections.connectedTo(sid);
  return peer ? [peer] : [];
}

/** What one server is to be told and asked now. */
interface MeetRequest {
  readonly claims: readonly LifeClaim[];
  readonly news: ReturnType<typeof newsFor>;
  readonly isSettled: boolean;
}

/**
 * First each server is asked about the lives that others say it had. Only when it has answered are
 * others told of its present life. null: there is nothing to say to this server.
 */
function meetRequestsFor(
  connections: Connections,
  peers: readonly Peer[],
  groups: readonly DecidingGroup[],
): (MeetRequest | null)[] {
  const { isOperator } = connections;
  const all = peers.flatMap(({ standing }) => standing ?? []);
  const claimsOf = new Map(
    all.map((standing) => [standing, claimsOn(standing, all, recall(connections, standing.sid))]),
  );
  const clear = all.filter((standing) => claimsOf.get(standing)?.length === 0);
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

/** Sends the request, and takes the answer. Returns true where the server answered. */
async function sendMeet(
  connections: Connections,
  cluster: string,
  config: Config,
  peer: Peer,
  request: MeetRequest | null,
): Promise<boolean> {
  if (!request) return false;
  const { claims, news, isSettled } = request;
  try {
    // A server keeps only the lives of those that are members as far as it knows. While it does not
    // count, nobody else tells it of newer members.
    // rule: members-before-lives
    if (news.length > 0 && peer.epoch < config.epoch) await peer.install(cluster, config, 0n);
    const areYours = claims.map(({ life, mark }) => ({ life, mark }));
    const { areYours: confirmed } = await peer.meet(cluster, { areYours, tell: news, isSettled });
    const denied = claims.find((_, i) => !confirmed[i]);
    if (denied) connections.setExclusion(peer.sid, { is: "putBack", claim: denied });
    return true;
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return false;
  }
}

const keyOf = (sid: string): string => `life ${sid}`;

/** The lives of a server that this client, and this computer, have met last. */
const recall = ({ memory, livesMet }: Connections, sid: string): Life[] => [
  ...(livesMet.get(sid) ?? []),
  ...recallFrom(memory, sid),
];

function recallFrom(memory: ClusterMemory | undefined, sid: string): Life[] {
  const known = memory?.factOf(keyOf(sid));
  return known ? [decode(lifeCodec, known)] : [];
}

function remember({ memory, livesMet }: Connections, { sid, now }: Standing): void {
  livesMet.set(sid, [now]);
  if (memory && recallFrom(memory, sid)[0]?.mark !== now.mark)
    memory.noteFact(keyOf(sid), encode(lifeCodec, now));
}

/** Warns of each server that answers and does not count: why, and what to do. */
export function warnOfExcluded(cluster: {
  readonly view: View;
  readonly connections: Connections;
  readonly warn: (line: string) => void;
  labelOf(slot: number): string;
}): void {
  const { seats } = cluster.view.config;
  for (const [slot, { sid }] of seats.entries()) {
    const why = sid === null ? null : cluster.connections.exclusionOf(sid);
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
