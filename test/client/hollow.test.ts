/** Files that never had pieces, beside those that wait for the server that has them. */
import { describe, expect, test } from "bun:test";
import { neverHeld } from "../../src/client/members/hollow.ts";
import { viewOf } from "../../src/client/connect/view.ts";
import type { Version } from "../../src/version.ts";
import type { Held } from "../../src/wire/values.ts";
import { configOf, ringFrom, versionOf, vidOf } from "../harness/arbitraries.ts";

const vid = vidOf(1);
const file = (some: Partial<Version> = {}): Version =>
  versionOf({ vid, pieces: 4, needed: 4, copies: 2, ring: ringFrom(0, 4), ...some });
const view = viewOf(configOf(4));
const holding = (pieces: number[], bad: number[] = []): { held: Held[] } => ({
  held: [{ cid: vid, pieces, bad }],
});
const NOTHING = { held: [] };
/** What servers say; one of them is silent. */
const told = (...says: ({ held: Held[] } | null)[]) =>
  new Map([...says.entries()].flatMap(([slot, say]) => (say ? [[slot, say] as const] : [])));
const none = told(NOTHING, NOTHING, NOTHING, null);

describe("a file of which nobody has a piece", () => {
  test("was never put where all but one answer", () => {
    expect(neverHeld(file(), none, view, 3)).toBe(true);
    const parity = file({ needed: 2, copies: 1 });
    expect(neverHeld(parity, none, view, 3)).toBe(true);
    const all = told(NOTHING, NOTHING, NOTHING, NOTHING);
    expect(neverHeld(file(), all, view, null)).toBe(true);
  });

  test("may lie on the silent server where another does not answer either, or has taken the place of one", () => {
    expect(neverHeld(file(), told(NOTHING, NOTHING, null, null), view, 3)).toBe(false);
    const { seats } = configOf(5);
    const replaced = seats.map((seat, slot) => (slot === 2 ? { ...seat, heir: 4 } : seat));
    const after = viewOf(configOf(5, { seats: replaced, voters: [0, 1, 3, 4] }));
    const answers = new Map([0, 1, 4].map((slot) => [slot, NOTHING]));
    expect(neverHeld(file(), answers, after, 3)).toBe(false);
    expect(neverHeld(file({ ring: [0, 1, 4, 3] }), answers, after, 3)).toBe(false);
  });

  test("may lie there where it has one piece, at home there alone", () => {
    const single = file({ pieces: 1, needed: 1, copies: 1, ring: [3] });
    expect(neverHeld(single, none, view, 3)).toBe(false);
  });
});

test("a file of which somebody has a piece, or the remains of one, was put", () => {
  expect(neverHeld(file(), told(holding([2]), NOTHING, NOTHING, null), view, 3)).toBe(false);
  expect(neverHeld(file(), told(holding([], [2]), NOTHING, NOTHING, null), view, 3)).toBe(false);
});

test("what has no pieces never waits for any", () => {
  const folder = file({ pieces: 0, needed: 0, copies: 0, ring: [] });
  expect(neverHeld(folder, none, view, 3)).toBe(false);
});
