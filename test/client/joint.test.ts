/** What registers mean while the cluster changes who decides: two groups of servers, and it takes both. */
import { describe, expect, test } from "bun:test";
import { decide } from "../../src/client/agree/decide.ts";
import { canAccept, canRead, quorumOf, shortOf } from "../../src/quorum.ts";
import { choices, heard, inWords, type Said, statesUpTo, votesOf } from "./votes.ts";

/** The slots before and after, with how many ballots all states are tried. */
const CHANGES: [before: number[], after: number[], top: number][] = [
  [[0, 1, 2, 3], [0, 1, 2, 4], 2],
  [[0, 1, 2], [0, 1, 2, 3], 3],
  [[0, 1, 2, 3], [0, 1, 2], 3],
  [[0, 1, 2], [2, 3, 4], 2],
  [[3, 1, 0], [0, 1, 2], 3],
  [[0], [0, 1, 2], 3],
  [[0, 1, 2], [1], 3],
  [[0, 1], [2, 3], 3],
  [[0], [1], 3],
];

const sizeOf = (...groups: number[][]): number => 1 + Math.max(...groups.flat());
const majority = (group: readonly number[]): number => Math.floor(group.length / 2) + 1;
const rest = (group: readonly number[]): number => group.length - majority(group) + 1;

/** docs/consistency.md sections 3 and 4, read aloud: the rules in their order, nothing clever. */
function byTheBook(before: number[], after: number[], all: readonly Said[]): string {
  for (const group of [before, after]) {
    let answers = 0;
    for (const slot of group) if (all[slot]) answers++;
    if (answers < rest(group)) return "too few servers";
  }
  let c = 0;
  for (const said of all) if (said && said.com > c) c = said.com;
  let possible = 0;
  for (const slot of before) {
    const said = all[slot];
    if (!said || said.acc > c) possible++;
  }
  // A newer value would have been chosen by those before, in the epoch before or in this one.
  if (possible < majority(before)) return `the answer is ${c}`;
  let answer = 0;
  for (const candidate of heard(all)) {
    const ballot = candidate.acc;
    const hasBoth = [before, after].every((group) => {
      let votes = 0;
      for (const slot of group) if (all[slot]?.acc === ballot) votes++;
      return votes >= majority(group);
    });
    if (hasBoth && ballot > answer) answer = ballot;
  }
  if (answer > 0) return `the answer is ${answer}`;
  return "in doubt";
}

describe.each(CHANGES)("from %j to %j", (before, after, top) => {
  const n = sizeOf(before, after);
  const quorum = quorumOf({ voters: before, next: after });
  const subsets = Array.from({ length: 1 << n }, (_, bits) =>
    [...Array.from({ length: n }).keys()].filter((slot) => bits & (1 << slot)),
  );
  const count = (group: number[], slots: number[]): number =>
    group.filter((slot) => slots.includes(slot)).length;
  const chooses = (slots: number[]): boolean =>
    [before, after].every((group) => count(group, slots) >= majority(group));
  const sees = (slots: number[]): boolean =>
    [before, after].every((group) => count(group, slots) >= rest(group));

  test("it takes W of both to choose a value, and R of both to see every chosen one", () => {
    expect(quorum.map(({ slots }) => slots)).toEqual([before, after]);
    for (const slots of subsets) {
      // Strangers, and who is named twice, do not count.
      const more = [...slots, ...slots, 77];
      expect(canAccept(quorum, more)).toBe(chooses(slots));
      expect(canRead(quorum, more)).toBe(sees(slots));
    }
  });

  test("who can choose here meets who can choose, and who can see, in the epoch before and in the one after", () => {
    const epochs = [before, after].map((voters) => quorumOf({ voters, next: null }));
    const meet = (a: number[], b: number[]): boolean => a.some((slot) => b.includes(slot));
    for (const slots of subsets.filter((some) => canAccept(quorum, some)))
      for (const other of subsets)
        for (const epoch of [quorum, ...epochs])
          if (canAccept(epoch, other) || canRead(epoch, other))
            expect(meet(slots, other)).toBe(true);
    for (const slots of subsets.filter((some) => canRead(quorum, some)))
      for (const other of subsets)
        if (epochs.some((epoch) => canAccept(epoch, other))) expect(meet(slots, other)).toBe(true);
  });

  test("who is too few is told by the first group that lacks some", () => {
    for (const slots of subsets) {
      const short = [before, after].find((group) => count(group, slots) < majority(group));
      expect(shortOf(quorum, slots)).toEqual(
        short ? { count: count(short, slots), of: short.length, takes: majority(short) } : null,
      );
    }
  });

  test("decide says in every state what the rules say", () => {
    const wrong: string[] = [];
    for (const all of choices<Said>([null, ...statesUpTo(top)], n)) {
      const decision = decide(quorum, votesOf(all));
      if (inWords(decision) !== byTheBook(before, after, all)) wrong.push(JSON.stringify(all));
      if (decision.is !== "current") continue;
      const ballot = decision.current?.ballot ?? 0n;
      const isLagging = heard(all).some(({ com }) => BigInt(com) < ballot);
      if (decision.lagging !== isLagging) wrong.push(`lagging: ${JSON.stringify(all)}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test("decide never takes an older value than one that W of those before have accepted", () => {
    const wrong: string[] = [];
    for (const all of choices(statesUpTo(2), n)) {
      const chosen = [2, 1].find(
        (ballot) => before.filter((slot) => all[slot]?.acc === ballot).length >= majority(before),
      );
      for (const asked of subsets) {
        const votes = all.map((said, slot) => (asked.includes(slot) ? said : null));
        const decision = decide(quorum, votesOf(votes));
        const ballot = decision.is === "current" ? (decision.current?.ballot ?? 0n) : null;
        if (ballot !== null && ballot < BigInt(chosen ?? 0))
          wrong.push(`${JSON.stringify(all)}, asked ${asked.join(",")}`);
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });
});

test("two groups of the same servers are as one", () => {
  const [one, both] = [
    quorumOf({ voters: [0, 1, 2], next: null }),
    quorumOf({ voters: [0, 1, 2], next: [2, 0, 1] }),
  ];
  for (const all of choices<Said>([null, ...statesUpTo(2)], 3))
    expect(decide(both, votesOf(all))).toEqual(decide(one, votesOf(all)));
});
