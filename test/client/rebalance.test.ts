/** Which pieces a rebalance moves. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { keepingPositions } from "../../src/client/care/rebalance.ts";
import { forAll } from "../harness/property.ts";

const slots = fc.uniqueArray(fc.nat(40), { minLength: 1, maxLength: 20 });

test("who is in the ring already keeps its piece, and the others fill what is left", () => {
  forAll([slots, slots], (one, other) => {
    const count = Math.min(one.length, other.length);
    const [now, wanted] = [one.slice(0, count), other.slice(0, count)];
    const ring = keepingPositions(now, wanted);
    expect(new Set(ring)).toEqual(new Set(wanted));
    expect(ring.length).toBe(count);
    for (const [i, slot] of now.entries()) if (wanted.includes(slot)) expect(ring[i]).toBe(slot);
  });
});

test("a server that stands in a ring twice, for one that it took the place of, keeps one piece", () => {
  expect(keepingPositions([4, 4, 2], [2, 3, 4])).toEqual([4, 3, 2]);
});
