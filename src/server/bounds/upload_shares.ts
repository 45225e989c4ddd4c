/** The pieces under way that a server may have, each of which is an open file, and how many of them one user may hold. */
import { DfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";
import { UPLOAD_STALE_MS } from "../../limits.ts";

/** One piece under way. */
export interface Share {
  /** More of it has come. */
  touch(): void;
  /** It is over. */
  leave(): void;
}

interface Held {
  readonly holder: string;
  readonly end: () => void;
  touchedAt: number;
}

export class UploadShares {
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #held = new Set<Held>();
  readonly #countOf = new Map<string, number>();

  constructor(clock: Clock, limit: number) {
    this.#clock = clock;
    this.#limit = limit;
  }

  /**
   * One more for this holder, who may have as many as it leaves to the others; where there are more, one that nothing has come of for a
   * while is given up for it, and `end` called of that one. Throws DfsError("failed") where there is none.
   */
  enter(holder: string, end: () => void): Share {
    if (!this.#hasPlaceFor(holder) && !this.#giveUpStale())
      throw new DfsError("failed", "too many pieces are on their way to this server; try again");
    const held: Held = { holder, end, touchedAt: this.#clock.now() };
    this.#held.add(held);
    this.#countOf.set(holder, this.#of(holder) + 1);
    return {
      touch: () => void (held.touchedAt = this.#clock.now()),
      leave: () => this.#leave(held),
    };
  }

  #of(holder: string): number {
    return this.#countOf.get(holder) ?? 0;
  }

  #hasPlaceFor(holder: string): boolean {
    return this.#of(holder) < this.#limit - this.#held.size;
  }

  /** Gives up the one of which nothing has come for longest; false where something has come of all. */
  #giveUpStale(): boolean {
    let stale: Held | null = null;
    for (const held of this.#held)
      if (stale === null || held.touchedAt < stale.touchedAt) stale = held;
    if (!stale || this.#clock.now() - stale.touchedAt < UPLOAD_STALE_MS) return false;
    this.#leave(stale);
    stale.end();
    return true;
  }

  #leave(held: Held): void {
    if (!this.#held.delete(held)) return;
    const left = this.#of(held.holder) - 1;
    if (left > 0) this.#countOf.set(held.holder, left);
    else this.#countOf.delete(held.holder);
  }
}
