/** Which servers contradict what is certain. The versions of a name are v1, v2, …, each the child of the one before. */
import { describe, expect, test } from "bun:test";
import { liars, type Answer } from "../../src/client/trust/liars.ts";
import { takeAll, type Judged } from "../../src/client/trust/judge.ts";
import { groupOf } from "../../src/quorum.ts";
import { type Accepted, type Ballot, tombstone } from "../../src/version.ts";
import { versionOf, vidOf } from "../harness/arbitraries.ts";
import { inStore } from "../harness/named.ts";

const FOUR = [groupOf([0, 1, 2, 3])] as const;

/** The nth version, accepted at a ballot. */
const v = (n: number, ballot: Ballot): Accepted => ({
  ballot,
  version: versionOf({ vid: vidOf(n), seq: n }),
});
/** Another child of the same parent. */
const sibling = (n: number, ballot: Ballot): Accepted => ({
  ballot,
  version: versionOf({ vid: vidOf(100 + n), seq: n }),
});
const told = (acc: Accepted | null, com: Accepted | null = acc, floor = 0n): Answer => ({
  floor,
  register: { prom: acc?.ballot ?? floor, acc, com },
});
const absent = told(null);

const worthOf = (accepted: Accepted): Judged | null => takeAll(inStore("a"), accepted);
const found = (...all: (Answer | null)[]): number[] => {
  const replies = new Map(all.flatMap((one, slot) => (one ? [[slot, one] as const] : [])));
  return liars([...FOUR], replies, worthOf).toSorted((a, b) => a - b);
};

describe("honest servers are believed", () => {
  const cases: [string, (Answer | null)[]][] = [
    ["all the same", [told(v(2, 20n)), told(v(2, 20n)), told(v(2, 20n)), told(v(2, 20n))]],
    ["one was away", [told(v(2, 20n)), told(v(2, 20n)), told(v(2, 20n)), told(v(1, 10n))]],
    [
      "one has a write that failed before",
      [told(v(2, 20n)), told(v(2, 20n)), told(v(2, 20n)), told(sibling(2, 15n), v(1, 10n))],
    ],
    ["one knows nothing", [told(v(2, 20n)), told(v(2, 20n)), told(v(2, 20n)), absent]],
    [
      "the commit has not come",
      [told(v(2, 20n), v(1, 10n)), told(v(2, 20n), v(1, 10n)), null, null],
    ],
    [
      "an old value was accepted anew above one that was never chosen",
      [told(v(1, 30n)), told(v(1, 30n)), told(v(1, 30n)), told(v(2, 20n), v(1, 10n))],
    ],
    [
      "its retry has another parent",
      [told(v(3, 30n)), told(v(3, 30n)), told(v(3, 30n)), told({ ...v(3, 20n), ballot: 20n })],
    ],
  ];
  test.each(cases)("%s", (_, all) => expect(found(...all)).toEqual([]));
});

describe("a server that lies is caught", () => {
  const truth = told(v(2, 20n));
  const cases: [string, Answer][] = [
    ["an old version at a higher ballot", told(v(1, 90n))],
    ["an old version, as accepted only", told(v(1, 90n), v(2, 20n))],
    ["an old version at the very ballot", told(v(1, 20n))],
    ["a write that failed, in the place of the one that came instead", told(sibling(2, 90n))],
    ["the same, as accepted only", told(sibling(2, 90n), v(1, 10n))],
    ["a later one is said to be older", told(v(1, 21n), v(1, 10n))],
  ];
  test.each(cases)("%s", (_, lie) => expect(found(truth, lie, truth, truth)).toEqual([1]));

  test("also where the truth is only accepted so far, by enough", () => {
    const pending = told(v(2, 20n), v(1, 10n));
    expect(found(pending, pending, pending, told(v(1, 90n)))).toEqual([3]);
  });

  test("with itself alone", () => {
    const torn: Answer = { floor: 0n, register: { prom: 90n, acc: v(1, 90n), com: v(2, 20n) } };
    expect(found(torn, null, null, null)).toEqual([0]);
  });

  test("and where one stands against one, neither is believed", () =>
    expect(found(truth, told(v(1, 90n)), null, null)).toEqual([0, 1]));
});

test("what nobody made counts against its server, and for nothing", () => {
  const mine = (accepted: Accepted): Judged | null =>
    accepted.version.seq === 9 ? null : takeAll(inStore("a"), accepted);
  const replies = new Map([told(v(2, 20n)), told(v(9, 90n)), told(v(2, 20n))].entries());
  expect(liars([...FOUR], replies, mine)).toEqual([1]);
});

test("a tombstone that nobody made is older than everything that was", () => {
  const made = (accepted: Accepted): Judged | null => ({
    isMade: !accepted.version.deleted,
    birthFloor: accepted.version.birthFloor,
    seq: accepted.version.seq,
  });
  const gone: Accepted = { ballot: 90n, version: { ...v(5, 90n).version, ...tombstone(vidOf(5)) } };
  const truth = told(v(2, 20n));
  const replies = new Map([truth, told(gone), truth].entries());
  expect(liars([...FOUR], replies, made)).toEqual([1]);
  // Where there was nothing it is as good as nothing.
  expect(liars([...FOUR], new Map([told(gone), absent, told(gone)].entries()), made)).toEqual([]);
});
