/**
 * Gives a server another weight than that of its disk: an ordinary change of the configuration, in
 * which no member comes or goes. Used by `dfs-tool server`.
 */
import { DfsError } from "../../errors.ts";
import { hasWeights } from "../../membership.ts";
import type { Cluster } from "../connect/cluster.ts";
import { changeOrThrow } from "./members.ts";
import { finishChange } from "./migrate.ts";

/**
 * From now on files are placed as if the server's disk were `weight` of WEIGHT_MAX, which is the
 * largest disk. Throws DfsError("usage", "failed", "tooFew").
 */
export async function weighServer(cluster: Cluster, slot: number, weight: number): Promise<void> {
  await finishChange(cluster);
  const before = cluster.view.config;
  if (!hasWeights(before)) {
    // In a cluster without weights, all servers first get those of their disks.
    await changeOrThrow(cluster, { ...before, next: before.voters });
    await finishChange(cluster);
  }
  const { config, listed } = cluster.view;
  if (!listed.includes(slot))
    throw new DfsError(
      "usage",
      `${cluster.labelOf(slot)} is no member of the cluster any more: a change that had begun ended that`,
    );
  const seats = config.seats.map((seat, one) => (one === slot ? { ...seat, weight } : seat));
  await changeOrThrow(cluster, { ...config, seats });
}
