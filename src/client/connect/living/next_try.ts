/**
 * When a server that is down is tried again: later with each failure, and at a random moment, so
 * that many clients do not come at once. Pure. Used by greeter.
 */
import { RETRY_FIRST_MS, RETRY_MAX_MS } from "../../../limits.ts";

/** What came of the last try of an address. A server that refuses says no, or is not there. */
export type TryOutcome = "up" | "refused" | "silent";

export interface LastTry {
  readonly is: TryOutcome;
  readonly endedAt: number;
  /** How many tries in a row have failed. */
  readonly failures: number;
  /** Before that, nobody tries it who can do without it. */
  readonly nextAt: number;
}

/** The last try once one has ended now. `fraction` is drawn from [0, 1). */
export function afterTry(
  before: LastTry | undefined,
  is: TryOutcome,
  now: number,
  fraction: number,
): LastTry {
  const failures = is === "up" ? 0 : (before?.failures ?? 0) + 1;
  const most = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.max(0, failures - 1));
  // A server that is up, and soon is not, has to wait too: it may break each time that it is used.
  return { is, endedAt: now, failures, nextAt: now + (most * (1 + fraction)) / 2 };
}

/**
 * May an address be tried now? One that was never tried may. Where nothing can be done without a
 * server, it is tried earlier, unless that takes time: a silent one is not.
 */
export function isDue(last: LastTry | undefined, now: number, isNeeded: boolean): boolean {
  if (!last || now >= last.nextAt) return true;
  return isNeeded && last.is !== "silent" && now >= last.endedAt + RETRY_FIRST_MS / 2;
}
