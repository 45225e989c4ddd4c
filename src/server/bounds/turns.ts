/**
 * Shares the event loop among all connections. Requests that are answered at once would keep all
 * others waiting as long as they come. So a connection that asks for much goes on in a later turn
 * of the event loop, and of requests that take long only one runs in each turn. Used by session.ts.
 */
import type { Clock } from "../../io/ports.ts";
import { REQUESTS_PER_TURN } from "../../limits.ts";
import type { Kind } from "../../wire/messages.ts";

/** Requests that keep this thread busy for milliseconds. */
const HEAVY: ReadonlySet<Kind> = new Set(["list", "spaces", "status"]);
/**
 * How many requests a connection begins with. A later hello is rare, or part of a flood: it makes
 * more garbage than most requests.
 */
const OPENING_REQUESTS = 4;

export class Turns {
  readonly #clock: Clock;
  readonly #heavy: (() => void)[] = [];
  #isTicking = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Resolves when the `nth` request of a connection, of this kind, may begin; returns null if that
   * is now.
   */
  next(kind: Kind, nth: number): Promise<void> | null {
    if (HEAVY.has(kind) || (kind === "hello" && nth > OPENING_REQUESTS))
      return new Promise((resolve) => {
        this.#heavy.push(resolve);
        if (!this.#isTicking) this.#tick();
      });
    if (nth % REQUESTS_PER_TURN !== 0) return null;
    return new Promise((resolve) => void this.#clock.after(0, resolve));
  }

  /** Starts the heavy requests one by one, in the order in which they came. */
  #tick(): void {
    this.#isTicking = true;
    this.#clock.after(0, () => {
      this.#isTicking = false;
      const next = this.#heavy.shift();
      if (this.#heavy.length > 0) this.#tick();
      next?.();
    });
  }
}
