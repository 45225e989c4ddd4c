/** Giving a server another weight than its disk had when it came: an ordinary change of the configuration, in which nobody comes or goes. */
import { DfsError } from "../../errors.ts";
import { CONFIG_FORMAT } from "../../membership.ts";
import type { Cluster } from "../connect/cluster.ts";
import { change } from "./members.ts";
import { finishChange } from "./migrate.ts";

/**
 * From now on files are placed as if the disk of the server in a slot were so much of the largest, which is WEIGHT_MAX. Throws
 * DfsError("usage", "failed", "tooFew").
 */
export async function weighServer(cluster: Cluster, slot: number, weight: number): Promise<void> {
  await finishChange(cluster);
  const { format, voters } = cluster.view.config;
  if (format !== CONFIG_FORMAT) {
    // Where nobody had a weight all first get those of their disks.
    await change(cluster, { ...cluster.view.config, next: voters });
    await finishChange(cluster);
  }
  const { config, listed } = cluster.view;
  if (!listed.includes(slot))
    throw new DfsError(
      "usage",
      `${cluster.labelOf(slot)} is no member of the cluster any more: a change that had begun ended that`,
    );
  const seats = config.seats.map((seat, one) => (one === slot ? { ...seat, weight } : seat));
  await change(cluster, { ...config, seats });
}
