/**
 * Servers that dfc.conf or the cluster led to, and that do not count: which seat each belongs to,
 * and what to do about it. Used by join, members, status and `dfs-tool server`.
 */
import { slotOf, vacantIn, writtenAddress } from "../../membership.ts";
import type { Cluster } from "../connect/cluster.ts";
import { addressText, type Greeted } from "../connect/greeter.ts";
import { canAccept, type Group, groupOf } from "../../quorum.ts";
import type { Peer } from "../connect/peer.ts";

/** A server that answers and does not count. */
export interface Stranger extends Greeted {
  /**
   * "late": it is empty, and a seat is kept for it. "lost": the server of its seat is silent, and
   * this one, at the same address or with the same name, is another server. "former": it was a
   * member once. "unknown": it has no seat.
   */
  readonly is: "late" | "lost" | "former" | "unknown";
  /** That seat; -1 where it is unknown. */
  readonly slot: number;
}

/** All of them, in the order in which they were met. */
export function strangersIn(cluster: Cluster): Stranger[] {
  const { config, members } = cluster.view;
  const met = cluster.connections.greeted.filter(
    ({ greeting }) => !members.includes(slotOf(config, greeting.sid)),
  );
  // An address counts before a name: clients may call servers what they like.
  const byAddress = new Map(
    met.map((server) => [server, seatAt(cluster, server, isAtAddress)] as const),
  );
  const taken = new Set(byAddress.values());
  return met.map((server) => {
    const former = slotOf(config, server.greeting.sid);
    if (former >= 0) return { ...server, is: "former", slot: former };
    const named = seatAt(cluster, server, isNamed);
    const slot = byAddress.get(server) ?? (named !== null && !taken.has(named) ? named : null);
    if (slot === null) return { ...server, is: "unknown", slot: -1 };
    taken.add(slot);
    const isVacant = config.seats[slot]?.sid === null;
    if (isVacant && server.greeting.config !== null) return { ...server, is: "unknown", slot: -1 };
    return { ...server, is: isVacant ? "late" : "lost", slot };
  });
}

type Fits = (cluster: Cluster, slot: number, server: Greeted) => boolean;

const isAtAddress: Fits = (cluster, slot, { peer }) => {
  const seat = cluster.view.config.seats[slot];
  return seat !== undefined && addressText(seat) === addressText(peer.address);
};

const isNamed: Fits = (cluster, slot, { peer: { address } }) =>
  [cluster.labelOf(slot), cluster.view.config.seats[slot]?.name].includes(address.name);

/**
 * The seat that a server fits, among those that have no server or whose server is silent; null
 * where there is none.
 */
function seatAt(cluster: Cluster, server: Greeted, fits: Fits): number | null {
  const { config } = cluster.view;
  const open = cluster.silent.filter((slot) => config.seats[slot]?.sid !== null);
  // rule: open-seats-first
  return [...open, ...vacantIn(config)].find((slot) => fits(cluster, slot, server)) ?? null;
}

/**
 * A line about seats that no server was ever seen for, where no stranger fits them either; null
 * where there is nothing to tell.
 */
export function absenceWarning(cluster: Cluster): string | null {
  const { config } = cluster.view;
  const strangers = strangersIn(cluster).filter(({ peer }) => !peer.isDown);
  const absent = vacantIn(config).filter((slot) =>
    strangers.every((stranger) => stranger.slot !== slot),
  );
  if (absent.length === 0) return null;
  const names = absent.map((slot) => cluster.labelOf(slot)).join(", ");
  const [were, they] = absent.length > 1 ? ["were", "they have"] : ["was", "it has"];
  // In a cluster of an older release, a seat without a server counts as a server that is down.
  const what = absent.some((slot) => config.voters.includes(slot))
    ? `dfs-tool server remove ${cluster.labelOf(absent[0] ?? 0)} ends that it counts as down`
    : `the guarantees are those of a cluster of ${config.voters.length}`;
  return `${names} ${were} never seen: until ${they} joined, ${what}`;
}

/** A line for each server that does not count, and one for seats without a server. */
export const seatWarnings = (cluster: Cluster): string[] => [
  ...strangersIn(cluster)
    .filter(({ peer }) => !peer.isDown)
    .map((stranger) => strangerWarning(cluster, stranger)),
  ...[absenceWarning(cluster)].filter((line) => line !== null),
];

/** What to tell people of a stranger, in a line. */
export function strangerWarning(cluster: Cluster, { is, slot, peer, greeting }: Stranger): string {
  const { name } = peer.address;
  const label = `${name} (${writtenAddress(peer.address)})`;
  switch (is) {
    case "late":
      return `${label} is there, but joins only ${whyNotYet(cluster, slot, peer)}`;
    case "lost":
      return `${label} ${lossOf(cluster, slot, greeting.was)}`;
    case "former":
      return `${label} is no member of the cluster any more: take it out of dfc.conf`;
    case "unknown":
      return `${label} is no member of the cluster: it does not count until dfs-tool server add ${name}${insteadOf(cluster)}`;
  }
}

/**
 * What became of a member in whose place another server answers. `was` is the id that the other
 * server's folder had before.
 */
function lossOf(cluster: Cluster, slot: number, was: string | null): string {
  const isTorn = was !== null && cluster.view.config.seats[slot]?.sid === was;
  const why = isTorn
    ? "runs on a copy of its folder that was made before it was stopped in order, and does not count: start it on the original, if that is still there"
    : "has lost its data (its folder is new, or another one's), and does not count: if the disk of its folder is only not there, bring that back";
  const isNeeded = !canDoWithout(cluster, slot);
  return isNeeded
    ? `${why}; the other servers that answer are too few to do without it`
    : `${why}; else it is replaced, as by dfs-tool server replace ${cluster.labelOf(slot)}`;
}

/**
 * Are the other servers that answer enough to change anything? Only then may people be told to give
 * up what this one has.
 */
const canDoWithout = (cluster: Cluster, slot: number): boolean =>
  canAccept(
    cluster.view.quorum,
    cluster.live.filter((one) => one !== slot),
  );

/** How the server in a slot, or one without a slot (-1), makes way for an empty one. */
export const makingWay = (cluster: Cluster, slot: number): string =>
  canDoWithout(cluster, slot)
    ? "stop it, move its folder away (and keep it), and start it with an empty one"
    : "the other servers that answer are too few to do without what it has: have them run first";

/** A hint, because an awaited server may have come at another address and under another name. */
function insteadOf(cluster: Cluster): string {
  const [slot] = vacantIn(cluster.view.config);
  if (slot === undefined) return "";
  const awaited = cluster.labelOf(slot);
  return `; or if it is the ${awaited} that was never seen, dfs-tool server replace ${awaited} with its address`;
}

/** Does it let everybody in, where the others know users? */
export const letsEverybodyIn = (cluster: Cluster, peer: Peer): boolean =>
  cluster.connections.isLoggedIn && !peer.loggedIn;

/** What keeps a server that answers from joining. */
function whyNotYet(cluster: Cluster, slot: number, peer: Peer): string {
  const { config } = cluster.view;
  if (letsEverybodyIn(cluster, peer))
    return "with the file of users that the others have: start it with that";
  if (config.next)
    return "once the change of the servers that has begun is finished: dfs-tool repair goes on with it";
  const short = shortFor(cluster, [slot]);
  if (short) {
    const names = short.slots.map((one) => cluster.labelOf(one)).join(", ");
    return `once ${short.accept} of ${names} answer`;
  }
  return cluster.connections.isOperator
    ? "with dfs-tool repair"
    : "once an operator of the cluster uses it";
}

/**
 * The group of which too few servers answer: the voters before, or those after these slots have
 * joined. null: enough answer in both.
 */
export function shortFor(cluster: Cluster, joining: readonly number[]): Group | null {
  const { voters } = cluster.view.config;
  const answering = voters.filter((slot) => cluster.peer(slot));
  const [before, after] = [groupOf(voters), groupOf([...new Set([...voters, ...joining])])];
  if (!canAccept([before], answering)) return before;
  return canAccept([after], [...answering, ...joining]) ? null : after;
}
