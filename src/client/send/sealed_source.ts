/**
 * A source whose bytes are sealed as they are read. Servers get the bytes of this source. Used by
 * put.
 */
import { DfsError } from "../../errors.ts";
import {
  SEALED_SEGMENT_BYTES,
  sealedBytes,
  sealSegment,
  SEGMENT_BYTES,
  segmentCount,
} from "../../file/seal.ts";
import { PIECES_MAX } from "../../limits.ts";
import { roomFor } from "../fetch/buffers.ts";
import type { Source } from "./source.ts";

/** One rest for each piece that is read at the same time. */
const RESTS_KEPT = PIECES_MAX;

/**
 * The sealed bytes of a source under this key, which is for this source alone. They may be read at
 * any offset, more than once. A segment must keep the content that it had when it was first read:
 * two contents under one nonce would reveal something of each other.
 */
export function sealedSource(source: Source, key: Uint8Array): Source {
  const stream = { key, bytes: source.bytes };
  const bytes = sealedBytes(source.bytes);
  // A piece is read again where it must be handed to another server, long after it was read first.
  // So there is no bound but the file: 9 bytes for each segment of 64 KiB.
  const sums = new BigUint64Array(segmentCount(source.bytes));
  const known = new Uint8Array(sums.length);
  const free: Uint8Array[] = [];

  const seal = (index: number, plain: Uint8Array, into: Uint8Array): void => {
    const sum = Bun.hash.xxHash3(plain);
    if (known[index] === 1 && sums[index] !== sum)
      throw new DfsError("putFailed", "the file changed while it was read; put it again");
    known[index] = 1;
    sums[index] = sum;
    sealSegment(stream, index, plain, into);
  };

  /**
   * Sealed segments that reach beyond what was asked for. Mostly the bytes that follow are asked
   * for next.
   */
  const rests = new Map<number, Uint8Array>();
  const keepRest = (index: number, whole: Uint8Array): void => {
    const [oldest] = rests.keys();
    if (rests.size >= RESTS_KEPT && oldest !== undefined) rests.delete(oldest);
    rests.set(index, whole);
  };

  return {
    ...source,
    bytes,
    async read(into, offset) {
      if (into.length === 0) return;
      const begin = Math.floor(offset / SEALED_SEGMENT_BYTES);
      const end = Math.ceil((offset + into.length) / SEALED_SEGMENT_BYTES);
      const rest = rests.get(begin);
      if (rest) {
        rests.delete(begin);
        copyOverlap(rest, begin * SEALED_SEGMENT_BYTES - offset, into);
      }
      const first = rest ? begin + 1 : begin;
      const length = Math.min(end * SEGMENT_BYTES, source.bytes) - first * SEGMENT_BYTES;
      if (length <= 0) return;
      const buffer = roomFor(free, length, source.bytes);
      const plain = buffer.subarray(0, length);
      await source.read(plain, first * SEGMENT_BYTES);
      for (let index = first; index < end; index++) {
        const from = (index - first) * SEGMENT_BYTES;
        const part = plain.subarray(from, from + SEGMENT_BYTES);
        const at = index * SEALED_SEGMENT_BYTES - offset;
        const sealed = sealedBytes(part.length);
        if (at >= 0 && at + sealed <= into.length) {
          seal(index, part, into.subarray(at, at + sealed));
          continue;
        }
        // Pieces need not end where segments end.
        const whole = new Uint8Array(sealed);
        seal(index, part, whole);
        copyOverlap(whole, at, into);
        if (at + sealed > into.length) keepRest(index, whole);
      }
      free.push(buffer);
    },
  };
}

/** Copies the part of a segment that lies within `into`, where the segment begins at `at`. */
function copyOverlap(segment: Uint8Array, at: number, into: Uint8Array): void {
  const skipped = Math.max(0, -at);
  into.set(segment.subarray(skipped, into.length - at), at + skipped);
}
