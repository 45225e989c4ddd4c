/** Whose answers about a name to believe: of those that servers gave to one question, none of a server that must be lying. */
import { type Accepted, unsoundness } from "../../version.ts";
import type { Quorum } from "../../quorum.ts";
import type { Cluster } from "../connect/cluster.ts";
import { liars, type Told } from "../trust/liars.ts";

/** Of these answers those to believe: none from a server that says what was never made, or contradicts what is certain. */
export function believed<T extends Told>(
  cluster: Cluster,
  stored: string,
  quorum: Quorum,
  replies: Map<number, T>,
): Map<number, T> {
  const isTold = ({ version: { vid } }: Accepted): boolean =>
    [...replies.values()].filter(({ register: { acc, com } }) =>
      [acc, com].some((known) => known?.version.vid === vid),
    ).length > 1;
  // What no server accepts is not what one of several has.
  const isMadeUp = (accepted: Accepted): boolean =>
    unsoundness(accepted.version) !== null && replies.size > 1 && !isTold(accepted);
  const out = liars(quorum, replies, (accepted) =>
    isMadeUp(accepted) ? null : cluster.space.judge(stored, accepted),
  );
  if (out.length === 0) return replies;
  const left = new Map(replies);
  for (const slot of out) left.delete(slot);
  return left;
}

/** The same once all is said that will be, and it may take time to judge it: those that are not believed are named. */
export async function believedInEnd<T extends Told>(
  cluster: Cluster,
  stored: string,
  quorum: Quorum,
  replies: Map<number, T>,
): Promise<Map<number, T>> {
  let left = believed(cluster, stored, quorum, replies);
  while (left.size < replies.size && (await cluster.space.guard?.learn()))
    left = believed(cluster, stored, quorum, replies);
  for (const slot of replies.keys())
    if (!left.has(slot))
      cluster.warn(
        `${cluster.space.shown(stored)}: what ${cluster.labelOf(slot)} says is not authentic, or contradicts others: it is not believed`,
      );
  return left;
}
