import { expect, test } from "bun:test";
import fc from "fast-check";
import { chancesOf, drawingWeights, inclusionProbabilities } from "../../src/file/shares.ts";
import { forAll } from "../harness/property.ts";

const weights = fc.array(fc.integer({ min: 1, max: 65_535 }), { minLength: 2, maxLength: 30 });
const few = fc.nat(28);

test("each takes its part by weight, but no more than one place", () => {
  expect(chancesOf([1, 2, 2, 4, 4], 3)).toEqual([3 / 13, 6 / 13, 6 / 13, 12 / 13, 12 / 13]);
  expect(chancesOf([1, 1, 4], 2)).toEqual([0.5, 0.5, 1]);
  expect(chancesOf([1, 2, 100, 3], 3)).toEqual([1 / 3, 2 / 3, 1, 1]);
  expect(chancesOf([5, 5, 5, 5], 1)).toEqual([0.25, 0.25, 0.25, 0.25]);
  forAll([weights, few], (all, n) => {
    const count = 1 + (n % (all.length - 1));
    const chances = chancesOf(all, count);
    expect(chances.reduce((a, b) => a + b, 0)).toBeCloseTo(count, 9);
    for (const [i, chance] of chances.entries()) {
      expect(chance > 0 && chance <= 1).toBe(true);
      for (const [j, other] of chances.entries())
        if (chance < 1 && other < 1)
          expect(chance / other).toBeCloseTo((all[i] ?? 0) / (all[j] ?? 1), 6);
    }
  });
});

test("servers that weigh the same draw with the same", () => {
  expect(drawingWeights([7, 7, 7, 7], 3)).toEqual([1n, 1n, 1n, 1n]);
  expect(drawingWeights([7, 60_000, 7, 7], 2)).toEqual([1n, null, 1n, 1n]);
});

// On another machine it would be the same to the last bit: or that one would place otherwise.
test.each([
  [
    [1, 2, 2, 4, 4],
    3,
    [116_101_309_972n, 244_178_067_570n, 244_178_067_570n, 2n ** 40n, 2n ** 40n],
  ],
  [[1, 8, 8], 2, [94_881_802_123n, 2n ** 40n, 2n ** 40n]],
])(
  "with weights %j, %i of them, servers draw with what they always did",
  (all, count, expected) => {
    expect(drawingWeights(all, count)).toEqual(expected);
  },
);

test("what they draw with gives each its part", () => {
  forAll([weights, few], (all, n) => {
    const count = 1 + (n % (all.length - 1));
    const chances = chancesOf(all, count);
    const drawing = drawingWeights(all, count);
    const open = [...all.keys()].filter((i) => drawing[i] !== null);
    expect(open.every((i) => (chances[i] ?? 1) < 1)).toBe(true);
    expect(open.length).toBe(chances.filter((chance) => chance < 1).length);
    const rates = open.map((i) => Number(drawing[i]));
    if (rates.length === 0) return;
    const most = Math.max(...rates);
    const got = inclusionProbabilities(
      rates.map((rate) => rate / most),
      count - (all.length - open.length),
    );
    for (const [at, i] of open.entries())
      expect(Math.abs((got[at] ?? 0) / (chances[i] ?? 1) - 1)).toBeLessThan(0.03);
  });
});
