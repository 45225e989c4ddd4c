/**
 * Servers that did not answer in time: their names for people, and another chance for them before a
 * command gives up. Used by the rooms agree and files.
 */
import type { Cluster } from "./cluster.ts";
import { canAccept } from "../../quorum.ts";

/** ": DFS2, DFS3 do not answer"; the empty text where all members can be asked. */
export function silentText(cluster: Cluster): string {
  const names = cluster.silent.map((slot) => cluster.labelOf(slot));
  if (names.length === 0) return "";
  return `: ${names.join(", ")} ${names.length > 1 ? "do" : "does"} not answer`;
}

/** A server that breaks at one question, comes again, and is asked again, would do so for ever. */
const TRIES_MAX = 8;

/**
 * Has another server answered since the count of arrivals was `arrivals`, or does one within some
 * seconds? It may have what is missing. Returns false at once where no server is silent, and where
 * the same was tried often enough: `tries` times before.
 */
export async function hearsMore(
  cluster: Cluster,
  arrivals: number,
  tries: number,
): Promise<boolean> {
  if (tries >= TRIES_MAX) return false;
  const isMore = (): boolean => cluster.arrivals > arrivals;
  await cluster.reachSilent(isMore);
  return isMore();
}

/** Waits for silent servers until enough of them answer for a change, or no more come. */
export const reachToChange = (cluster: Cluster): Promise<void> =>
  cluster.reachSilent(() => canAccept(cluster.view.quorum, cluster.live));
