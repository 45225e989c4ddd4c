import { expect, test } from "bun:test";
import fc from "fast-check";
import { pieceBytes, pieceOffset } from "../../src/file/split.ts";
import { FILE_BYTES_MAX, PIECES_MAX } from "../../src/limits.ts";
import { forAll } from "../property.ts";

const cut = (size: number, n: number): number[] =>
  Array.from({ length: n }, (_, i) => pieceBytes(size, n, i));

test.each([
  [0, 4, [0, 0, 0, 0]],
  [1, 4, [1, 0, 0, 0]],
  [3, 4, [1, 1, 1, 0]],
  [4, 4, [1, 1, 1, 1]],
  [10, 4, [3, 3, 2, 2]],
  [7, 1, [7]],
  [FILE_BYTES_MAX + 2, 3, [23456248059222, 23456248059222, 23456248059222]],
])("%d bytes in %d pieces", (size, n, expected) => {
  expect(cut(size, n)).toEqual(expected);
});

test("pieces follow one another without a gap, sum to the file, and differ by at most a byte", () => {
  const size = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: FILE_BYTES_MAX }));
  forAll([size, fc.integer({ min: 1, max: PIECES_MAX })], (bytes, n) => {
    const lengths = cut(bytes, n);
    let at = 0;
    for (const [i, length] of lengths.entries()) {
      expect(pieceOffset(bytes, n, i)).toBe(at);
      at += length;
    }
    expect(at).toBe(bytes);
    expect(Math.max(...lengths) - Math.min(...lengths)).toBeLessThanOrEqual(1);
    expect(lengths).toEqual(lengths.toSorted((a, b) => b - a));
  });
});
