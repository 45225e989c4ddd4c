/**
 * Bounds the pieces under way to a server, each of which is an open file, and how many of them one
 * user may have. Used by uploads.ts, session.ts and serve.ts.
 */
import { DfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";
import { UPLOAD_STALE_MS } from "../../limits.ts";

/** The share of one piece under way. */
export interface Share {
  /** More bytes of the piece have come. */
  touch(): void;
  /** The piece is finished or dropped. */
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
   * Adds a piece of this holder, who may have as many as it leaves to the others. If there is no
   * place, the piece that has been stale for longest is given up, and its `end` is called. Throws
   * DfsError("failed") if no piece is stale.
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

  /** Gives up the piece that has been stale for longest. Returns false if none is stale. */
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
