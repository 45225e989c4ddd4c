import { expect, test } from "bun:test";
import fc from "fast-check";
import { inDrawnOrder, log2, lotOf, splitmix64 } from "../../src/file/draw.ts";
import { forAll } from "../harness/property.ts";

/** What servers of these weights draw, from the first. */
const order = (lot: number, weights: readonly number[]): number[] =>
  inDrawnOrder(
    lot,
    weights.map((weight, founder) => ({ founder, weight: BigInt(weight) })),
  ).map(({ founder }) => founder);

// Of another program (splitmix64 in C gives the first one as its first number from the seed 0).
test.each([
  [0n, 0xe220_a839_7b1d_cdafn],
  [1n, 0x910a_2dec_8902_5cc1n],
  [0xffffn, 0xcf0f_635e_85b8_5d76n],
  [0x1234_5678n, 0x38f1_dc39_d190_6b6fn],
  [0xffff_ffff_ffff_ffffn, 0xe4d9_7177_1b65_2c20n],
])("%i is mixed as always", (state, expected) => expect(splitmix64(state)).toBe(expected));

// Python's decimal gives the same, but for 3 in the last place at most.
test.each([
  [1n, 0n],
  [2n, 281_474_976_710_656n],
  [3n, 446_127_282_977_750n],
  [10n, 935_039_633_142_894n],
  [255n, 2_250_210_447_456_599n],
  [65_535n, 4_503_593_430_995_200n],
  [123_456_789_012_345n, 13_176_124_994_720_558n],
  [0x8000_0000_0000_0001n, 17_732_923_532_771_328n],
  [0xffff_ffff_ffff_ffffn, 18_014_398_509_481_981n],
])("the logarithm of %i is what it always was", (x, expected) => expect(log2(x)).toBe(expected));

test("logarithms are right, and rise", () => {
  forAll([fc.bigInt({ min: 1n, max: 0xffff_ffff_ffff_fffen })], (x) => {
    const here = log2(x);
    expect(Math.abs(Number(here) / 2 ** 48 - Math.log2(Number(x)))).toBeLessThan(1e-11);
    expect(log2(x + 1n) - here).toBeGreaterThanOrEqual(-8n);
  });
});

test("a lot is the first 16 bits of a digest", () => {
  expect(lotOf(Uint8Array.of(0x12, 0x34, 0x56))).toBe(0x1234);
  expect(lotOf(Uint8Array.of(0xff, 0xff))).toBe(65_535);
});

// Computed by another program (Python, with decimal for the logarithm).
test.each([
  [0x022a, [3, 1, 4, 2, 0], [5, 7, 3]],
  [0x7cfa, [2, 4, 0, 3, 1], [0, 2, 4]],
  [0x280c, [2, 3, 4, 0, 1], [0, 2, 6]],
  [0x0a2f, [0, 3, 1, 2, 4], [0, 1, 3]],
])("the order for lot %i is what it always was", (lot, byWeight, firstOfEight) => {
  expect(order(lot, [1, 2, 3, 4, 5])).toEqual(byWeight);
  const found = order(lot, [1, 1, 1, 1, 1, 1, 1, 1]).slice(0, 3);
  expect(new Set(found)).toEqual(new Set(firstOfEight));
});

const lot = fc.nat(65_535);
const weights = fc.array(fc.integer({ min: 1, max: 65_535 }), { minLength: 1, maxLength: 30 });

test("a server that comes or goes, or weighs otherwise, changes the order of no others", () => {
  forAll([lot, weights, fc.nat(29), fc.integer({ min: 1, max: 65_535 })], (of, all, at, weight) => {
    const which = at % all.length;
    const rest = (found: number[]): number[] => found.filter((founder) => founder !== which);
    const before = order(of, all);
    expect(rest(order(of, all.with(which, weight)))).toEqual(rest(before));
    expect(order(of, all.slice(0, -1))).toEqual(before.filter((i) => i < all.length - 1));
  });
});

test("only the proportion of weights counts", () => {
  forAll([lot, weights, fc.integer({ min: 1, max: 1000 })], (of, all, times) => {
    expect(
      order(
        of,
        all.map((weight) => weight * times),
      ),
    ).toEqual(order(of, all));
  });
});

test("the first one is by weight", () => {
  const counts = [0, 0, 0, 0];
  for (let of = 0; of < 65_536; of++) {
    const [first = 0] = order(of, [1, 2, 3, 4]);
    counts[first] = (counts[first] ?? 0) + 1;
  }
  for (const [i, count] of counts.entries())
    expect(Math.abs(count / ((65_536 * (i + 1)) / 10) - 1)).toBeLessThan(0.03);
});

test("who has no weight to draw with comes before all others", () => {
  forAll([lot, weights], (of, all) => {
    const drawers = all.map((weight, founder) => ({
      founder,
      weight: founder % 3 === 2 ? null : BigInt(weight),
    }));
    const certain = Math.floor(all.length / 3);
    const found = inDrawnOrder(of, drawers).map(({ founder }) => founder % 3 === 2);
    expect(found).toEqual(all.map((_, i) => i < certain));
  });
});
