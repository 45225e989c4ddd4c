import { describe, expect, test } from "bun:test";
import { decide, newest, select } from "../../src/client/agree/decide.ts";
import { quorumOf } from "../../src/quorum.ts";
import type { Register } from "../../src/version.ts";
import { configOf, versionOf, vidOf } from "../harness/arbitraries.ts";
import { choices, heard, inWords, type Said, statesUpTo, votesOf } from "./votes.ts";

// docs/consistency.md, section 1.
test.each([
  [1, 1, 1],
  [2, 2, 1],
  [3, 2, 2],
  [4, 3, 2],
  [5, 3, 3],
  [6, 4, 3],
  [7, 4, 4],
  [10, 6, 5],
])("of %d servers W is %d and R is %d", (servers, accept, read) => {
  const slots = [...Array.from({ length: servers }).keys()];
  expect(quorumOf(configOf(servers))).toEqual([{ slots, accept, read }]);
});

test("any two W meet, and every R meets every W", () => {
  for (let y = 1; y <= 30; y++) {
    const [{ accept, read }] = quorumOf(configOf(y));
    expect(2 * accept).toBeGreaterThan(y);
    expect(read + accept).toBe(y + 1);
  }
});

test("newest is the value with the largest ballot", () => {
  const [a, b] = [{ ballot: 1n }, { ballot: 2n }];
  expect(newest([])).toBeNull();
  expect(newest([null, null])).toBeNull();
  expect(newest([a, null, b, a])).toBe(b);
});

/** docs/consistency.md section 3, read aloud: the rules in their order, nothing clever. */
function byTheBook(n: number, all: readonly Said[]): string {
  const w = Math.floor(n / 2) + 1;
  const r = n - w + 1;
  const s = heard(all);
  if (s.length < r) return "too few servers";
  let c = 0;
  for (const { com } of s) if (com > c) c = com;
  let p = 0;
  for (const { acc } of s) if (acc > c) p++;
  if (p + (n - s.length) < w) return `the answer is ${c}`;
  let answer = 0;
  for (const { acc: ballot } of s) {
    let votes = 0;
    for (const { acc } of s) if (acc === ballot) votes++;
    if (votes >= w && ballot > answer) answer = ballot;
  }
  if (answer > 0) return `the answer is ${answer}`;
  return "in doubt";
}

describe("decide", () => {
  test.each([
    [1, 3],
    [2, 3],
    [3, 3],
    [4, 3],
    [5, 2],
  ])("of %d servers, in every state with %d ballots, says what the rules say", (n, top) => {
    const quorum = quorumOf(configOf(n));
    const wrong: string[] = [];
    for (const all of choices<Said>([null, ...statesUpTo(top)], n)) {
      const decision = decide(quorum, votesOf(all));
      if (inWords(decision) !== byTheBook(n, all)) wrong.push(JSON.stringify(all));
      if (decision.is !== "current") continue;
      const ballot = decision.current?.ballot ?? 0n;
      const isLagging = heard(all).some(({ com }) => BigInt(com) < ballot);
      if (decision.lagging !== isLagging) wrong.push(`lagging: ${JSON.stringify(all)}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test.each([3, 4])("of %d servers, never an older value than one that W have accepted", (n) => {
    const quorum = quorumOf(configOf(n));
    const [{ accept }] = quorum;
    const wrong: string[] = [];
    for (const all of choices(statesUpTo(3), n)) {
      const chosen = [3, 2, 1].find(
        (ballot) => all.filter(({ acc }) => acc === ballot).length >= accept,
      );
      for (let asked = 0; asked < 1 << n; asked++) {
        const votes = all.map((said, server) => (asked & (1 << server) ? said : null));
        const decision = decide(quorum, votesOf(votes));
        const ballot = decision.is === "current" ? (decision.current?.ballot ?? 0n) : null;
        if (ballot !== null && ballot < BigInt(chosen ?? 0))
          wrong.push(`${JSON.stringify(all)}, asked ${asked.toString(2)}`);
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test("nobody has anything: certainly absent, with R answers", () => {
    const nothing = { acc: 0, com: 0 };
    const quorum = quorumOf(configOf(4));
    expect(decide(quorum, votesOf([nothing]))).toEqual({ is: "tooFew" });
    expect(decide(quorum, votesOf([null, nothing, nothing]))).toEqual({
      is: "current",
      current: null,
      lagging: false,
    });
  });

  test("what was accepted once may be chosen, as long as enough servers are silent", () => {
    const one = { acc: 1, com: 0 };
    const nothing = { acc: 0, com: 0 };
    const quorum = quorumOf(configOf(4));
    expect(decide(quorum, votesOf([one, nothing]))).toEqual({ is: "doubt" });
    expect(decide(quorum, votesOf([one, nothing, nothing])).is).toBe("current");
    expect(decide(quorum, votesOf([one, one, nothing]))).toEqual({ is: "doubt" });
  });

  test("what a server says that is no member does not count", () => {
    const [quorum, one] = [quorumOf({ voters: [0, 2, 3], next: null }), { acc: 1, com: 0 }];
    expect(decide(quorum, votesOf([one, one]))).toEqual({ is: "tooFew" });
    expect(decide(quorum, votesOf([one, one, { acc: 0, com: 0 }]))).toEqual({ is: "doubt" });
    expect(decide(quorum, votesOf([one, null, one])).is).toBe("current");
  });
});

describe("select", () => {
  const accepted = (ballot: number) =>
    ballot === 0 ? null : { ballot: BigInt(ballot), version: versionOf({ vid: vidOf(ballot) }) };

  test("in every state of up to three promises: the largest ballot, committed if any com has it", () => {
    for (const n of [0, 1, 2, 3])
      for (const all of choices(statesUpTo(3), n)) {
        const promises: Register[] = all.map(({ acc, com }) => ({
          prom: 9n,
          acc: accepted(acc),
          com: accepted(com),
        }));
        const largest = Math.max(0, ...all.map(({ acc }) => acc));
        const { current, isCommitted } = select(new Map(promises.entries()));
        expect(current).toEqual(accepted(largest));
        expect(isCommitted).toBe(largest > 0 && all.some(({ com }) => com === largest));
      }
  });

  test("a commit that overtook its accept counts", () => {
    const promise = { prom: 9n, acc: accepted(1), com: accepted(2) };
    expect(select(new Map([[4, promise]]))).toEqual({ current: accepted(2), isCommitted: true });
  });
});
