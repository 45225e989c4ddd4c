/** The servers of a cluster, as people need to know them. Used by operate.ts, and by the command server. */
import type { Cluster } from "../client/connect/cluster.ts";
import { strangersIn } from "../client/members/seats.ts";
import { ID_DIGITS } from "../client/members/server_names.ts";
import { writtenAddress } from "../membership.ts";

export interface Member {
  readonly name: string;
  /** HOST:PORT. */
  readonly address: string;
  /** The beginning of its id; null for a server that was never seen. */
  readonly id: string | null;
  /** How large its disk counts; the largest counts 65,535. */
  readonly weight: number;
  /** In words, as "up" or "down, holds no new pieces". */
  readonly state: string;
}

/** All servers that the cluster lists, in its order. */
export function membersOf(cluster: Cluster): Member[] {
  const { config, listed } = cluster.view;
  return listed.flatMap((slot) => {
    const seat = config.seats[slot];
    if (!seat) return [];
    const name = cluster.labelOf(slot);
    const address = writtenAddress(cluster.peer(slot)?.address ?? seat);
    const id = seat.sid?.slice(0, ID_DIGITS) ?? null;
    const { weight } = seat;
    return [{ name, address, id, weight, state: stateOf(cluster, slot) }];
  });
}

/** What people need to know of a member. */
function stateOf(cluster: Cluster, slot: number): string {
  const { config } = cluster.view;
  const states: string[] = [];
  const stranger = strangersIn(cluster).find((other) => other.slot === slot && !other.peer.isDown);
  if (cluster.peer(slot)) states.push("up");
  else if (stranger?.is === "lost") states.push("down, its data lost");
  else if (config.seats[slot]?.sid !== null) states.push("down");
  else states.push(stranger ? "there, not joined yet" : "never seen");
  if (config.leaving.includes(slot)) states.push("holds no new pieces");
  if (config.next && !config.voters.includes(slot)) states.push("joining");
  if (config.next && !config.next.includes(slot)) states.push("going");
  return states.join(", ");
}
