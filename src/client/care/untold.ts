/** Servers that are there and cannot tell of a name: their record of it is damaged, or they failed at it. */
import type { Cluster, Round } from "../connect/cluster.ts";

/** The slots of those of the members that can be asked and did not answer a look at a name, once all that will have answered. */
export const untoldBy = (cluster: Cluster, { replies, view }: Round<"read">): number[] =>
  view.members.filter((slot) => !replies.has(slot) && cluster.peer(slot) !== null);

/** What people are to know of them; null where there are none. */
export function untoldText(cluster: Cluster, round: Round<"read">): string | null {
  const labels = untoldBy(cluster, round).map((slot) => cluster.labelOf(slot));
  return labels.length > 0 ? `${labels.join(", ")} cannot tell of it` : null;
}
