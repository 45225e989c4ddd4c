/**
 * The weights of servers: how much pieces may take of each disk when the server comes, beside the
 * largest disk. The weight is asked once and kept in the configuration, because all clients must
 * place alike, whatever becomes of a disk. Used by initialise and members.
 */
import { CATALOG_BYTES, reserveBytes } from "../../limits.ts";
import { type Config, hasWeights, membersOf } from "../../membership.ts";
import { withWeights } from "../../seating.ts";
import type { Cluster } from "../connect/cluster.ts";
import { gather } from "../connect/gather.ts";

/**
 * Gives the servers in these slots the weights of their disks. A server that does not tell in time
 * weighs as much as the largest.
 */
export async function withDiskWeights(
  cluster: Cluster,
  config: Config,
  slots: readonly number[],
): Promise<Config> {
  if (slots.length === 0) return config;
  const disks = new Map<number, number | null>(slots.map((slot) => [slot, null]));
  // A server that is about to become a member knows no epoch yet. Members accept epoch 0 too.
  const of = { cluster: cluster.id, epoch: 0, user: cluster.space.user };
  const calls = slots.flatMap((slot) => {
    const peer = cluster.connections.ofSid(config.seats[slot]?.sid ?? "");
    return peer ? [[slot, peer.call("status", {}, of)] as const] : [];
  });
  const told = await gather(cluster.ports.clock, calls, {
    patience: () => cluster.connections.patienceMs,
    isMoot: () => false,
    onError: (slot, error) => cluster.reportError(slot, error),
  });
  for (const [slot, { total }] of told) if (total !== null) disks.set(slot, roomOn(total));
  return withWeights(config, disks);
}

/** How many bytes pieces may take of a disk of `total` bytes. */
const roomOn = (total: number): number =>
  Math.max(0, Math.floor(total - reserveBytes(total) - CATALOG_BYTES));

/**
 * The configuration with the weights of new servers' disks. If the servers had no weights before,
 * all get theirs.
 */
export function withNewWeighed(cluster: Cluster, config: Config): Promise<Config> {
  const before = cluster.view.config;
  const isKnown = ({ sid }: Config["seats"][number]): boolean =>
    hasWeights(before) && before.seats.some((seat) => seat.sid === sid);
  const isNew = (slot: number): boolean => {
    const seat = config.seats[slot];
    return seat !== undefined && seat.sid !== null && !isKnown(seat);
  };
  return withDiskWeights(
    cluster,
    config,
    hasWeights(config) ? membersOf(config).filter(isNew) : [],
  );
}
