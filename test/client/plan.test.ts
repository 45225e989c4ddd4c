import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { balance, matched, tolerance } from "../../src/client/fetch/plan.ts";
import { homes } from "../../src/file/placement.ts";
import { ringFrom } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";

/** How many pieces the busiest server serves. */
function busiest(chosen: readonly (number | null)[]): number {
  const loads = new Map<number, number>();
  for (const slot of chosen) if (slot !== null) loads.set(slot, (loads.get(slot) ?? 0) + 1);
  return Math.max(0, ...loads.values());
}

/** The least that the busiest server can serve: every choice is tried. */
function leastBusiest(
  holders: readonly (readonly number[])[],
  chosen: (number | null)[] = [],
): number {
  if (chosen.length === holders.length) return busiest(chosen);
  const options: (number | null)[] = [...(holders[chosen.length] ?? [])];
  if (options.length === 0) options.push(null);
  return Math.min(...options.map((slot) => leastBusiest(holders, [...chosen, slot])));
}

describe("balance", () => {
  test("gives each piece one of its holders, and null where there is none", () => {
    expect(balance([])).toEqual([]);
    expect(balance([[]])).toEqual([null]);
    expect(balance([[3], [], [5]])).toEqual([3, null, 5]);
  });

  test("moves a piece over when another one has no choice", () => {
    expect(balance([[0, 1], [0]])).toEqual([1, 0]);
    expect(balance([[0, 1], [1, 2], [0]])).toEqual([1, 2, 0]);
  });

  test("any holders: the busiest server serves as few as can be", () => {
    const holders = fc.array(fc.uniqueArray(fc.nat(4), { maxLength: 4 }), { maxLength: 6 });
    forAll(
      [holders],
      (all) => {
        const chosen = balance(all);
        expect(chosen.length).toBe(all.length);
        for (const [piece, slot] of chosen.entries())
          expect(slot === null ? all[piece]?.length === 0 : all[piece]?.includes(slot)).toBe(true);
        expect(busiest(chosen)).toBe(leastBusiest(all));
      },
      1500,
    );
  });

  test.each([2, 3, 4, 5, 10, 30])("of %d servers all serve one piece, whatever x", (y) => {
    for (let x = 0; x < y; x++) {
      const holders = Array.from({ length: y }, (_, piece) => homes(ringFrom(x, y), piece, 2));
      expect(busiest(balance(holders))).toBe(1);
      // With one server down its neighbours share its pieces: none serves more than two.
      const without = holders.map((slots) => slots.filter((slot) => slot !== 0));
      expect(busiest(balance(without))).toBe(2);
    }
  });
});

test("as many pieces are matched as there are servers that can each hold one of them", () => {
  expect(matched([])).toBe(0);
  expect(matched([[0], [0], [0]])).toBe(1);
  expect(matched([[0], [0, 1], [1, 2], []])).toBe(3);
  expect(matched([[0, 1, 2], [0, 1], [0]])).toBe(3);
});

test.each([
  [
    "pairs",
    [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 0],
    ],
    4,
    1,
  ],
  [
    "pairs with one server down",
    [
      [0, 1],
      [1, 2],
      [2, 3],
    ],
    4,
    0,
  ],
  [
    "pairs with neighbours down",
    [
      [0, 1],
      [1, 2],
    ],
    4,
    -1,
  ],
  ["rs:2+2", [[0], [1], [2], [3]], 2, 2],
  ["rs:2+2 with one server down and its piece handed off", [[0, 3], [1], [2]], 2, 1],
  ["rs:4+2", [[0], [1], [2], [3], [4], [5]], 4, 2],
  ["nothing", [], 1, -1],
])("%s: what may be lost", (_, held, needed, expected) => {
  expect(tolerance(held, needed)).toBe(expected);
});

test("an empty file cannot be lost", () => expect(tolerance([], 0)).toBe(Infinity));

/** The fewest servers whose loss leaves too few pieces, less one: every set of them is tried. */
function exactTolerance(held: readonly (readonly number[])[], needed: number): number {
  let best = held.length;
  for (let lost = 0; lost < 2 ** held.length; lost++) {
    const left = new Set(held.filter((_, slot) => ((lost >> slot) & 1) === 0).flat());
    const count = lost.toString(2).replaceAll("0", "").length;
    if (left.size < needed) best = Math.min(best, count - 1);
  }
  return best;
}

describe("how many servers may be lost", () => {
  const all17 = Array.from({ length: 17 }, (_, i) => i + 1);
  test.each([
    ["a piece with one copy, beside pieces with two", [[], [2, 3], [0, 4], [2], [], [0, 1]], 3, 1],
    ["one server with a piece of its own", [[0], all17, all17], 18, 0],
  ])("%s", (_, held, needed, expected) => {
    expect(tolerance(held, needed)).toBe(expected);
  });

  test("whatever is held: neither more nor less", () => {
    const held = fc.array(fc.uniqueArray(fc.nat(7), { maxLength: 4 }), {
      minLength: 1,
      maxLength: 7,
    });
    forAll(
      [held, fc.integer({ min: 1, max: 6 })],
      (all, needed) => expect(tolerance(all, needed)).toBe(exactTolerance(all, needed)),
      3000,
    );
  });

  test("of many servers with several pieces each it is found soon, and never too much", () => {
    const held = Array.from({ length: 30 }, (_, slot) =>
      [0, 5, 11].map((n) => (n * slot + n + slot) % 24),
    );
    const started = performance.now();
    expect(tolerance(held, 16)).toBeGreaterThanOrEqual(0);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
