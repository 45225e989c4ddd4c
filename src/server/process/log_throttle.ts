/**
 * A log that does not grow without end: of what comes again and again a few lines are said as they are, and then now and then one, with how
 * many there were since. Whoever can have a server say something can have it say that all day.
 */
import { LOG_LINES_AT_ONCE, LOG_PAUSE_MAX_MS, LOG_PAUSE_MS } from "../../limits.ts";
import type { Clock, Tell, Told } from "../../io/ports.ts";

/** What comes of one kind of event. */
interface Flow {
  /** So many more are said as they are. */
  left: number;
  /** Those that were not said, and the last of them. */
  more: number;
  last: Told | null;
  pauseMs: number;
  until: number;
}

export class Sparing {
  readonly #clock: Clock;
  readonly #tell: Tell;
  readonly #flows = new Map<string, Flow>();

  constructor(clock: Clock, tell: Tell) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Says it, or counts it. */
  tell(told: Told): void {
    this.look();
    const flow = this.#flows.get(told.event) ?? this.#begin(told.event);
    if (flow.left > 0) {
      flow.left--;
      this.#tell(told);
      return;
    }
    flow.more++;
    flow.last = told;
  }

  /** Says what was only counted, where its time has come; to be called now and then. */
  look(): void {
    const now = this.#clock.now();
    for (const [event, flow] of this.#flows) {
      if (now < flow.until) continue;
      // It was quiet: the next one is news.
      if (flow.last === null) this.#flows.delete(event);
      else this.#sum(flow, flow.last);
    }
  }

  /** Says all that was only counted. */
  end(): void {
    for (const flow of this.#flows.values()) if (flow.last !== null) this.#sum(flow, flow.last);
  }

  #begin(event: string): Flow {
    const until = this.#clock.now() + LOG_PAUSE_MS;
    const flow = { left: LOG_LINES_AT_ONCE, more: 0, last: null, pauseMs: LOG_PAUSE_MS, until };
    this.#flows.set(event, flow);
    return flow;
  }

  #sum(flow: Flow, last: Told): void {
    const { more, pauseMs } = flow;
    const now = this.#clock.now();
    const seconds = Math.round((now - flow.until + pauseMs) / 1000);
    const line = more > 1 ? `${last.line}; ${more} like it in the last ${seconds} s` : last.line;
    this.#tell({ ...last, line, facts: { ...last.facts, count: more, seconds } });
    flow.more = 0;
    flow.last = null;
    flow.pauseMs = Math.min(2 * pauseMs, LOG_PAUSE_MAX_MS);
    flow.until = now + flow.pauseMs;
  }
}
