/** How the seats of a configuration change. */
import { decode, encode } from "../src/bytes.ts";
import { configCodec } from "../src/membership.ts";
import { describe, expect, test } from "bun:test";
import { type Config } from "../src/membership.ts";
import { withWeights } from "../src/seating.ts";
import { configOf } from "./harness/arbitraries.ts";

const through = (value: Config): Config => decode(configCodec, encode(configCodec, value));

describe("what servers weigh", () => {
  const TIB = 2 ** 40;
  const weights = ({ seats }: Config): number[] => seats.map(({ weight }) => weight);

  test("is their part of the largest disk; a server that tells nothing weighs as the largest", () => {
    const disks = new Map([TIB, null, 4 * TIB, 2 * TIB, 0, 1].entries());
    const one = withWeights(configOf(7), disks);
    expect(weights(one)).toEqual([16_384, 65_535, 65_535, 32_768, 1, 1, 65_535]);
    expect(one.largest).toBe(4 * TIB);
    expect(through(one)).toEqual(one);
  });

  test("stays, where one comes that is no larger than the largest", () => {
    const one = withWeights(configOf(4), new Map([TIB, 2 * TIB, 4 * TIB].entries()));
    for (const bytes of [1, TIB, 4 * TIB, null]) {
      const more = withWeights(one, new Map([[3, bytes]]));
      expect(weights(more).slice(0, 3)).toEqual(weights(one).slice(0, 3));
      expect(more.largest).toBe(4 * TIB);
    }
    expect(weights(withWeights(one, new Map([[3, 3 * TIB]])))[3]).toBe(49_151);
  });

  test("becomes less where one comes that is larger, one part at least", () => {
    const one = withWeights(configOf(4), new Map([TIB, 2 * TIB, 4 * TIB].entries()));
    const more = withWeights(one, new Map([[3, 8 * TIB]]));
    expect(weights(more)).toEqual([8192, 16_384, 32_768, 65_535]);
    expect(more.largest).toBe(8 * TIB);
    expect(weights(withWeights(one, new Map([[3, 2 ** 52]])))).toEqual([16, 32, 64, 65_535]);
    expect(weights(withWeights(configOf(2), new Map([1, 2 ** 52].entries())))).toEqual([1, 65_535]);
  });

  test("is the same of all, where nobody tells, or only the first", () => {
    expect(withWeights(configOf(3), new Map([[1, null]]))).toEqual(configOf(3));
    expect(withWeights(configOf(3), new Map([[1, 0]]))).toEqual(configOf(3));
    expect(weights(withWeights(configOf(3), new Map([[1, TIB]])))).toEqual([
      65_535, 65_535, 65_535,
    ]);
  });

  test("is what people have made of it too, in the same proportion", () => {
    const one = withWeights(configOf(3), new Map([2 * TIB, 2 * TIB].entries()));
    const seats = one.seats.map((seat, i) => ({ ...seat, weight: i === 0 ? 30_000 : seat.weight }));
    const more = withWeights({ ...one, seats }, new Map([[2, 4 * TIB]]));
    expect(weights(more)).toEqual([15_000, 32_768, 65_535]);
  });
});
