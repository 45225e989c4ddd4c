/**
 * The time that a peer has: until it is known who it is, for each frame that it sends and each reply that it is sent, and while it is
 * idle. Pure: told what happens, and when; a session asks it now and then whether time is over.
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

/** A stretch of time in which bytes should have gone. */
interface Stretch {
  readonly since: number;
  /** How many had gone before it. */
  readonly bytes: number;
}

/** How many bytes a connection has taken in and given out so far. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
}

export class Pace {
  readonly #clock: Pick<Clock, "now">;
  readonly #traffic: Traffic;
  /** Until then it must be known who asks, however many bytes come; null: it is. */
  #knownBy: number | null;
  /** Since when a proof is looked at, or kept waiting: that time is the server's. */
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

  /** Since when nothing has come and nothing has gone. */
  get quietSince(): number {
    return this.#quietSince;
  }

  /** Since when no reply was taken whole though there is one, or no frame came whole though one began; null: neither. */
  get stalledSince(): number | null {
    const [a, b] = [this.#reply?.since, this.#frame?.since];
    return a !== undefined && b !== undefined ? Math.min(a, b) : (a ?? b ?? null);
  }

  /** It is known who asks. */
  known(): void {
    this.#knownBy = null;
  }

  /** While `work` goes on the time until it is known who asks stands still. */
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

  /** The peer has its turn: the rest of a frame is wanted, which may have begun before. */
  wantsFrame(isBegun: boolean): void {
    if (!isBegun) this.#frame = null;
    else this.#frame ??= this.#begin(this.#traffic.received);
  }

  /** A frame has come whole; or the peer does not have its turn. */
  frameOver(): void {
    this.#frame = null;
    this.#quietSince = this.#clock.now();
  }

  /** A reply is on its way. */
  replies(): void {
    if (this.#replies++ === 0) this.#reply = this.#begin(this.#traffic.sent);
  }

  /** A reply was taken whole. */
  taken(): void {
    this.#quietSince = this.#clock.now();
    this.#reply = --this.#replies > 0 ? this.#begin(this.#traffic.sent) : null;
  }

  /** Is the time of this peer over? `isWorking`: is anything that it asked for not answered yet? */
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

  /** When to ask again. */
  get nextLook(): number {
    if (this.#knownBy === null) return LOOK_MS;
    return Math.max(1, Math.min(HELLO_REPLY_MS, this.#knownBy - this.#clock.now()));
  }

  #begin(bytes: number): Stretch {
    return { since: this.#clock.now(), bytes };
  }

  /** Did too little go in this stretch? Where enough did, the next one begins. */
  #judge(stretch: Stretch | null, bytes: number): [isLate: boolean, next: Stretch | null] {
    if (stretch === null || this.#clock.now() - stretch.since < FRAME_MS) return [false, stretch];
    return [bytes - stretch.bytes < FRAME_PACE_BYTES, this.#begin(bytes)];
  }
}
