/**
 * What servers weigh: as much as pieces may take of their disks when they come, beside the largest. It is asked once and kept in the
 * configuration, for all must place alike, whatever becomes of a disk. Used where a cluster begins, and by members.ts.
 */
import { CATALOG_BYTES, reserveBytes } from "../../limits.ts";
import { type Config, CONFIG_FORMAT, membersOf, withWeights } from "../../membership.ts";
import type { Cluster } from "../connect/cluster.ts";
import { gather } from "../connect/gather.ts";

/** Has the servers in these slots weigh what their disks take; who does not tell in time weighs as the largest. */
export async function weighedIn(
  cluster: Cluster,
  config: Config,
  slots: readonly number[],
): Promise<Config> {
  if (slots.length === 0) return config;
  const disks = new Map<number, number | null>(slots.map((slot) => [slot, null]));
  // A server that is about to be a member knows no epoch yet; those that are know this one too.
  const of = { cluster: cluster.id, epoch: 0, user: cluster.user };
  const calls = slots.flatMap((slot) => {
    const peer = cluster.connections.ofSid(config.seats[slot]?.sid ?? "");
    return peer ? [[slot, peer.call("status", {}, of)] as const] : [];
  });
  const told = await gather(cluster.ports.clock, calls, {
    patience: () => cluster.connections.patienceMs,
    isMoot: () => false,
    onError: (slot, error) => cluster.mention(slot, error),
  });
  for (const [slot, { total }] of told) if (total !== null) disks.set(slot, roomOn(total));
  return withWeights(config, disks);
}

/** What pieces may take of a disk of so many bytes. */
const roomOn = (total: number): number =>
  Math.max(0, Math.floor(total - reserveBytes(total) - CATALOG_BYTES));

/** A change, in which servers that are new weigh what their disks take; all do where before it they had no weights. */
export function withNewWeighed(cluster: Cluster, config: Config): Promise<Config> {
  const before = cluster.view.config;
  const isKnown = ({ sid }: Config["seats"][number]): boolean =>
    before.format === CONFIG_FORMAT && before.seats.some((seat) => seat.sid === sid);
  const isNew = (slot: number): boolean => {
    const seat = config.seats[slot];
    return seat !== undefined && seat.sid !== null && !isKnown(seat);
  };
  const isWeighing = config.format === CONFIG_FORMAT;
  return weighedIn(cluster, config, isWeighing ? membersOf(config).filter(isNew) : []);
}
