/**
 * Streams: bytes to put whose number nobody knows before their end, and which can be read only
 * once. Used by put_stream and by everything that puts a stream.
 */
import { DfsError } from "../../errors.ts";
import type { Attributes } from "../../file/attributes.ts";
import { FILE_BYTES_MAX } from "../../limits.ts";

/** Bytes to put, in parts of any length, of which some may be empty. */
export interface ByteStream {
  /** What it throws ends the put, and nothing is put. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** What the version says of the file beside its bytes. */
  readonly attributes: Attributes;
}

/** What gives bytes one after the other. */
export interface OrderedReader {
  /**
   * Fills `into` with the bytes that come next. Returns how many these are: fewer than there is
   * room for only at the end.
   */
  readInto(into: Uint8Array): Promise<number>;
}

/** Reads a stream. No more of it is asked for than is read. */
export class StreamReader implements OrderedReader {
  readonly #parts: AsyncIterator<Uint8Array>;
  /** Bytes that have come, and were not read yet. */
  #come: Uint8Array[] = [];
  #isOver = false;
  /** How many bytes have come. */
  bytes = 0;

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#parts = stream[Symbol.asyncIterator]();
  }

  /**
   * Throws DfsError("usage") where the stream is longer than any file, and what the stream throws.
   */
  async readInto(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length) {
      const [first] = this.#come;
      if (first) {
        const taken = first.subarray(0, into.length - filled);
        into.set(taken, filled);
        filled += taken.length;
        if (taken.length < first.length) this.#come[0] = first.subarray(taken.length);
        else this.#come.shift();
        continue;
      }
      if (this.#isOver) break;
      const next = await this.#parts.next();
      if (next.done) this.#isOver = true;
      else if (next.value.length > 0) this.#take(next.value);
    }
    return filled;
  }

  #take(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    if (this.bytes > FILE_BYTES_MAX)
      throw new DfsError("usage", `what is put has more than ${FILE_BYTES_MAX} bytes`);
    this.#come.push(bytes);
  }

  /** Takes back bytes that were read last: they come next once more. */
  unread(bytes: Uint8Array): void {
    this.#come.unshift(bytes);
  }

  /** Tells the stream that no more of it is wanted. What it throws then is of no interest. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    await this.#parts.return?.().catch(() => {});
  }
}
