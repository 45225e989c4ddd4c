/** How much still fits, of disks of any sizes. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { byDisk, type DiskOf, freeOn, usableOn } from "../../src/client/care/room_left.ts";
import { forAll } from "../harness/property.ts";

const PAIRS = { pieces: 4, needed: 4, copies: 2 };
const CODED = { pieces: 3, needed: 2, copies: 1 };

const disks = (...free: (number | null)[]): DiskOf[] =>
  free.map((one, slot) => ({ slot, disk: `disk ${slot}`, free: one }));

const shared = (...free: number[]): DiskOf[] =>
  free.map((one, slot) => ({ slot, disk: "the one", free: one }));

describe("what is free, and what of files fits in", () => {
  test.each([
    ["equal disks, pairs", disks(100, 100, 100, 100), PAIRS, 400, 200],
    ["a small disk", disks(10, 40, 40, 40), PAIRS, 130, 65],
    ["one disk larger than all others", disks(10, 10, 10, 500), PAIRS, 530, 30],
    ["one disk alone has room", disks(0, 0, 0, 500), PAIRS, 500, 0],
    ["one server", disks(100), { pieces: 1, needed: 1, copies: 1 }, 100, 100],
    ["parity", disks(100, 100, 100), CODED, 300, 200],
    ["parity on some of the servers", disks(1, 1, 2, 4, 4), CODED, 12, 8],
    ["parity, and too few disks with room", disks(0, 0, 0, 9, 9), CODED, 18, 0],
    ["a disk that does not tell", disks(100, null, 100), PAIRS, null, null],
    ["all on one disk", shared(100, 99, 100, 100), PAIRS, 99, 48],
    ["nobody answers", [], PAIRS, 0, 0],
  ])("%s", (_, all, shape, free, usable) => {
    expect(freeOn(all)).toBe(free);
    expect(usableOn(all, shape)).toBe(usable);
  });

  test("it is as much as a greedy filling, part by part, finds room for", () => {
    forAll(
      [fc.array(fc.nat(12), { minLength: 2, maxLength: 6 }), fc.integer({ min: 2, max: 4 })],
      (rooms, takers) => {
        fc.pre(rooms.length >= takers);
        const left = [...rooms];
        let parts = 0;
        for (;;) {
          const order = [...left.keys()].toSorted((a, b) => (left[b] ?? 0) - (left[a] ?? 0));
          const chosen = order.slice(0, takers);
          if (chosen.some((slot) => left[slot] === 0)) break;
          for (const slot of chosen) left[slot] = (left[slot] ?? 0) - 1;
          parts++;
        }
        const shape = { pieces: takers, needed: 1, copies: 1 };
        expect(usableOn(disks(...rooms), shape)).toBe(parts);
      },
      1000,
    );
  });
});

test("servers whose disk is not known are each on one of their own", () => {
  const unknown = [0, 1].map((slot) => ({ slot, disk: "", free: 5 }));
  expect(byDisk(unknown)).toHaveLength(2);
  expect(byDisk(shared(1, 1, 1))).toHaveLength(1);
});
