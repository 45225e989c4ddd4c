/** Sealed contents: what a segment is, and that none passes for another. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  openSegment,
  plainBytes,
  SEALED_SEGMENT_BYTES,
  sealedBytes,
  sealSegment,
  SEGMENT_BYTES,
  segmentCount,
  type Stream,
} from "../../src/file/seal.ts";
import { forAll } from "../harness/property.ts";

const streamOf = (bytes: number, fill = 7): Stream => ({
  key: new Uint8Array(32).fill(fill),
  bytes,
});
const plain = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).map((_, i) => i % 251);

function sealed(stream: Stream, index: number, bytes: Uint8Array): Uint8Array {
  const into = new Uint8Array(sealedBytes(bytes.length));
  sealSegment(stream, index, bytes, into);
  return into;
}
const opens = (stream: Stream, index: number, bytes: Uint8Array): boolean =>
  openSegment(stream, index, bytes, new Uint8Array(bytes.length - 16));

test("lengths go there and back", () => {
  const edges = [0, 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 2 * SEGMENT_BYTES, 2 ** 46];
  for (const bytes of edges) expect(plainBytes(sealedBytes(bytes))).toBe(bytes);
  forAll([fc.nat({ max: 2 ** 40 })], (bytes) => {
    expect(plainBytes(sealedBytes(bytes))).toBe(bytes);
    expect(segmentCount(bytes)).toBe(Math.ceil(sealedBytes(bytes) / SEALED_SEGMENT_BYTES));
  });
});

test("a segment comes back as it was", () => {
  for (const length of [1, 16, 1000, SEGMENT_BYTES]) {
    const stream = streamOf(3 * SEGMENT_BYTES + length);
    const back = new Uint8Array(length);
    expect(openSegment(stream, 3, sealed(stream, 3, plain(length)), back)).toBe(true);
    expect(back).toEqual(plain(length));
  }
});

describe("a segment is nothing else", () => {
  const stream = streamOf(2 * SEGMENT_BYTES);
  const bytes = sealed(stream, 0, plain(SEGMENT_BYTES));

  test("at another place, of another version, or as the last one", () => {
    expect(opens(stream, 0, bytes)).toBe(true);
    expect(opens(stream, 1, bytes)).toBe(false);
    expect(opens(streamOf(2 * SEGMENT_BYTES, 8), 0, bytes)).toBe(false);
    // A file that was cut behind it.
    expect(opens(streamOf(SEGMENT_BYTES), 0, bytes)).toBe(false);
  });

  test("with any bit of it changed", () =>
    forAll([fc.nat({ max: bytes.length - 1 }), fc.nat(7)], (at, bit) => {
      expect(opens(stream, 0, bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit)))).toBe(false);
    }));
});
