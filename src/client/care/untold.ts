/**
 * Servers that answer and cannot tell of a name: their record of it is damaged, or they failed to
 * read it. Used by repair and verify.
 */
import type { Cluster, Round } from "../connect/cluster.ts";

/**
 * The slots of members that can be asked, and did not answer a READ. To be asked only once every
 * member that will answer has answered.
 */
export const cannotTell = (cluster: Cluster, { replies, view }: Round<"read">): number[] =>
  view.members.filter((slot) => !replies.has(slot) && cluster.peer(slot) !== null);

/** A line for people that names these servers; null where there are none. */
export function cannotTellText(cluster: Cluster, round: Round<"read">): string | null {
  const labels = cannotTell(cluster, round).map((slot) => cluster.labelOf(slot));
  return labels.length > 0 ? `${labels.join(", ")} cannot tell of it` : null;
}
