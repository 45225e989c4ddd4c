/**
 * Decides which servers' answers about a name to believe: not those of a server that must be lying.
 * Used by register and rounds.
 */
import { type Accepted } from "../../version.ts";
import { unsoundness } from "../../soundness.ts";
import type { StoredName } from "../../file/names.ts";
import type { Quorum } from "../../quorum.ts";
import type { Cluster } from "../connect/cluster.ts";
import { liars, type Answer } from "../trust/liars.ts";

/**
 * The answers to believe. An answer is left out if its server tells of a value that was never made,
 * or contradicts what is certain.
 */
export function believed<T extends Answer>(
  cluster: Cluster,
  stored: StoredName,
  quorum: Quorum,
  replies: Map<number, T>,
): Map<number, T> {
  const isShared = ({ version: { vid } }: Accepted): boolean =>
    [...replies.values()].filter(({ register: { acc, com } }) =>
      [acc, com].some((known) => known?.version.vid === vid),
    ).length > 1;
  // An honest server accepts no unsound version. So if several servers answer, and only one of them
  // has such a version, it is made up.
  const isMadeUp = (accepted: Accepted): boolean =>
    unsoundness(accepted.version) !== null && replies.size > 1 && !isShared(accepted);
  const lying = liars(quorum, replies, (accepted) =>
    isMadeUp(accepted) ? null : cluster.space.judge(stored, accepted),
  );
  if (lying.length === 0) return replies;
  const rest = new Map(replies);
  for (const slot of lying) rest.delete(slot);
  return rest;
}

/**
 * The same, for the answers that are final. It may take time to learn what is needed to judge them.
 * The user is warned of each server that is not believed.
 */
export async function believedInEnd<T extends Answer>(
  cluster: Cluster,
  stored: StoredName,
  quorum: Quorum,
  replies: Map<number, T>,
): Promise<Map<number, T>> {
  let rest = believed(cluster, stored, quorum, replies);
  while (rest.size < replies.size && (await cluster.space.guard?.learn()))
    rest = believed(cluster, stored, quorum, replies);
  for (const slot of replies.keys())
    if (!rest.has(slot))
      cluster.warn(
        `${cluster.space.shown(stored)}: what ${cluster.labelOf(slot)} says is not authentic, or contradicts others: it is not believed`,
      );
  return rest;
}
