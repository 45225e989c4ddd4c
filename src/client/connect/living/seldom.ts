/**
 * Says each warning at once, and says it again only after a while: what goes on for hours is not
 * muted for ever, and does not fill a log. Used by connections.
 */
import type { Clock } from "../../../io/ports.ts";
import { AGAIN_MS, WARNINGS_REMEMBERED } from "../../../limits.ts";

export function seldom(
  clock: Pick<Clock, "now">,
  warn: (line: string) => void,
): (line: string) => void {
  /** When each line was said last, the one that was said longest ago first. */
  const saidAt = new Map<string, number>();
  return (line) => {
    const now = clock.now();
    if (now - (saidAt.get(line) ?? -Infinity) < AGAIN_MS) return;
    saidAt.delete(line);
    saidAt.set(line, now);
    const [oldest] = saidAt.keys();
    if (saidAt.size > WARNINGS_REMEMBERED && oldest !== undefined) saidAt.delete(oldest);
    warn(line);
  };
}
