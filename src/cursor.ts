/**
 * A reader and a writer of bytes, front to back. All numbers are big-endian. Used by bytes.ts and
 * by the frames of wire.
 */
import { DfsError } from "./errors.ts";

/**
 * Reads values from a byte array, front to back. Throws DfsError("protocol") where the bytes end
 * too early.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next `n` bytes, as a view. */
  take(n: number): Uint8Array {
    const from = this.#skip(n);
    return this.#bytes.subarray(from, from + n);
  }

  /** The last `n` bytes that were read, as a view. */
  last(n: number): Uint8Array {
    return this.#bytes.subarray(this.#at - n, this.#at);
  }

  u8(): number {
    return this.#bytes[this.#skip(1)] as number;
  }
  u16(): number {
    return this.u8() * 2 ** 8 + this.u8();
  }
  u32(): number {
    const from = this.#skip(4);
    return u32At(this.#bytes, from);
  }
  bigU64(): bigint {
    eight.setUint32(0, this.u32());
    eight.setUint32(4, this.u32());
    return eight.getBigUint64(0);
  }

  #skip(n: number): number {
    if (n > this.left) throw malformed("it ends too early");
    const from = this.#at;
    this.#at += n;
    return from;
  }
}

/** The number in the four bytes from `at` on. */
export const u32At = (from: Uint8Array, at: number): number =>
  (((from[at] as number) << 24) |
    ((from[at + 1] as number) << 16) |
    ((from[at + 2] as number) << 8) |
    (from[at + 3] as number)) >>>
  0;

/** Parts of at least so many bytes are passed on as they are, and not copied. */
const PASS_ON_BYTES = 4096;
/** Most messages fit into a buffer of this size. */
const FIRST_BYTES = 512;

/**
 * Turns a BigInt into bytes and back. To make a DataView for each Writer would take longer than
 * most of what a Writer does.
 */
const eight = new DataView(new ArrayBuffer(8));

/** Collects values into parts. The parts, one after the other, are the encoding. */
export class Writer {
  readonly #parts: Uint8Array[] = [];
  #buffer = new Uint8Array(FIRST_BYTES);
  #start = 0;
  #at = 0;
  #done = 0;

  /** How many bytes were written so far. */
  get length(): number {
    return this.#done + this.#at - this.#start;
  }

  put(bytes: Uint8Array): void {
    if (bytes.length < PASS_ON_BYTES) {
      const at = this.#room(bytes.length);
      this.#buffer.set(bytes, at);
      return;
    }
    this.#cut();
    this.#parts.push(bytes);
    this.#done += bytes.length;
  }

  u8(value: number): void {
    const at = this.#room(1);
    this.#buffer[at] = value;
  }
  u16(value: number): void {
    const at = this.#room(2);
    this.#buffer[at] = value >>> 8;
    this.#buffer[at + 1] = value;
  }
  u32(value: number): void {
    const at = this.#room(4);
    this.#buffer[at] = value >>> 24;
    this.#buffer[at + 1] = value >>> 16;
    this.#buffer[at + 2] = value >>> 8;
    this.#buffer[at + 3] = value;
  }
  bigU64(value: bigint): void {
    eight.setBigUint64(0, value);
    this.u32(eight.getUint32(0));
    this.u32(eight.getUint32(4));
  }

  /**
   * What was written, without copying its large parts. `first` replaces the first four bytes, if
   * anything was written.
   */
  parts(first?: number): Uint8Array[] {
    this.#cut();
    const [head] = this.#parts;
    if (first !== undefined && head) for (let i = 0; i < 4; i++) head[i] = first >>> (8 * (3 - i));
    return this.#parts;
  }

  #cut(): void {
    if (this.#at === this.#start) return;
    this.#parts.push(this.#buffer.subarray(this.#start, this.#at));
    this.#done += this.#at - this.#start;
    this.#start = this.#at;
  }

  /**
   * The index at which the next `n` bytes go. It may replace the buffer, so it comes before any use
   * of that.
   */
  #room(n: number): number {
    if (this.#at + n > this.#buffer.length) {
      const kept = this.#buffer.subarray(this.#start, this.#at);
      this.#buffer = new Uint8Array(Math.max(2 * this.#buffer.length, kept.length + n));
      this.#buffer.set(kept);
      this.#at = kept.length;
      this.#start = 0;
    }
    const from = this.#at;
    this.#at += n;
    return from;
  }
}

/**
 * An array of `n` bytes with arbitrary values, for a caller that will write all of them. To clear
 * an array first takes as long as to fill it.
 */
export const unfilled = (n: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(Buffer.allocUnsafeSlow(n).buffer);

/**
 * Frees the memory of bytes that nothing refers to any more, for the next array that is made: the
 * garbage collector would come to it later, and new memory costs as much as the work that is done
 * in it. Does nothing where the bytes are a part of an array.
 */
export function free({ buffer, length }: Uint8Array): void {
  // What is transferred to a buffer without any bytes is freed.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}

export const malformed = (why: string): DfsError =>
  new DfsError("protocol", `malformed data: ${why}`);
