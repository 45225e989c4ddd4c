/**
 * Frames: u32 length of what follows, u8 kind, u32 id, body. A reply has the id of its request, and the kind
 * REPLY, or ERROR with { u16 code, text }.
 */
import { type Codec, concat, decode, struct, text, u16, Writer } from "../bytes.ts";
import { asDfsError, assert, codeOfWire, DfsError, wireNumber } from "../errors.ts";
import { ERROR_TEXT_BYTES, FRAME_BYTES, HELLO_FRAME_BYTES } from "../limits.ts";
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
  const body = new Writer();
  codec.write(body, value);
  const parts = body.parts();
  const head = new Writer();
  head.u32(HEAD_BYTES + body.length);
  head.u8(kind);
  head.u32(id);
  const [first, ...rest] = parts;
  // The head goes with the first part where that is small: one system call for small frames.
  if (!first || first.length >= HELLO_FRAME_BYTES) return [...head.parts(), ...parts];
  head.put(first);
  return [concat(head.parts()), ...rest];
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
  return new DfsError(codeOfWire(code), message.replace(/\p{Cc}/gu, "?"));
}

/** Bytes in, in any portions; frames out. */
export class FrameParser {
  /** What a frame may be long; small until the peer has said hello. */
  #limit = HELLO_FRAME_BYTES;
  #waiting: Uint8Array[] = [];
  #have = 0;

  /** From now on frames may have the full length. */
  trust(): void {
    this.#limit = FRAME_BYTES;
  }

  /** Is part of a frame here, its rest not yet? */
  get isMidFrame(): boolean {
    return this.#have > 0;
  }

  /** The frames that are complete with these bytes; throws DfsError("protocol") on a hostile length. */
  *push(bytes: Uint8Array): Generator<Frame> {
    if (bytes.length === 0) return;
    // A peer that drips single bytes must not cost an array object for each of them.
    if (this.#waiting.length >= WAITING_PARTS) this.#waiting = [concat(this.#waiting)];
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
    if ((this.#waiting[0]?.length ?? 0) < LENGTH_BYTES) this.#waiting = [concat(this.#waiting)];
    const [first] = this.#waiting;
    if (!first) return null;
    const length = new DataView(first.buffer, first.byteOffset).getUint32(0);
    if (length < HEAD_BYTES || length > this.#limit)
      throw new DfsError("protocol", `a frame of ${length} bytes is not within the protocol`);
    return length;
  }

  #cut(length: number): Frame {
    const whole = this.#take(LENGTH_BYTES + length);
    const view = new DataView(whole.buffer, whole.byteOffset);
    return {
      kind: view.getUint8(LENGTH_BYTES),
      id: view.getUint32(LENGTH_BYTES + 1),
      body: whole.subarray(LENGTH_BYTES + HEAD_BYTES),
    };
  }

  /** The next bytes: those that are in one part as they are; only where they are in several, a copy, and of no more than them. */
  #take(count: number): Uint8Array {
    const taken: Uint8Array[] = [];
    for (let left = count; left > 0;) {
      const part = this.#waiting.shift();
      assert(part, "as many bytes are here");
      taken.push(part.subarray(0, left));
      if (part.length > left) this.#waiting.unshift(part.subarray(left));
      left -= Math.min(left, part.length);
    }
    this.#have -= count;
    return concat(taken);
  }
}
