/** propose, steps 2 to 5 (docs/consistency.md section 3): each row of the rules, and then all small cases by another reading. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Attempt,
  type Condition,
  nextStep,
  type Step,
} from "../../src/client/agree/decide.ts";
import type { Accepted, Ballot, Version } from "../../src/version.ts";
import { historyOf, versionOf, vidOf } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";

const OWN = vidOf(77);
const file = (vid: number, some: Partial<Version> = {}): Version =>
  versionOf({ seq: 5, birthFloor: 1n, ...some, vid: vidOf(vid) });
const grave = (vid: number, some: Partial<Version> = {}): Version => ({
  ...file(vid, some),
  deleted: true,
});

interface Situation {
  readonly current?: Version | null;
  readonly isCommitted?: boolean;
  readonly deletes?: boolean;
  readonly condition?: Condition | null;
  readonly attempts?: Attempt[];
  readonly floors?: Ballot[];
}

function stepOf(situation: Situation): Step["do"] {
  const { current = null, isCommitted = true, deletes = false, floors = [0n] } = situation;
  const { condition = null, attempts = [] } = situation;
  const accepted: Accepted | null = current && { ballot: 50n, version: current };
  const selected = { current: accepted, isCommitted: accepted !== null && isCommitted };
  return nextStep({ vid: OWN, deletes, condition, attempts }, selected, floors).do;
}

/** An attempt that the ordinary `file` above cannot have overtaken unseen: its parent was number 4. */
const tried: Attempt[] = [{ ballot: 10n, parentSeq: 4 }];
const is = (vid: number): Condition => ({ vid: vidOf(vid) });
const absent: Condition = { vid: null };

describe("step 2: somebody finished it", () => {
  const ancestor = { history: historyOf(vidOf(3), OWN, vidOf(2)) };
  test.each([
    ["it is the current one", { current: file(77), attempts: tried }, "confirm"],
    [
      "it is the current one, not committed",
      { current: file(77), isCommitted: false, attempts: tried },
      "confirm",
    ],
    ["it is an ancestor", { current: file(1, ancestor), attempts: tried }, "confirm"],
    [
      "a deletion is the current one",
      { current: grave(77), deletes: true, attempts: tried },
      "confirm",
    ],
    [
      "it is an ancestor, whatever the condition",
      { current: file(1, ancestor), attempts: tried, condition: is(2) },
      "confirm",
    ],
    ["an ancestor of its name, though nothing was sent", { current: file(1, ancestor) }, "write"],
  ] as [string, Situation, Step["do"]][])("%s", (_, situation, expected) => {
    expect(stepOf(situation)).toBe(expected);
  });
});

describe("step 3: it may be an ancestor that the history does not tell of", () => {
  const history = (n: number) => historyOf(...Array.from({ length: n }, (_, i) => vidOf(100 + i)));
  test.each([
    [
      "the history reaches back to the attempt",
      { current: file(1, { seq: 8, history: history(3) }) },
      "write",
    ],
    [
      "the history ends one short of it",
      { current: file(1, { seq: 8, history: history(2) }) },
      "unknown",
    ],
    [
      "the name was born anew at the attempt's ballot",
      { current: file(1, { birthFloor: 10n }) },
      "unknown",
    ],
    ["the name was born anew after it", { current: file(1, { birthFloor: 11n }) }, "unknown"],
    ["the name was born before it", { current: file(1, { birthFloor: 9n }) }, "write"],
    ["the name is absent, all floors below it", { current: null, floors: [0n, 9n] }, "write"],
    [
      "the name is absent, one floor at its ballot",
      { current: null, floors: [0n, 10n] },
      "unknown",
    ],
    ["the name is absent, and no floor is known", { current: null, floors: [] }, "write"],
    [
      "the condition fails too",
      { current: file(1, { birthFloor: 10n }), condition: is(9) },
      "unknown",
    ],
    ["nothing was sent yet", { current: file(1, { birthFloor: 99n }), attempts: [] }, "write"],
  ] as [string, Situation, Step["do"]][])("%s", (_, situation, expected) => {
    expect(stepOf({ attempts: tried, ...situation })).toBe(expected);
  });

  test("of several attempts the smallest ballot and the smallest parent count, be they of different ones", () => {
    const attempts = [
      { ballot: 20n, parentSeq: 2 },
      { ballot: 10n, parentSeq: 6 },
      { ballot: 30n, parentSeq: 9 },
    ];
    const seen = (birthFloor: bigint, seq: number) =>
      stepOf({ current: file(1, { birthFloor, seq }), attempts });
    expect(seen(9n, 3)).toBe("write");
    expect(seen(10n, 3)).toBe("unknown");
    expect(seen(9n, 4)).toBe("unknown");
  });
});

describe("step 4: the condition fails", () => {
  test.each([
    ["the version is another one", { current: file(1), condition: is(2) }, "refuse"],
    ["there is a file where none may be", { current: file(1), condition: absent }, "refuse"],
    ["there is none where one must be", { current: null, condition: is(2) }, "refuse"],
    ["the version was deleted", { current: grave(2), condition: is(2) }, "refuse"],
    [
      "what fails it is not committed",
      { current: file(1), isCommitted: false, condition: is(2) },
      "refuseBehindOwn",
    ],
    [
      "a tombstone that is not committed",
      { current: grave(2), isCommitted: false, condition: is(2) },
      "refuseBehindOwn",
    ],
    [
      "own attempts are about",
      { current: file(1), condition: is(2), attempts: tried },
      "refuseBehindOwn",
    ],
    [
      "own attempts are about, and nothing else is",
      { current: null, condition: is(2), attempts: tried },
      "refuseBehindOwn",
    ],
    ["of a deletion", { current: file(1), condition: is(2), deletes: true }, "refuse"],
    ["of a deletion of nothing", { current: null, condition: is(2), deletes: true }, "refuse"],
  ] as [string, Situation, Step["do"]][])("%s", (_, situation, expected) => {
    expect(stepOf(situation)).toBe(expected);
  });

  test.each([
    ["the version is this one", { current: file(2), condition: is(2) }],
    ["there is none, as it must be", { current: null, condition: absent }],
    ["it was deleted, as it must be", { current: grave(1), condition: absent }],
    [
      "it holds of what is not committed",
      { current: file(2), isCommitted: false, condition: is(2) },
    ],
    ["it holds again after an attempt", { current: file(2), condition: is(2), attempts: tried }],
  ] as [string, Situation][])("and it holds when %s", (_, situation) => {
    expect(stepOf(situation)).toBe("write");
  });
});

describe("step 5: a deletion, or a new version", () => {
  test.each([
    ["nothing to delete", { current: null, deletes: true }, "nothingToDelete"],
    ["deleted already", { current: grave(1), deletes: true }, "nothingToDelete"],
    [
      "deleted, if that is chosen: it is made so",
      { current: grave(1), isCommitted: false, deletes: true },
      "write",
    ],
    [
      "nothing to delete, after an attempt",
      { current: null, deletes: true, attempts: tried },
      "write",
    ],
    ["something to delete", { current: file(1), deletes: true }, "write"],
    ["a new version over a file", { current: file(1) }, "write"],
    [
      "a new version over one that is not committed",
      { current: file(1), isCommitted: false },
      "write",
    ],
    ["a new version over nothing", { current: null }, "write"],
    ["a new version over a tombstone", { current: grave(1) }, "write"],
  ] as [string, Situation, Step["do"]][])("%s", (_, situation, expected) => {
    expect(stepOf(situation)).toBe(expected);
  });
});

/** The rules read aloud once more, in their order. */
function byTheBook(
  own: { deletes: boolean; condition: Condition | null; att: Attempt[] },
  cur: Version | null,
  isCommitted: boolean,
  floors: Ballot[],
): Step["do"] {
  const { att, condition } = own;
  if (cur !== null && cur.vid === OWN) return "confirm";
  if (att.length > 0 && cur !== null && cur.history.some(({ vid }) => vid === OWN))
    return "confirm";
  if (att.length > 0) {
    let born = 0n;
    if (cur === null) for (const floor of floors) born = floor > born ? floor : born;
    else born = cur.birthFloor;
    const isYounger = att.every(({ ballot }) => born < ballot);
    const isSeen =
      cur === null || att.every(({ parentSeq }) => cur.seq - cur.history.length <= parentSeq + 1);
    if (!isYounger || !isSeen) return "unknown";
  }
  const isFile = cur !== null && !cur.deleted;
  const fails =
    condition !== null &&
    (condition.vid === null ? isFile : !(isFile && cur.vid === condition.vid));
  const isCertain = cur === null || isCommitted;
  if (fails) return att.length === 0 && isCertain ? "refuse" : "refuseBehindOwn";
  if (own.deletes && !isFile && att.length === 0 && isCertain) return "nothingToDelete";
  return "write";
}

test("in any small case, it is what the rules say", () => {
  const small = fc.bigInt({ min: 0n, max: 4n });
  const someVid = fc.constantFrom(OWN, vidOf(1), vidOf(2));
  const current = fc.option(
    fc.record({
      vid: someVid,
      seq: fc.nat(5),
      history: fc.array(someVid, { maxLength: 2 }).map((vids) => historyOf(...vids)),
      birthFloor: small,
      deleted: fc.boolean(),
    }),
  );
  const own = fc.record({
    deletes: fc.boolean(),
    condition: fc.option(fc.record({ vid: fc.option(someVid) })),
    att: fc.array(fc.record({ ballot: small, parentSeq: fc.nat(4) }), { maxLength: 2 }),
  });
  const seen = new Set<string>();
  forAll(
    [own, current, fc.boolean(), fc.array(small, { maxLength: 3 })],
    (mine, some, isCommitted, floors) => {
      const version = some && versionOf(some);
      const { deletes, condition, att: attempts } = mine;
      const step = stepOf({ current: version, isCommitted, deletes, condition, attempts, floors });
      expect(step).toBe(byTheBook(mine, version, isCommitted && version !== null, floors));
      seen.add(step);
    },
    5000,
  );
  expect([...seen].toSorted()).toEqual([
    "confirm",
    "nothingToDelete",
    "refuse",
    "refuseBehindOwn",
    "unknown",
    "write",
  ]);
});
