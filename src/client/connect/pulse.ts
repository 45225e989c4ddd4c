/**
 * Decides when a server that is asked counts as down. It is at work if it brings whole answers, or
 * bytes at a sufficient rate; a byte now and then does not count. Used by peer, which has the
 * connection.
 */
import type { Clock, Conn } from "../../io/ports.ts";
import { ANSWER_MS, FRAME_MS, PROGRESS_BYTES, PROGRESS_MS } from "../../limits.ts";

/**
 * A write that takes longer than this had to wait until the server took what was written before.
 */
const CLOGGED_MS = 100;

/** The pulse of one connection, while requests wait for their answers. */
export class Pulse {
  readonly #clock: Clock;
  readonly #conn: Conn;
  readonly #onDown: (why: string) => void;
  /** When the server last showed that it is at work, and the bytes that had moved by then. */
  #lastSign = 0;
  #received = 0;
  #sent = 0;
  /**
   * How many writes the connection has not taken yet; and the bytes of clogged writes that it has
   * taken. What it takes at once says nothing of the server.
   */
  #writing = 0;
  #taken = 0;
  /** Since when only a part of an answer is here; null: no answer is begun. */
  #frameBegun: number | null = null;
  /** When each unanswered request was sent, by its id, the oldest first. */
  readonly #asked = new Map<number, number>();
  #cancel: (() => void) | null = null;
  /** When it stopped answering, with its connection open. */
  hungAt = -Infinity;

  /** `onDown` is called once the server counts as down. */
  constructor(clock: Clock, conn: Conn, onDown: (why: string) => void) {
    this.#clock = clock;
    this.#conn = conn;
    this.#onDown = onDown;
  }

  /** A request goes out. */
  asked(id: number): void {
    const now = this.#clock.now();
    if (this.#asked.size === 0) this.#noteSign(now);
    this.#asked.set(id, now);
    if (!this.#cancel) this.#watch();
  }

  /** `bytes` are being written. `taken` resolves once the connection has them. */
  writing(bytes: number, taken: Promise<void>): void {
    const begun = this.#clock.now();
    this.#writing++;
    taken.then(
      () => {
        this.#writing--;
        if (this.#clock.now() - begun >= CLOGGED_MS) this.#taken += bytes;
      },
      () => this.#onDown("the connection broke"),
    );
  }

  /** The whole answer to this request is here. */
  answered(id: number): void {
    this.#asked.delete(id);
  }

  /**
   * Bytes came. `ended` is how many answers they ended; `isMidFrame` says whether they leave one
   * begun.
   */
  received(ended: number, isMidFrame: boolean): void {
    const now = this.#clock.now();
    if (ended > 0) this.#noteSign(now);
    if (!isMidFrame) this.#frameBegun = null;
    else if (ended > 0 || this.#frameBegun === null) this.#frameBegun = now;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#asked.clear();
  }

  #noteSign(now: number): void {
    this.#lastSign = now;
    this.#received = this.#conn.received;
    this.#sent = this.#conn.sent;
    this.#taken = 0;
  }

  /** One timer watches all requests. */
  #watch(): void {
    const left = Math.min(...this.#deadlines()) - this.#clock.now();
    this.#cancel = this.#clock.after(Math.max(1, left), () => {
      this.#cancel = null;
      if (this.#asked.size === 0) return;
      const why = this.#whyDown();
      if (why === null) this.#watch();
      else {
        this.hungAt = this.#clock.now();
        this.#onDown(why);
      }
    });
  }

  #deadlines(): [sign: number, frame: number, answer: number] {
    const [oldest = Infinity] = this.#asked.values();
    return [
      this.#lastSign + PROGRESS_MS,
      (this.#frameBegun ?? Infinity) + FRAME_MS,
      oldest + ANSWER_MS,
    ];
  }

  #whyDown(): string | null {
    const now = this.#clock.now();
    const [sign, frame, answer] = this.#deadlines();
    if (now >= frame || now >= answer) return "it does not bring its answers to an end";
    if (now < sign) return null;
    const sent = this.#writing > 0 ? this.#conn.sent - this.#sent : 0;
    const moved = this.#conn.received - this.#received + Math.max(this.#taken, sent);
    if (moved < PROGRESS_BYTES)
      return moved > 0 ? "it all but stopped answering" : "it stopped answering";
    this.#noteSign(now);
    return null;
  }
}
