/**
 * A stream whose bytes are sealed as they are read, each byte once. The last segment is sealed as
 * the last, so one segment is read ahead. Used by put_stream.
 */
import { SEALED_SEGMENT_BYTES, sealedBytes, sealSegment, SEGMENT_BYTES } from "../../file/seal.ts";
import { assert } from "../../errors.ts";
import type { OrderedReader } from "./byte_stream.ts";

export class SealedStream implements OrderedReader {
  readonly #plain: OrderedReader;
  readonly #key: Uint8Array;
  /** The segment that was read ahead, in one of two buffers; null: none was yet. */
  #ahead: Uint8Array | null = null;
  #buffer = new Uint8Array(SEGMENT_BYTES);
  #other = new Uint8Array(SEGMENT_BYTES);
  #index = 0;
  #bytes = 0;

  /** `key` is for this stream alone. */
  constructor(plain: OrderedReader, key: Uint8Array) {
    this.#plain = plain;
    this.#key = key;
  }

  /** `into` has room for whole segments. Throws what the stream throws. */
  async readInto(into: Uint8Array): Promise<number> {
    assert(into.length % SEALED_SEGMENT_BYTES === 0, "segments are sealed whole");
    this.#ahead ??= await this.#read();
    let filled = 0;
    while (filled < into.length && this.#ahead.length > 0) {
      const plain = this.#ahead;
      this.#ahead = await this.#read();
      this.#bytes += plain.length;
      const isLast = this.#ahead.length === 0;
      const end = filled + sealedBytes(plain.length);
      const stream = { key: this.#key, bytes: isLast ? this.#bytes : Infinity };
      sealSegment(stream, this.#index++, plain, into.subarray(filled, end));
      filled = end;
    }
    return filled;
  }

  async #read(): Promise<Uint8Array> {
    [this.#buffer, this.#other] = [this.#other, this.#buffer];
    return this.#buffer.subarray(0, await this.#plain.readInto(this.#buffer));
  }
}
