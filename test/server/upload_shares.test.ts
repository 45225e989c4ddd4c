/** How many pieces may be under way, and whose. */
import { expect, test } from "bun:test";
import { UPLOAD_STALE_MS } from "../../src/limits.ts";
import { type Share, UploadShares } from "../../src/server/bounds/upload_shares.ts";
import { errorOf } from "../harness/thrown.ts";

const LIMIT = 16;

/** Shares, and the hand that moves their clock. */
function shares() {
  let now = 0;
  const clock = { now: () => now, wall: () => now, after: () => () => {} };
  const all = new UploadShares(clock, LIMIT);
  const ended: string[] = [];
  /** As many as this holder gets of so many. */
  const take = (holder: string, count: number): Share[] => {
    const got: Share[] = [];
    for (let i = 0; i < count; i++) {
      try {
        got.push(all.enter(holder, () => ended.push(holder)));
      } catch {
        break;
      }
    }
    return got;
  };
  return { take, ended, all, pass: (ms: number) => void (now += ms) };
}

test("nobody gets more than is left for the others", () => {
  const { take } = shares();
  expect(take("Mallory", 100).length).toBe(8);
  expect(take("Bob", 100).length).toBe(4);
  expect(take("Alice", 100).length).toBe(2);
});

test("what is over makes room, once", () => {
  const { take } = shares();
  const [first] = take("Mallory", 8);
  expect(take("Mallory", 1)).toEqual([]);
  first?.leave();
  first?.leave();
  expect(take("Mallory", 8).length).toBe(1);
});

test("one of which nothing has come for a while makes room where there is none", () => {
  const { take, ended, all, pass } = shares();
  const held = take("Mallory", 8);
  pass(UPLOAD_STALE_MS - 1);
  for (const share of held.slice(1)) share.touch();
  errorOf("failed", () => all.enter("Mallory", () => {}));
  pass(1);
  expect(take("Mallory", 2).length).toBe(1);
  expect(ended).toEqual(["Mallory"]);
});
