/** Which number a client goes above: nobody leads it away alone, and nobody who is needed is left out. */
import { describe, expect, test } from "bun:test";
import { Ballots, claimOf, reachOf, vouchedFor } from "../../src/client/agree/ballots.ts";
import { BALLOT_STEP, CLIMB_STEPS } from "../../src/limits.ts";
import { type Ballot, roundOf } from "../../src/version.ts";
import { versionOf, vidOf } from "../harness/arbitraries.ts";

const round = (n: bigint): Ballot => n << 64n;
const STEP = BigInt(BALLOT_STEP);
const FAR = 1n << 60n;
const REACH = STEP * BigInt(CLIMB_STEPS);
const random = (): Uint8Array => new Uint8Array(8).fill(7);
const rounds = (...numbers: bigint[]): Ballot[] => numbers.map(round);

describe("the number that counts", () => {
  test.each([
    ["none", [], 0n, 0n],
    ["one server's", [5n], 5n, 5n],
    ["the highest of some that are near", [5n, 9n, 7n], 9n, 9n],
    ["the highest, a step above the second", [5n, 5n + STEP], 5n + STEP, 5n + STEP],
    ["the second, where the highest is further", [4n, 5n, 6n + STEP], 5n, 6n + STEP],
    ["the second, where one is out of reach", [4n, 5n, FAR], 5n, 5n + REACH],
    ["the highest, where two say so", [4n, FAR, FAR + 1n], FAR + 1n, FAR + 1n],
    ["the second of two", [4n, FAR], 4n, 4n + REACH],
  ])("is %s", (_, numbers, vouched, reach) => {
    expect(roundOf(vouchedFor(rounds(...numbers)))).toBe(vouched);
    expect(roundOf(reachOf(rounds(...numbers)))).toBe(reach);
  });

  test("of a server is what it has promised, or accepted should that be more", () => {
    const value = { ballot: 9n, version: versionOf({ vid: vidOf(1) }) };
    expect(claimOf({ prom: 5n, acc: null, com: null })).toBe(5n);
    expect(claimOf({ prom: 5n, acc: value, com: null })).toBe(9n);
    expect(claimOf({ prom: 5n, acc: null, com: value })).toBe(9n);
  });
});

describe("the tries of an operation", () => {
  const next = (ballots: Ballots): bigint => roundOf(ballots.next());

  test("begin at 1, and go above what was heard", () => {
    const ballots = new Ballots(random);
    expect(next(ballots)).toBe(1n);
    ballots.saw(0, round(4n));
    ballots.saw(1, round(8n));
    expect(next(ballots)).toBe(9n);
    ballots.saw(0, round(20n));
    ballots.fellShort();
    expect(next(ballots)).toBe(21n);
  });

  test("go where one server alone says only if the others are too few, and a little way at a time", () => {
    const ballots = new Ballots(random);
    ballots.saw(0, round(4n));
    ballots.saw(1, round(FAR));
    expect(next(ballots)).toBe(5n);
    ballots.fellShort();
    ballots.saw(0, round(5n) + 1n);
    expect(next(ballots)).toBe(6n + REACH);
    ballots.fellShort();
    ballots.saw(0, round(6n + REACH) + 1n);
    expect(next(ballots)).toBe(7n + 2n * REACH);
  });

  test("do not go there because somebody else was quicker", () => {
    const ballots = new Ballots(random);
    ballots.saw(0, round(4n));
    ballots.saw(1, round(4n));
    ballots.saw(2, round(FAR));
    expect(next(ballots)).toBe(5n);
    ballots.fellShort();
    // The two others have promised more to a rival.
    ballots.saw(0, round(6n));
    ballots.saw(1, round(6n));
    expect(next(ballots)).toBe(7n);
  });

  test("cannot come to one that is ahead before the others are heard anew", () => {
    const ballots = new Ballots(random);
    expect(ballots.isAhead([[0, round(FAR)]])).toBe(false);
    ballots.saw(1, round(2n));
    expect(ballots.isAhead([[0, round(2n + REACH)]])).toBe(false);
    expect(ballots.isAhead([[0, round(3n + REACH)]])).toBe(true);
    const both = [round(3n + REACH), round(3n)].map((claim, slot) => [slot, claim] as const);
    expect(ballots.isAhead(both)).toBe(false);
  });

  test("begin above a ballot that is given, and no further than servers go along", () => {
    const ballots = new Ballots(random, round(FAR));
    const first = ballots.next();
    expect(roundOf(first)).toBe(FAR + 1n);
    for (const slot of [0, 1]) ballots.saw(slot, round(3n));
    ballots.saw(2, round(FAR));
    expect(ballots.mayClimbTo(first)).toBe(false);
    const second = ballots.next();
    expect(roundOf(second)).toBe(4n + REACH);
    expect(ballots.mayClimbTo(second)).toBe(true);
  });

  test("that begin above a ballot do not forget it while whoever said so is not heard", () => {
    const ballots = new Ballots(random, round(3n + 20n * STEP));
    ballots.next();
    for (const slot of [0, 1, 2]) ballots.saw(slot, round(3n));
    expect(next(ballots)).toBe(4n + REACH);
    for (const slot of [0, 1, 2]) ballots.saw(slot, round(4n + REACH));
    expect(next(ballots)).toBe(4n + 20n * STEP);
  });

  test("are above the floor that a new life is born on", () => {
    const ballots = new Ballots(random);
    ballots.saw(0, round(2n));
    ballots.raiseFloor(round(9n));
    const ballot = ballots.next();
    expect(roundOf(ballot)).toBe(10n);
    expect(ballots.mayClimbTo(ballot)).toBe(true);
  });
});
