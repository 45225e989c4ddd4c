/**
 * Sealed bytes on their way to a sink. A segment is opened as soon as all of it is here, so that
 * only bytes that were proved to be those of the put are written. Used by get and stored_source.
 */
import { DfsError } from "../../errors.ts";
import {
  openSegment,
  plainBytes,
  SEALED_SEGMENT_BYTES,
  sealedBytes,
  SEGMENT_BYTES,
  type Stream,
} from "../../file/seal.ts";
import { roomFor } from "./buffers.ts";
import type { Sink } from "./sink.ts";
import type { Range } from "./portions.ts";

/** The sealed bytes that hold a range of the file: whole segments. */
export function sealedRange(range: Range): Range {
  const first = Math.floor(range.offset / SEGMENT_BYTES);
  const end = Math.ceil((range.offset + range.length) / SEGMENT_BYTES);
  const offset = first * SEALED_SEGMENT_BYTES;
  return { offset, length: range.length === 0 ? 0 : end * SEALED_SEGMENT_BYTES - offset };
}

/** The part of a segment that is here; the rest is in another piece or another chunk. */
interface Waiting {
  readonly bytes: Uint8Array;
  have: number;
}

/**
 * A sink that opens. `write` takes each sealed byte once; `into` gets the opened bytes of the
 * range, and `progress` their number. `write` throws DfsError("integrity") when a segment does not
 * open.
 */
export function openingSink(
  name: string,
  stream: Stream,
  range: Range,
  into: Sink,
  progress: (bytes: number) => void = () => {},
): Sink {
  let waiting = new Map<number, Waiting>();
  const free: Uint8Array[] = [];
  const whole = sealedBytes(stream.bytes);
  const endOf = (index: number): number => Math.min((index + 1) * SEALED_SEGMENT_BYTES, whole);

  /** Opens consecutive segments, given the number of the first one. */
  const open = (first: number, segments: readonly Uint8Array[], plain: Uint8Array): void => {
    for (const [i, segment] of segments.entries())
      if (
        !openSegment(
          stream,
          first + i,
          segment,
          plain.subarray(i * SEGMENT_BYTES, (i + 1) * SEGMENT_BYTES),
        )
      )
        throw new DfsError("integrity", `${name}: its bytes are not those that were sealed`);
  };

  /** Adds part of a segment; returns the segment once it is whole. */
  const complete = (index: number, part: Uint8Array, at: number): Uint8Array | null => {
    const begin = index * SEALED_SEGMENT_BYTES;
    const known = waiting.get(index) ?? { bytes: new Uint8Array(endOf(index) - begin), have: 0 };
    known.bytes.set(part, at - begin);
    known.have += part.length;
    if (known.have < known.bytes.length) {
      waiting.set(index, known);
      return null;
    }
    waiting.delete(index);
    return known.bytes;
  };

  const pass = async (first: number, segments: readonly Uint8Array[]): Promise<void> => {
    if (segments.length === 0) return;
    const bytes = plainBytes(segments.reduce((sum, { length }) => sum + length, 0));
    const buffer = roomFor(free, bytes, stream.bytes);
    const plain = buffer.subarray(0, bytes);
    open(first, segments, plain);
    const begin = first * SEGMENT_BYTES;
    const at = Math.max(begin, range.offset);
    const end = Math.min(begin + plain.length, range.offset + range.length);
    if (at < end) await into.write(plain.subarray(at - begin, end - begin), at);
    progress(Math.max(0, end - at));
    free.push(buffer);
  };

  return {
    inOrder: into.inOrder,
    open(found) {
      waiting = new Map();
      return into.open(found);
    },
    async write(bytes, offset) {
      const end = offset + bytes.length;
      // Only the first and the last segment may be incomplete, so the complete ones are
      // consecutive.
      const segments: Uint8Array[] = [];
      let first = Math.floor(offset / SEALED_SEGMENT_BYTES);
      for (let at = offset, index = first; at < end; index++) {
        const next = Math.min(endOf(index), end);
        const part = bytes.subarray(at - offset, next - offset);
        const isWhole = at === index * SEALED_SEGMENT_BYTES && next === endOf(index);
        const segment = isWhole ? part : complete(index, part, at);
        if (segment) segments.push(segment);
        else if (segments.length === 0) first = index + 1;
        at = next;
      }
      await pass(first, segments);
    },
  };
}
