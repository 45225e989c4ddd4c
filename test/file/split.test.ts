import { expect, test } from "bun:test";
import fc from "fast-check";
import {
  chunkBytes,
  chunkOffset,
  partBytes,
  partOffset,
  pieceBytes,
  stripeBytes,
} from "../../src/file/split.ts";
import { CHUNK_BYTES, FILE_BYTES_MAX, PIECES_MAX } from "../../src/limits.ts";
import { forAll } from "../harness/property.ts";

const parts = (size: number, n: number): number[] =>
  Array.from({ length: n }, (_, i) => partBytes(size, n, i));

test.each([
  [0, 4, [0, 0, 0, 0]],
  [1, 4, [1, 0, 0, 0]],
  [3, 4, [1, 1, 1, 0]],
  [4, 4, [1, 1, 1, 1]],
  [10, 4, [3, 3, 2, 2]],
  [7, 1, [7]],
  [FILE_BYTES_MAX + 2, 3, [23456248059222, 23456248059222, 23456248059222]],
])("%d bytes in %d pieces", (size, n, expected) => {
  expect(parts(size, n)).toEqual(expected);
});

test("pieces follow one another without a gap, sum to the file, and differ by at most a byte", () => {
  const size = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: FILE_BYTES_MAX }));
  forAll([size, fc.integer({ min: 1, max: PIECES_MAX })], (bytes, n) => {
    const lengths = parts(bytes, n);
    let at = 0;
    for (const [i, length] of lengths.entries()) {
      expect(partOffset(bytes, n, i)).toBe(at);
      at += length;
    }
    expect(at).toBe(bytes);
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
    expect(lengths).toEqual(lengths.toSorted((a, b) => b - a));
  });
});

const sizes = fc.oneof(
  fc.nat(300),
  fc.integer({ min: 0, max: 40 * CHUNK_BYTES }),
  fc
    .tuple(fc.nat(40), fc.integer({ min: -2, max: 2 }))
    .map(([n, d]) => Math.max(0, n * CHUNK_BYTES + d)),
);

test("the chunks of all data pieces are the file, each byte once, with parity and without", () => {
  const needs = fc.integer({ min: 1, max: 16 });
  forAll([sizes, needs, fc.nat(8), fc.boolean()], (size, needed, parity, isStream) => {
    const cut = { size, pieces: needed + parity, needed, striped: parity > 0 || isStream };
    const spans: [from: number, to: number][] = [];
    for (let piece = 0; piece < needed; piece++)
      for (let offset = 0; offset < pieceBytes(cut, piece); offset += CHUNK_BYTES) {
        const at = chunkOffset(cut, piece, offset);
        spans.push([at, at + chunkBytes(cut, piece, offset)]);
      }
    let next = 0;
    for (const [from, to] of spans.toSorted(([a], [b]) => a - b)) {
      expect(from).toBe(next);
      expect(to).toBeGreaterThan(from);
      next = to;
    }
    expect(next).toBe(size);
  });
});

test("with parity the chunks of a stripe are as long as its first but for a byte, and those of parity just as long", () => {
  forAll(
    [sizes, fc.integer({ min: 1, max: 16 }), fc.integer({ min: 1, max: 8 })],
    (size, needed, parity) => {
      const cut = { size, pieces: needed + parity, needed, striped: true };
      for (let offset = 0; offset < pieceBytes(cut, 0); offset += CHUNK_BYTES) {
        const longest = chunkBytes(cut, 0, offset);
        for (let piece = 0; piece < cut.pieces; piece++) {
          const length = chunkBytes(cut, piece, offset);
          if (piece < needed) expect([longest, longest - 1]).toContain(length);
          else expect(length).toBe(longest);
        }
      }
    },
  );
});

test("a file of at most a stripe is cut the same in stripes and without", () => {
  const needs = fc.integer({ min: 1, max: 16 });
  forAll([needs, fc.nat(), fc.boolean()], (needed, any, isFull) => {
    const size = isFull ? stripeBytes({ needed }) : any % (stripeBytes({ needed }) + 1);
    for (let piece = 0; piece < needed; piece++) {
      const [plain, striped] = [false, true].map((is) => {
        const cut = { size, pieces: needed, needed, striped: is };
        return [pieceBytes(cut, piece), chunkOffset(cut, piece, 0)];
      });
      expect(striped).toEqual(plain);
    }
  });
});

test("what comes later in a stream does not change how its full stripes were cut", () => {
  const needs = fc.integer({ min: 1, max: 16 });
  forAll([needs, fc.nat(20), sizes], (needed, stripes, more) => {
    const size = stripes * stripeBytes({ needed });
    const [now, later] = [size, size + more].map((bytes) => ({
      size: bytes,
      pieces: needed,
      needed,
      striped: true,
    }));
    for (let piece = 0; piece < needed; piece++)
      for (let offset = 0; offset < stripes * CHUNK_BYTES; offset += CHUNK_BYTES) {
        expect(chunkOffset(later!, piece, offset)).toBe(chunkOffset(now!, piece, offset));
        expect(chunkBytes(later!, piece, offset)).toBe(CHUNK_BYTES);
      }
  });
});
