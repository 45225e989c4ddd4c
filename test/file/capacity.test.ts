/** Where files with parity lie that take some of the servers: by the capacity of each. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  candidates,
  digestOfName,
  drawDigest,
  handingOrder,
  homesOf,
  ringOf,
} from "../../src/file/placement.ts";
import { chancesOf } from "../../src/file/shares.ts";
import type { Config } from "../../src/membership.ts";
import { bytesOf, configOf, ringFrom, withHeirs } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";

/** A cluster whose servers weigh so much. */
function weighing(weights: readonly number[], some: Partial<Config> = {}): Config {
  const config = configOf(weights.length, some);
  const seats = config.seats.map((seat, i) => ({ ...seat, weight: weights[i] ?? 1 }));
  return { ...config, seats };
}

/** So many of the 65,536 lots are looked at. */
const LOTS = 16_384;
const digestOf = (lot: number): Uint8Array => Uint8Array.of(lot >> 6, (lot << 2) & 0xff);

/** In how many lots each server is. */
function countsOf(config: Config, pieces: number): number[] {
  const counts = config.seats.map(() => 0);
  for (let lot = 0; lot < LOTS; lot++)
    for (const slot of ringOf(digestOf(lot), pieces, config))
      counts[slot] = (counts[slot] ?? 0) + 1;
  return counts;
}

/** How many pieces of a file move from one cluster to another. */
function movedOf(before: Config, after: Config, pieces: number): number {
  let moved = 0;
  for (let lot = 0; lot < LOTS; lot += 4) {
    const there = ringOf(digestOf(lot), pieces, before);
    moved += ringOf(digestOf(lot), pieces, after).filter((slot) => !there.includes(slot)).length;
  }
  return (moved * 4) / LOTS;
}

describe("each server holds its part of all pieces", () => {
  test.each<[number[], number]>([
    [[1, 2, 2, 4, 4], 3],
    [[1, 4, 4, 4, 4], 3],
    [[1, 1, 1, 1, 8], 2],
    [[1, 2, 3, 4, 5, 6, 7, 8], 6],
    [[3, 3, 3, 3, 3, 3], 4],
    [[5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16], 6],
  ])("%j, of %i pieces", (weights, pieces) => {
    const chances = chancesOf(weights, pieces);
    for (const [slot, count] of countsOf(weighing(weights), pieces).entries())
      expect(Math.abs(count / LOTS / (chances[slot] ?? 1) - 1)).toBeLessThan(0.05);
  });

  test("of disks of 1, 2, 2, 4 and 4 the smallest is not the first that is full", () => {
    const sizes = [1, 2, 2, 4, 4];
    const full = countsOf(weighing(sizes), 3).map((count, slot) => count / (sizes[slot] ?? 1));
    expect(Math.max(...full) / Math.min(...full)).toBeLessThan(1.05);
  });

  test("who leaves holds none, and the others as if it were not there", () => {
    const weights = [4, 1, 2, 3, 4, 4];
    const counts = countsOf(weighing(weights, { leaving: [0] }), 3);
    const chances = chancesOf(weights.slice(1), 3);
    expect(counts[0]).toBe(0);
    for (const [i, chance] of chances.entries())
      expect(Math.abs((counts[i + 1] ?? 0) / LOTS / chance - 1)).toBeLessThan(0.05);
  });

  test("and where a server of a ring is gone its pieces go to others by capacity", () => {
    const config = weighing([1, 1, 1, 1, 2, 4], { leaving: [0] });
    const counts = [0, 0, 0, 0, 0, 0];
    for (let i = 0; i < 6000; i++) {
      const cid = digestOfName(`content ${i}`).toHex();
      const [[slot = 0] = []] = homesOf({ ring: [0, 1, 2], cid, needed: 2, copies: 1 }, config);
      counts[slot] = (counts[slot] ?? 0) + 1;
    }
    expect(counts.slice(0, 3)).toEqual([0, 0, 0]);
    const [one = 0, two = 0, four = 0] = counts.slice(3);
    expect(Math.abs(two / one / 2 - 1)).toBeLessThan(0.2);
    expect(Math.abs(four / one / 4 - 1)).toBeLessThan(0.2);
  });
});

test("what a home does not take is handed to others by capacity; pairs as always", () => {
  const config = weighing([1, 1, 1, 1, 2, 4]);
  const counts = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < 6000; i++) {
    const cid = digestOfName(`content ${i}`).toHex();
    const version = { ring: [0, 1, 2], cid, needed: 2, copies: 1 };
    const order = handingOrder(version, config);
    expect(new Set(order)).toEqual(new Set([0, 1, 2, 3, 4, 5]));
    const [home = 0, next = 0] = candidates(homesOf(version, config), 1, order);
    expect(home).toBe(1);
    counts[next] = (counts[next] ?? 0) + 1;
    expect(handingOrder({ ...version, needed: 3 }, config)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(handingOrder(version, { ...config, format: 3 })).toEqual([0, 1, 2, 3, 4, 5]);
    expect(handingOrder(version, { ...config, format: 4 })).toEqual(order);
  }
  expect(counts.slice(0, 3)).toEqual([0, 0, 0]);
  const [one = 0, two = 0, four = 0] = counts.slice(3);
  expect(Math.abs(two / one / 2 - 1)).toBeLessThan(0.2);
  expect(Math.abs(four / one / 4 - 1)).toBeLessThan(0.2);
});

describe("few pieces move", () => {
  test.each<[number[], number, number]>([
    [[1, 2, 2, 4, 4], 3, 4],
    [[1, 2, 2, 4, 4], 3, 2],
    [[4, 4, 4, 4, 4], 3, 1],
    [[1, 2, 3, 4, 5, 6, 7, 8], 6, 5],
    [[1, 2, 3, 4, 5, 6, 7, 8], 3, 5],
  ])("%j, of %i pieces, where one of weight %i comes or goes", (weights, pieces, weight) => {
    const [few, more] = [weighing(weights), weighing([...weights, weight])];
    const [now, then] = [chancesOf(weights, pieces), chancesOf([...weights, weight], pieces)];
    const least = then.reduce((sum, chance, i) => sum + Math.max(0, chance - (now[i] ?? 0)), 0);
    expect(movedOf(few, more, pieces) / least).toBeLessThan(1.25);
    expect(movedOf(more, few, pieces) / least).toBeLessThan(1.25);
  });

  test("none where only all weights together are larger", () => {
    expect(movedOf(weighing([1, 2, 3, 4]), weighing([10, 20, 30, 40]), 3)).toBe(0);
  });

  test("none but its own where a server takes another's place that weighs as much", () => {
    const weights = fc.array(fc.integer({ min: 1, max: 65_535 }), { minLength: 2, maxLength: 12 });
    forAll([bytesOf(32), weights, fc.nat(11), fc.nat(10)], (digest, all, at, n) => {
      const [y, gone] = [all.length, at % all.length];
      const pieces = 1 + (n % (y - 1));
      const before = weighing(all);
      const after = weighing([...all, all[gone] ?? 1], {
        voters: ringFrom(0, y + 1).filter((slot) => slot !== gone),
      });
      const seats = withHeirs(after.seats, { [gone]: y });
      expect(ringOf(digest, pieces, { ...after, seats })).toEqual(
        ringOf(digest, pieces, before).map((slot) => (slot === gone ? y : slot)),
      );
    });
  });
});

// The sets of servers of equal weight were computed by another program (Python's hashlib and decimal) as well.
test.each<[string, string, string, number[], number[], number[]]>([
  ["", "a", "022a", [3, 4, 1], [5, 7, 3], [7, 8, 9, 10, 11, 5]],
  ["", "foo.txt", "7cfa", [2, 3, 4], [0, 2, 4], [2, 4, 6, 7, 9, 10]],
  ["alice", "Grüße/😀", "280c", [4, 2, 3], [6, 0, 2], [7, 8, 10, 11, 2, 6]],
  ["bob", "d/e", "0a2f", [3, 0, 1], [3, 0, 1], [10, 0, 3, 6, 7, 8]],
])("the servers of %j %j are what they always were", (user, name, lot, five, eight, twelve) => {
  const digest = drawDigest(user, name);
  expect(digest.toHex()).toStartWith(lot);
  const turn = digestOfName(name);
  const sizes = [16_384, 32_768, 32_768, 65_535, 65_535];
  expect(ringOf(digest, 3, weighing(sizes), turn)).toEqual(five);
  expect(ringOf(digest, 3, weighing(Array.from({ length: 8 }, () => 1)), turn)).toEqual(eight);
  const many = weighing(Array.from({ length: 12 }, (_, i) => 1000 * (i + 1)));
  expect(ringOf(digest, 6, many, turn)).toEqual(twelve);
});
