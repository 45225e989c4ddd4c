/**
 * Histories from seeds: fixed ones, and a block of fresh ones whose numbers are printed. `SEED=n` replays one, with what each
 * client did; `HISTORIES=n` runs so many instead of the usual number.
 */
import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { FAULT_KINDS } from "./faults.ts";
import { runHistory } from "./history_run.ts";
import { failureIn } from "./many.ts";
import { type Plot, PLOTS } from "./plots.ts";
import { shortest } from "./shortest.ts";

const FIXED = Number(process.env.HISTORIES ?? (process.env.CI ? 12_000 : 2000));
const FRESH = Math.ceil(FIXED / 20);
const PLOTTED = Math.ceil(FIXED / 200);
const MINUTES = 60_000;
const seed = process.env.SEED;

test.if(seed !== undefined)("the history of SEED", () => {
  const { wrong } = runHistory(Number(seed));
  if (wrong !== null) console.error([wrong, ...shortest(Number(seed), {})].join("\n"));
  expect(wrong).toBeNull();
});

test("the same seed gives the same trace twice", () => {
  for (const twice of [7, 11, 59, 186]) {
    const first = runHistory(twice);
    const second = runHistory(twice);
    expect([second.hash, second.events]).toEqual([first.hash, first.events]);
  }
});

test(
  "a run really meets what it is for",
  () => {
    const marks = new Map<string, number>();
    for (let one = 1; one <= 400; one++)
      for (const [mark, n] of runHistory(one).marks) marks.set(mark, (marks.get(mark) ?? 0) + n);
    const ends = [
      "put done",
      "put putFailed",
      "put open",
      "put pending",
      "putIf conflict",
      "rm done",
      "get incomplete",
      "grow done",
      "shrink done",
      "replace done",
      "jump done",
    ];
    expect([...FAULT_KINDS, ...ends].filter((mark) => !marks.get(mark))).toEqual([]);
  },
  5 * MINUTES,
);

test(
  "the plots that lead up to the rarest traps",
  () => {
    for (const plot of Object.keys(PLOTS) as Plot[])
      for (let one = 1; one <= PLOTTED; one++)
        expect([plot, one, runHistory(one, { plot }).wrong]).toEqual([plot, one, null]);
  },
  5 * MINUTES,
);

test.if(seed === undefined)(
  `${FIXED} histories of fixed seeds`,
  async () => expect(await failureIn(1, FIXED, availableParallelism())).toBeNull(),
  30 * MINUTES,
);

test.if(seed === undefined)(
  `${FRESH} histories of fresh seeds`,
  async () => {
    const first = 1_000_000 + Math.floor(Math.random() * 1_000_000_000);
    console.log(`fresh seeds ${first}..${first + FRESH - 1}`);
    expect(await failureIn(first, first + FRESH - 1, availableParallelism())).toBeNull();
  },
  10 * MINUTES,
);
