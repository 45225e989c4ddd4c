/**
 * Which contents were read, or renewed by a reader, and when. What no name holds any more stays for
 * readers that go on. Memory is enough: after a restart each content begins its time anew. Used by
 * pieces.ts and sweep.ts.
 */
import type { Clock } from "../../io/ports.ts";
import { RENEWALS_KEPT } from "../../limits.ts";
import type { Cid } from "../../version.ts";

export class Renewals {
  readonly #clock: Pick<Clock, "now">;
  /** When each was renewed last, by the monotonic clock; those of longest ago come first. */
  readonly #at = new Map<Cid, number>();

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  /** Somebody reads this content now. */
  renew(cid: Cid): void {
    this.#at.delete(cid);
    this.#at.set(cid, this.#clock.now());
    const [oldest] = this.#at.keys();
    if (this.#at.size > RENEWALS_KEPT && oldest !== undefined) this.#at.delete(oldest);
  }

  /** How long ago it was renewed, in milliseconds; Infinity: not that anybody knows. */
  age(cid: Cid): number {
    const at = this.#at.get(cid);
    return at === undefined ? Infinity : this.#clock.now() - at;
  }
}
