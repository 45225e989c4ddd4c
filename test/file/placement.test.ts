import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { createHash } from "node:crypto";
import { digestOfName, homes, ringOf, rotation } from "../../src/file/placement.ts";
import { bytesOf, configOf, ringFrom, textUpTo, withHeirs } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";

const placesUpTo = (y: number): number[] => ringFrom(0, y);

/** What each server holds, sorted: the pieces that have it among their homes. */
function holdings(x: number, y: number, copies: number): number[][] {
  const held: number[][] = Array.from({ length: y }, () => []);
  for (let piece = 0; piece < y; piece++)
    for (const server of homes(ringFrom(x, y), piece, copies)) held[server]?.push(piece);
  return held;
}
const sorted = (pieces: number[]): number[] => pieces.toSorted((a, b) => a - b);

// docs/design.md, section 2, as people write it: pieces and servers count from 1.
test.each([
  [0, ["1,2", "2,3", "3,4", "4,1"]],
  [1, ["4,1", "1,2", "2,3", "3,4"]],
  [2, ["3,4", "4,1", "1,2", "2,3"]],
  [3, ["2,3", "3,4", "4,1", "1,2"]],
])("four servers, x = %d: %j", (x, row) => {
  const expected = row.map((cell) => sorted(cell.split(",").map((piece) => Number(piece) - 1)));
  expect(holdings(x, 4, 2)).toEqual(expected);
});

test.each([1, 2, 3, 5, 7, 30])(
  "of %d servers, server i holds (i-x) mod y and (i-x+1) mod y",
  (y) => {
    const mod = (n: number): number => ((n % y) + y) % y;
    for (let x = 0; x < y; x++) {
      const expected = Array.from({ length: y }, (_, i) => [
        ...new Set(sorted([mod(i - x), mod(i - x + 1)])),
      ]);
      expect(holdings(x, y, Math.min(2, y))).toEqual(expected);
    }
  },
);

test("the first home of piece j is (x+j) mod y, the second the one before it", () => {
  expect(homes(ringFrom(1, 4), 2, 2)).toEqual([3, 2]);
  expect(homes(ringFrom(3, 4), 1, 2)).toEqual([0, 3]);
  expect(homes(ringFrom(0, 1), 0, 1)).toEqual([0]);
  expect(homes(ringFrom(2, 5), 3, 1)).toEqual([0]);
});

describe("the rotation", () => {
  test("is the digest, as one big-endian number, mod y", () => {
    forAll([bytesOf(16), fc.integer({ min: 1, max: 1000 })], (digest, y) => {
      expect(rotation(digest, y)).toBe(Number(BigInt(`0x${digest.toHex()}`) % BigInt(y)));
    });
  });

  test("of a name is that of the MD5 of its bytes", () => {
    forAll([textUpTo(30), fc.integer({ min: 1, max: 30 })], (name, y) => {
      const digest = BigInt(`0x${createHash("md5").update(name, "utf8").digest("hex")}`);
      expect(rotation(digestOfName(name), y)).toBe(Number(digest % BigInt(y)));
    });
  });

  // Computed by another program (Python's hashlib), for y = 1, 2, 3, 4, 5, 7, 10, 30.
  test.each([
    ["a", [0, 1, 1, 1, 2, 0, 7, 7]],
    ["foo.txt", [0, 0, 0, 2, 3, 4, 8, 18]],
    ["Grüße/😀", [0, 0, 2, 0, 0, 6, 0, 20]],
  ])("of %s", (name, expected) => {
    expect([1, 2, 3, 4, 5, 7, 10, 30].map((y) => rotation(digestOfName(name), y))).toEqual(
      expected,
    );
  });
});

describe("the ring of a version", () => {
  const slots = fc.uniqueArray(fc.nat(119), { minLength: 1, maxLength: 30 });

  test("on all servers begins at the rotation", () => {
    forAll([bytesOf(16), fc.integer({ min: 1, max: 30 })], (digest, y) => {
      expect(ringOf(digest, y, configOf(y))).toEqual(ringFrom(rotation(digest, y), y));
    });
  });

  test("has each of its servers once, and where there is one more server at most one gives way to it", () => {
    const sizes = fc.integer({ min: 1, max: 29 });
    forAll([bytesOf(16), sizes, sizes], (digest, one, other) => {
      const [pieces, y] = [Math.min(one, other), Math.max(one, other)];
      const before = new Set(ringOf(digest, pieces, configOf(y)));
      const after = ringOf(digest, pieces, configOf(y + 1));
      expect(before.size).toBe(pieces);
      const fresh = after.filter((slot) => !before.has(slot));
      expect(fresh).toEqual(fresh.length > 0 ? [y] : []);
    });
  });

  test("is on places alone, in the order of their slots, whatever order they are named in", () => {
    forAll([bytesOf(16), slots, fc.nat(29)], (digest, places, less) => {
      const pieces = Math.max(1, places.length - less);
      const ring = ringOf(digest, pieces, configOf(120, { voters: places }));
      expect(ringOf(digest, pieces, configOf(120, { voters: places.toReversed() }))).toEqual(ring);
      expect(ring.every((slot) => places.includes(slot))).toBe(true);
      const inOrder = sorted(ring);
      const x = rotation(digest, pieces);
      expect(ring).toEqual([...inOrder.slice(x), ...inOrder.slice(0, x)]);
      expect(new Set(ring).size).toBe(pieces);
    });
  });

  test("keeps all but one of its servers where one place goes", () => {
    forAll([bytesOf(16), slots, fc.nat(29), fc.nat(29)], (digest, places, less, which) => {
      const pieces = Math.max(1, places.length - 1 - less);
      const gone = places[which % places.length];
      if (places.length === pieces) return;
      const before = ringOf(digest, pieces, configOf(120, { voters: places }));
      const after = ringOf(
        digest,
        pieces,
        configOf(120, { voters: places.filter((slot) => slot !== gone) }),
      );
      const kept = before.filter((slot) => slot !== gone);
      expect(kept.every((slot) => after.includes(slot))).toBe(true);
      expect(after.length).toBe(pieces);
    });
  });

  test("stays where it is when a server takes another's place", () => {
    forAll(
      [bytesOf(16), fc.integer({ min: 1, max: 29 }), fc.nat(29), fc.nat(28)],
      (digest, y, less, which) => {
        const gone = which % y;
        const after = configOf(y + 1, {
          seats: withHeirs(configOf(y + 1).seats, { [gone]: y }),
          voters: placesUpTo(y + 1).filter((slot) => slot !== gone),
        });
        const pieces = Math.max(1, y - less);
        const before = ringOf(digest, pieces, configOf(y));
        expect(ringOf(digest, pieces, after)).toEqual(
          before.map((slot) => (slot === gone ? y : slot)),
        );
      },
    );
  });

  test("spreads versions evenly", () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let i = 0; i < 5000; i++)
      for (const slot of ringOf(digestOfName(`file ${i}`), 4, configOf(10)))
        counts[slot] = (counts[slot] ?? 0) + 1;
    expect(Math.min(...counts)).toBeGreaterThan(1850);
    expect(Math.max(...counts)).toBeLessThan(2150);
  });
});
