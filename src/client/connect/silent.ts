/** Servers that did not answer in time: who they are, for people, and another chance for them before a command gives up. */
import type { Cluster } from "./cluster.ts";
import { canAccept } from "../../quorum.ts";

/** ": DFS2, DFS3 do not answer"; nothing where all members can be asked. */
export function silentText(cluster: Cluster): string {
  const names = cluster.silent.map((slot) => cluster.labelOf(slot));
  if (names.length === 0) return "";
  return `: ${names.join(", ")} ${names.length > 1 ? "do" : "does"} not answer`;
}

/**
 * Has another server answered since there were so many arrivals, or does one within some seconds? It may have what is missing. False
 * at once where nobody is silent.
 */
export async function hearsMore(cluster: Cluster, arrivals: number): Promise<boolean> {
  const isMore = (): boolean => cluster.arrivals > arrivals;
  await cluster.reachSilent(isMore);
  return isMore();
}

/** Waits for silent servers until as many answer as a change takes, or none comes any more. */
export const reachToChange = (cluster: Cluster): Promise<void> =>
  cluster.reachSilent(() => canAccept(cluster.view.quorum, cluster.live));
