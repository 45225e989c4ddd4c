/**
 * The time that a peer has: until its user is known, for each frame that it sends, for each reply
 * that it takes, and while it is idle. It has no timers of its own: the session reports what
 * happens, and asks now and then whether time is up. Used by session.ts.
 */
import type { Clock } from "../../io/ports.ts";
import {
  FRAME_MS,
  FRAME_PACE_BYTES,
  HELLO_MS,
  HELLO_REPLY_MS,
  IDLE_MS,
  LOOK_MS,
} from "../../limits.ts";

/** A stretch of time in which a minimum of bytes should pass. */
interface Stretch {
  readonly since: number;
  /** How many bytes had passed before it. */
  readonly bytes: number;
}

/** How many bytes a connection has received and sent so far. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

export class Pace {
  readonly #clock: Pick<Clock, "now">;
  readonly #traffic: Traffic;
  /** The user must be known by this time, however many bytes come; null once the user is known. */
  #knownBy: number | null;
  /** Since when a proof is checked or kept waiting: the peer is not charged for that time. */
  #heldSince: number | null = null;
  #frame: Stretch | null = null;
  #reply: Stretch | null = null;
  #replies = 0;
  #quietSince: number;

  constructor(clock: Pick<Clock, "now">, traffic: Traffic) {
    this.#clock = clock;
    this.#traffic = traffic;
    this.#knownBy = clock.now() + HELLO_MS;
    this.#quietSince = clock.now();
  }

  /** Since when no bytes have come or gone. */
  get quietSince(): number {
    return this.#quietSince;
  }

  /**
   * Since when a reply waits to be taken whole, or a frame that has begun waits to become whole.
   * null: neither.
   */
  get stalledSince(): number | null {
    const [a, b] = [this.#reply?.since, this.#frame?.since];
    return a !== undefined && b !== undefined ? Math.min(a, b) : (a ?? b ?? null);
  }

  /** The user is known now. */
  userKnown(): void {
    this.#knownBy = null;
  }

  /** Does the work. Meanwhile the time in which the user must be known stands still. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    const since = this.#clock.now();
    this.#heldSince = since;
    try {
      return await work();
    } finally {
      this.#heldSince = null;
      if (this.#knownBy !== null) this.#knownBy += this.#clock.now() - since;
    }
  }

  /** The server waits for the rest of a frame now; `isBegun` says whether a part of it has come. */
  wantsFrame(isBegun: boolean): void {
    if (!isBegun) this.#frame = null;
    else this.#frame ??= this.#begin(this.#traffic.received);
  }

  /** A frame has come whole; or the server is not waiting for one. */
  frameOver(): void {
    this.#frame = null;
    this.#quietSince = this.#clock.now();
  }

  /** A reply is being sent. */
  replyBegun(): void {
    if (this.#replies++ === 0) this.#reply = this.#begin(this.#traffic.sent);
  }

  /** A reply was taken whole. */
  replyTaken(): void {
    this.#quietSince = this.#clock.now();
    this.#reply = --this.#replies > 0 ? this.#begin(this.#traffic.sent) : null;
  }

  /** Is the time of this peer up? `isWorking`: is any of its requests not answered yet? */
  isOver(isWorking: boolean): boolean {
    const now = this.#clock.now();
    if (this.#knownBy !== null) {
      const waits = this.#reply !== null && now - this.#reply.since >= HELLO_REPLY_MS;
      return waits || (this.#heldSince === null && now >= this.#knownBy);
    }
    const { received, sent } = this.#traffic;
    const [isFrameLate, frame] = this.#judge(this.#frame, received);
    const [isReplyLate, reply] = this.#judge(this.#reply, sent);
    this.#frame = frame;
    this.#reply = reply;
    const isIdle = !isWorking && now - this.#quietSince >= IDLE_MS;
    return isFrameLate || isReplyLate || isIdle;
  }

  /** In how many ms to ask again. */
  get checkAfterMs(): number {
    if (this.#knownBy === null) return LOOK_MS;
    return Math.max(1, Math.min(HELLO_REPLY_MS, this.#knownBy - this.#clock.now()));
  }

  #begin(bytes: number): Stretch {
    return { since: this.#clock.now(), bytes };
  }

  /** Did too few bytes pass in this stretch? If enough did, the next stretch begins. */
  #judge(stretch: Stretch | null, bytes: number): [isLate: boolean, next: Stretch | null] {
    if (stretch === null || this.#clock.now() - stretch.since < FRAME_MS) return [false, stretch];
    return [bytes - stretch.bytes < FRAME_PACE_BYTES, this.#begin(bytes)];
  }
}
