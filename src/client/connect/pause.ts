/** Waiting: for a while, or for longer with each try. Used by the rooms agree and connect. */
import { BACKOFF_FIRST_MS, BACKOFF_MAX_MS } from "../../limits.ts";
import type { Cluster } from "./cluster.ts";

/** Resolves after `ms`. */
export const pause = ({ ports }: Pick<Cluster, "ports">, ms: number): Promise<void> =>
  new Promise((resolve) => void ports.clock.after(ms, resolve));

/**
 * How long to wait before the next try: longer with each try, and a random time, so that one of
 * many writers gets through.
 */
export function backOffMs({ ports }: Pick<Cluster, "ports">, tries: number): number {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** tries);
  return 1 + ports.random.fraction() * most;
}
