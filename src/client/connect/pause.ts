/** Waiting: for a while, or for longer with each try. Used by the rooms agree and connect. */
import { BACKOFF_FIRST_MS, BACKOFF_MAX_MS } from "../../limits.ts";
import type { Cluster } from "./cluster.ts";
import { orInterrupted } from "./living/interruption.ts";

/** Resolves after `ms`. Throws DfsError("interrupted"). */
export async function pause(
  { ports, signal }: Pick<Cluster, "ports" | "signal">,
  ms: number,
): Promise<void> {
  let cancel = (): void => {};
  const passed = new Promise<void>((resolve) => (cancel = ports.clock.after(ms, resolve)));
  await orInterrupted(passed, signal).finally(cancel);
}

/**
 * How long to wait before the next try: longer with each try, and a random time, so that one of
 * many writers gets through.
 */
export function backOffMs({ ports }: Pick<Cluster, "ports">, tries: number): number {
  const most = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** tries);
  return 1 + ports.random.fraction() * most;
}
