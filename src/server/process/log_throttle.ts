/**
 * Keeps a log from growing without end. Of events of one kind the first few lines are logged as
 * they are; after that one line now and then, with the number of events since the last. Without it,
 * a peer that can cause a line could cause it all day. Used by server_log.ts.
 */
import { LOG_LINES_AT_ONCE, LOG_PAUSE_MAX_MS, LOG_PAUSE_MS } from "../../limits.ts";
import type { Clock, Notify, Notice } from "../../io/ports.ts";

/** The state of one kind of event. */
interface Flow {
  /** How many more are logged as they are. */
  left: number;
  /** How many were not logged since, and the last of them. */
  skipped: number;
  last: Notice | null;
  pauseMs: number;
  until: number;
}

export class LogThrottle {
  readonly #clock: Clock;
  readonly #notify: Notify;
  readonly #flows = new Map<string, Flow>();

  constructor(clock: Clock, notify: Notify) {
    this.#clock = clock;
    this.#notify = notify;
  }

  /** Logs a notice, or only counts it. */
  notify(notice: Notice): void {
    this.look();
    const flow = this.#flows.get(notice.event) ?? this.#begin(notice.event);
    if (flow.left > 0) {
      flow.left--;
      this.#notify(notice);
      return;
    }
    flow.skipped++;
    flow.last = notice;
  }

  /** Logs what was only counted, if its time has come. To be called now and then. */
  look(): void {
    const now = this.#clock.now();
    for (const [event, flow] of this.#flows) {
      if (now < flow.until) continue;
      // Nothing has come in the meantime: the next one is news.
      if (flow.last === null) this.#flows.delete(event);
      else this.#sum(flow, flow.last);
    }
  }

  /** Logs everything that was only counted. */
  end(): void {
    for (const flow of this.#flows.values()) if (flow.last !== null) this.#sum(flow, flow.last);
  }

  #begin(event: string): Flow {
    const until = this.#clock.now() + LOG_PAUSE_MS;
    const flow = { left: LOG_LINES_AT_ONCE, skipped: 0, last: null, pauseMs: LOG_PAUSE_MS, until };
    this.#flows.set(event, flow);
    return flow;
  }

  #sum(flow: Flow, last: Notice): void {
    const { skipped, pauseMs } = flow;
    const now = this.#clock.now();
    const seconds = Math.round((now - flow.until + pauseMs) / 1000);
    const line =
      skipped > 1 ? `${last.line}; ${skipped} like it in the last ${seconds} s` : last.line;
    this.#notify({ ...last, line, facts: { ...last.facts, count: skipped, seconds } });
    flow.skipped = 0;
    flow.last = null;
    flow.pauseMs = Math.min(2 * pauseMs, LOG_PAUSE_MAX_MS);
    flow.until = now + flow.pauseMs;
  }
}
