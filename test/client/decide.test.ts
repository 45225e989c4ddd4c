import { describe, expect, test } from "bun:test";
import { type Decision, decide, newest, quorumOf, select } from "../../src/client/decide.ts";
import type { Register } from "../../src/version.ts";
import { versionOf, vidOf } from "../arbitraries.ts";

// CONSISTENCY.md, section 1.
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
  expect(quorumOf(servers)).toEqual({ servers, accept, read });
});

test("any two W meet, and every R meets every W", () => {
  for (let y = 1; y <= 30; y++) {
    const { accept, read } = quorumOf(y);
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

/** What a server says, in small numbers: the ballots of acc and com, 0 for nothing; null is silence. */
type Said = { acc: number; com: number } | null;

/** Every state of one server with ballots up to `top`: com <= acc. */
function statesUpTo(top: number): { acc: number; com: number }[] {
  const states = [];
  for (let acc = 0; acc <= top; acc++)
    for (let com = 0; com <= acc; com++) states.push({ acc, com });
  return states;
}

/** Every choice of one of `options` for each of `n` places. */
function* choices<T>(options: readonly T[], n: number): Generator<T[]> {
  if (n === 0) return yield [];
  for (const rest of choices(options, n - 1)) for (const option of options) yield [...rest, option];
}

const valueAt = (ballot: number) => (ballot === 0 ? null : { ballot: BigInt(ballot) });
const voteOf = ({ acc, com }: { acc: number; com: number }) => ({
  acc: valueAt(acc),
  com: valueAt(com),
});
const heard = (all: readonly Said[]) => all.flatMap((said) => (said ? [said] : []));

/** CONSISTENCY.md section 3, read aloud: the rules in their order, nothing clever. */
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

function inWords(decision: Decision<{ ballot: bigint }>): string {
  if (decision.is === "tooFew") return "too few servers";
  if (decision.is === "doubt") return "in doubt";
  return `the answer is ${decision.current?.ballot ?? 0}`;
}

describe("decide", () => {
  test.each([
    [1, 3],
    [2, 3],
    [3, 3],
    [4, 3],
    [5, 2],
  ])("of %d servers, in every state with %d ballots, says what the rules say", (n, top) => {
    const quorum = quorumOf(n);
    const wrong: string[] = [];
    for (const all of choices<Said>([null, ...statesUpTo(top)], n)) {
      const decision = decide(quorum, heard(all).map(voteOf));
      if (inWords(decision) !== byTheBook(n, all)) wrong.push(JSON.stringify(all));
      if (decision.is !== "current") continue;
      const ballot = decision.current?.ballot ?? 0n;
      const isLagging = heard(all).some(({ com }) => BigInt(com) < ballot);
      if (decision.lagging !== isLagging) wrong.push(`lagging: ${JSON.stringify(all)}`);
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test.each([3, 4])("of %d servers, never an older value than one that W have accepted", (n) => {
    const quorum = quorumOf(n);
    const wrong: string[] = [];
    for (const all of choices(statesUpTo(3), n)) {
      const chosen = [3, 2, 1].find(
        (ballot) => all.filter(({ acc }) => acc === ballot).length >= quorum.accept,
      );
      for (let asked = 0; asked < 1 << n; asked++) {
        const votes = all.filter((_, server) => asked & (1 << server)).map(voteOf);
        const decision = decide(quorum, votes);
        const ballot = decision.is === "current" ? (decision.current?.ballot ?? 0n) : null;
        if (ballot !== null && ballot < BigInt(chosen ?? 0))
          wrong.push(`${JSON.stringify(all)}, asked ${asked.toString(2)}`);
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  test("nobody has anything: certainly absent, with R answers", () => {
    const nothing = { acc: null, com: null };
    expect(decide(quorumOf(4), [nothing])).toEqual({ is: "tooFew" });
    expect(decide(quorumOf(4), [nothing, nothing])).toEqual({
      is: "current",
      current: null,
      lagging: false,
    });
  });

  test("what was accepted once may be chosen, as long as enough servers are silent", () => {
    const one = { acc: { ballot: 1n }, com: null };
    const nothing = { acc: null, com: null };
    expect(decide(quorumOf(4), [one, nothing])).toEqual({ is: "doubt" });
    expect(decide(quorumOf(4), [one, nothing, nothing]).is).toBe("current");
    expect(decide(quorumOf(4), [one, one, nothing])).toEqual({ is: "doubt" });
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
        const { current, isCommitted } = select(promises);
        expect(current).toEqual(accepted(largest));
        expect(isCommitted).toBe(largest > 0 && all.some(({ com }) => com === largest));
      }
  });

  test("a commit that overtook its accept counts", () => {
    const promise = { prom: 9n, acc: accepted(1), com: accepted(2) };
    expect(select([promise])).toEqual({ current: accepted(2), isCommitted: true });
  });
});
