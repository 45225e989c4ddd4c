/**
 * Frames: u32 length of what follows, u8 kind, u32 id, body. A reply has the id of its request, and the kind
 * REPLY, or ERROR with { u16 code, text }.
 */
import { type Codec, concat, decode, struct, text, u16 } from "../bytes.ts";
import { u32At, Writer } from "../cursor.ts";
import { asDfsError, assert, codeOfWire, DfsError, wireNumber } from "../errors.ts";
import { ERROR_TEXT_BYTES, FRAME_BYTES, HELLO_FRAME_BYTES } from "../limits.ts";
import { printable } from "../printable.ts";
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

/** The parts of a frame around this value, its large fields not copied. */
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

/** The error that the body of an ERROR frame says, in one line that no terminal takes for more than text. */
export function errorOf(body: Uint8Array): DfsError {
  const { code, message } = decode(errorCodec, body);
  return new DfsError(codeOfWire(code), printable(message));
}

/** Bytes in, in any portions; frames out. */
export class FrameParser {
  /** What a frame may be long; small until the peer has said hello. */
  #limit = HELLO_FRAME_BYTES;
  #waiting: Uint8Array[] = [];
  /** How much of the first part was taken already, and how much is left of all. */
  #taken = 0;
  #have = 0;

  /** From now on frames may have the full length. */
  trust(): void {
    this.#limit = FRAME_BYTES;
  }

  /** Bytes that are here and in no frame that was given out. */
  get held(): number {
    return this.#have;
  }

  /** Is part of a frame here, its rest not yet? */
  get isMidFrame(): boolean {
    return this.#have > 0;
  }

  /** The frames that are complete with these bytes; throws DfsError("protocol") on a hostile length. */
  *push(bytes: Uint8Array): Generator<Frame> {
    if (bytes.length === 0) return;
    // A peer that drips single bytes must not cost an array object for each of them.
    if (this.#waiting.length >= WAITING_PARTS) this.#join();
    this.#waiting.push(bytes);
    this.#have += bytes.length;
    for (
      let length = this.#frameLength();
      length !== null && this.#have >= LENGTH_BYTES + length;
    ) {
      yield this.#cut(length);
      length = this.#frameLength();
    }
  }

  #frameLength(): number | null {
    if (this.#have < LENGTH_BYTES) return null;
    if (this.#inFirst < LENGTH_BYTES) this.#join();
    const length = u32At(this.#waiting[0] as Uint8Array, this.#taken);
    if (length < HEAD_BYTES || length > this.#limit)
      throw new DfsError("protocol", `a frame of ${length} bytes is not within the protocol`);
    return length;
  }

  #cut(length: number): Frame {
    const count = LENGTH_BYTES + length;
    // Bytes in one part are given out as they are; only those in several parts are copied.
    if (this.#inFirst < count) return frameIn(this.#copied(count), 0, count);
    const frame = frameIn(this.#waiting[0] as Uint8Array, this.#taken, count);
    this.#pass(count);
    return frame;
  }

  /** How much is left of the first part. */
  get #inFirst(): number {
    return (this.#waiting[0]?.length ?? 0) - this.#taken;
  }

  #join(): void {
    const [first, ...rest] = this.#waiting;
    if (first) this.#waiting = [concat([first.subarray(this.#taken), ...rest])];
    this.#taken = 0;
  }

  /** A copy of the next bytes, which are in several parts. */
  #copied(count: number): Uint8Array {
    const taken: Uint8Array[] = [];
    for (let left = count; left > 0;) {
      const [part] = this.#waiting;
      assert(part, "as many bytes are here");
      const n = Math.min(left, this.#inFirst);
      taken.push(part.subarray(this.#taken, this.#taken + n));
      this.#pass(n);
      left -= n;
    }
    return concat(taken);
  }

  /** Goes on behind the next bytes, which are in the first part. */
  #pass(count: number): void {
    this.#taken += count;
    this.#have -= count;
    if (this.#inFirst > 0) return;
    this.#waiting.shift();
    this.#taken = 0;
  }
}

/** The frame in the `count` bytes from `at` on; its body is a view of them. */
const frameIn = (bytes: Uint8Array, at: number, count: number): Frame => ({
  kind: bytes[at + LENGTH_BYTES] as number,
  id: u32At(bytes, at + LENGTH_BYTES + 1),
  body: bytes.subarray(at + LENGTH_BYTES + HEAD_BYTES, at + count),
});
