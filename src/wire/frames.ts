/**
 * Frames: u32 length of what follows, u8 kind, u32 id, body. A reply has the id of its request, and
 * the kind REPLY, or ERROR with { u16 code, text }. Used by session.ts and the client's peer.ts.
 */
import { type Codec, concat, decode, struct, text, u16 } from "../bytes.ts";
import { free, u32At, unfilled, Writer } from "../cursor.ts";
import { asDfsError, assert, codeOfWire, DfsError, wireNumber } from "../errors.ts";
import { ERROR_TEXT_BYTES, FRAME_BYTES, HELLO_FRAME_BYTES } from "../limits.ts";
import { printable } from "../printable.ts";
import type { Taker } from "./arriving_data.ts";
import { type Kind, MESSAGES, type RequestOf } from "./messages.ts";

export const REPLY = 0x80;
export const ERROR = 0x81;
const LENGTH_BYTES = 4;
const HEAD_BYTES = 5;
const WAITING_PARTS = 64;

export interface Frame {
  readonly kind: number;
  readonly id: number;
  readonly body: Uint8Array;
}

/** The parts of a frame with this value. Large fields are not copied. */
export function frameOf<T>(kind: number, id: number, codec: Codec<T>, value: T): Uint8Array[] {
  const frame = new Writer();
  frame.u32(0);
  frame.u8(kind);
  frame.u32(id);
  codec.write(frame, value);
  return frame.parts(frame.length - LENGTH_BYTES);
}

/** The parts of a request's frame. */
export const requestFrame = <K extends Kind>(
  kind: K,
  id: number,
  request: RequestOf<K>,
): Uint8Array[] =>
  frameOf(MESSAGES[kind].number, id, MESSAGES[kind].request as Codec<RequestOf<K>>, request);

const errorCodec = struct({ code: u16, message: text(ERROR_TEXT_BYTES) });

/** The parts of a frame that answers with an error. */
export function errorFrame(id: number, error: unknown): Uint8Array[] {
  const { code, message } = asDfsError(error);
  return frameOf(ERROR, id, errorCodec, {
    code: wireNumber(code),
    message: message.slice(0, ERROR_TEXT_BYTES / 4),
  });
}

/**
 * The error in the body of an ERROR frame. Its message is one line, without control characters for
 * a terminal.
 */
export function errorOf(body: Uint8Array): DfsError {
  const { code: wire, message } = decode(errorCodec, body);
  const code = codeOfWire(wire);
  // Only who asked can be interrupted: a server that says so must not end what others answer.
  return new DfsError(code === "interrupted" ? "failed" : code, printable(message));
}

/** What is known of a frame before its body is here. */
export interface Head {
  readonly kind: number;
  readonly id: number;
  readonly bodyBytes: number;
}

/** Says who takes the body of a frame as it comes. null: the frame is returned whole. */
export type TakerOf = (head: Head) => Taker | null;

/** A frame whose body is taken as it comes. */
interface Taken extends Head {
  readonly take: Taker;
  left: number;
}

const NO_BODY = new Uint8Array();

export interface ParserOptions {
  /** It may be asked of the same frame more than once, until it names a taker. */
  readonly takerOf?: TakerOf;
  /** Gets each portion that was pushed, once nothing refers to it; not those that frames lie in. */
  readonly giveBack?: (portion: Uint8Array) => void;
}

/** Takes bytes in portions of any size, and returns frames. */
export class FrameParser {
  readonly #takerOf: TakerOf;
  readonly #giveBack: (portion: Uint8Array) => void;
  #taken: Taken | null = null;
  /** The largest frame allowed; small until the peer has said hello. */
  #limit = HELLO_FRAME_BYTES;
  #waiting: Uint8Array[] = [];
  /** How many bytes of the first part were used already, and how many are left of all parts. */
  #used = 0;
  #have = 0;
  /** Is the first part no portion to give back, or does a frame lie in it? */
  #isKept = false;

  constructor({ takerOf = () => null, giveBack = () => {} }: ParserOptions = {}) {
    this.#takerOf = takerOf;
    this.#giveBack = giveBack;
  }

  /** From now on frames may have the full length. */
  trust(): void {
    this.#limit = FRAME_BYTES;
  }

  /** Bytes that have come and are in no returned frame. */
  get held(): number {
    return this.#have;
  }

  /** Has a part of a frame come, and not its rest? */
  get isMidFrame(): boolean {
    return this.#have > 0 || this.#taken !== null;
  }

  /**
   * The frames that are complete with these bytes. A frame whose body was taken as it came has none
   * here. Throws DfsError("protocol") on a forbidden length, and what a taker throws.
   */
  *push(bytes: Uint8Array): Generator<Frame> {
    if (bytes.length === 0) return;
    // A peer that sends single bytes must not cost an array object for each of them.
    if (this.#waiting.length >= WAITING_PARTS) this.#join();
    this.#waiting.push(bytes);
    this.#have += bytes.length;
    for (let frame = this.#next(); frame; frame = this.#next()) yield frame;
  }

  /** The next frame, if it is complete. */
  #next(): Frame | null {
    if (this.#taken) return this.#give(this.#taken);
    const length = this.#frameLength();
    if (length === null) return null;
    const count = LENGTH_BYTES + length;
    const taken = this.#beginTaken(length - HEAD_BYTES);
    if (taken) return this.#give(taken);
    return this.#have >= count ? this.#cut(count) : null;
  }

  /** Passes the head of a frame whose body somebody takes as it comes. */
  #beginTaken(bodyBytes: number): Taken | null {
    const count = LENGTH_BYTES + HEAD_BYTES;
    if (this.#have < count) return null;
    if (this.#inFirst < count) this.#join();
    const { kind, id } = frameIn(this.#waiting[0] as Uint8Array, this.#used, count);
    const head = { kind, id, bodyBytes };
    const take = this.#takerOf(head);
    if (!take) return null;
    this.#pass(count);
    return (this.#taken = { ...head, take, left: bodyBytes });
  }

  /** Gives what is here of a body to who takes it. Returns the frame once that was all. */
  #give(taken: Taken): Frame | null {
    while (taken.left > 0 && this.#have > 0) {
      const part = this.#waiting[0] as Uint8Array;
      const n = Math.min(taken.left, this.#inFirst);
      taken.take(part.subarray(this.#used, this.#used + n));
      taken.left -= n;
      this.#pass(n);
    }
    if (taken.left > 0) return null;
    this.#taken = null;
    return { kind: taken.kind, id: taken.id, body: NO_BODY };
  }

  #frameLength(): number | null {
    if (this.#have < LENGTH_BYTES) return null;
    if (this.#inFirst < LENGTH_BYTES) this.#join();
    const length = u32At(this.#waiting[0] as Uint8Array, this.#used);
    if (length < HEAD_BYTES || length > this.#limit)
      throw new DfsError("protocol", `a frame of ${length} bytes is not within the protocol`);
    return length;
  }

  /** The frame in the next `count` bytes, which are here. */
  #cut(count: number): Frame {
    // Bytes in one part are returned as they are. Only bytes in several parts are copied.
    if (this.#inFirst < count) return frameIn(this.#copied(count), 0, count);
    const frame = frameIn(this.#waiting[0] as Uint8Array, this.#used, count);
    this.#isKept = true;
    this.#pass(count);
    return frame;
  }

  /** How many bytes are left of the first part. */
  get #inFirst(): number {
    return (this.#waiting[0]?.length ?? 0) - this.#used;
  }

  #join(): void {
    const [first, ...rest] = this.#waiting;
    if (first) this.#waiting = [concat([first.subarray(this.#used), ...rest])];
    this.#used = 0;
    this.#isKept = true;
  }

  /** A copy of the next bytes, which are in several parts. */
  #copied(count: number): Uint8Array {
    const copy = unfilled(count);
    for (let at = 0; at < count;) {
      const [part] = this.#waiting;
      assert(part, "as many bytes are here");
      const n = Math.min(count - at, this.#inFirst);
      copy.set(part.subarray(this.#used, this.#used + n), at);
      this.#pass(n);
      at += n;
    }
    return copy;
  }

  /** Skips the next bytes, which are in the first part. */
  #pass(count: number): void {
    this.#used += count;
    this.#have -= count;
    if (this.#inFirst > 0) return;
    const part = this.#waiting.shift();
    if (part && !this.#isKept) this.#giveBack(part);
    this.#isKept = false;
    this.#used = 0;
  }
}

/** Frees the memory of a frame that nothing refers to any more, if nothing else is in it. */
export function freeFrame({ body: { buffer, byteOffset, length } }: Frame): void {
  const begin = LENGTH_BYTES + HEAD_BYTES;
  if (byteOffset === begin && buffer.byteLength === begin + length) free(new Uint8Array(buffer));
}

/** The frame in the `count` bytes from `at` on. Its body is a view of them. */
const frameIn = (bytes: Uint8Array, at: number, count: number): Frame => ({
  kind: bytes[at + LENGTH_BYTES] as number,
  id: u32At(bytes, at + LENGTH_BYTES + 1),
  body: bytes.subarray(at + LENGTH_BYTES + HEAD_BYTES, at + count),
});
