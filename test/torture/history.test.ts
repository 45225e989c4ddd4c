/** The check of recorded histories: what no store could have shown is found, however many outcomes are open. */
import { expect, test } from "bun:test";
import type { Order } from "../sim/orders.ts";
import { Rng } from "../sim/random.ts";
import type { Deed } from "./crowd.ts";
import { checkHistories } from "./history.ts";

const NAME = "a";

function deed(
  order: Order,
  invoked: number,
  returned: number,
  outcome: string,
  value: number | null = null,
): Deed {
  return {
    id: 0,
    client: 1,
    order,
    invoked,
    returned,
    outcome,
    value,
    bytes: 0,
    listed: null,
    why: "",
  };
}
const put = (value: number, from: number, to: number, outcome = "done"): Deed =>
  deed({ do: "put", name: NAME, value, bytes: 100 }, from, to, outcome);
const got = (value: number, from: number, to: number): Deed =>
  deed({ do: "get", name: NAME }, from, to, value === 0 ? "noSuchName" : "done", value);

const wrongIn = (deeds: readonly Deed[]): string | null => {
  try {
    checkHistories(deeds, [NAME]);
    return null;
  } catch (error) {
    return String(error);
  }
};

test.each([
  ["a write and its read", [put(1, 0, 1), got(1, 2, 3)]],
  [
    "an open write that shows later",
    [put(1, 0, 1), put(2, 2, 3, "open"), got(1, 4, 5), got(2, 6, 7)],
  ],
  ["a failed write that does not show", [put(1, 0, 1), put(2, 2, 3, "putFailed"), got(1, 4, 5)]],
  [
    "reads of either, while it is written",
    [put(1, 0, 1), put(2, 2, 9), got(1, 3, 4), got(2, 5, 6)],
  ],
])("%s can be", (_, deeds) => {
  expect(wrongIn(deeds)).toBeNull();
});

test.each([
  ["a stale read", [put(1, 0, 1), put(2, 2, 3), got(1, 4, 5)], 5],
  ["a newer, then an older read", [put(1, 0, 1), put(2, 2, 9), got(2, 3, 4), got(1, 5, 6)], 6],
  ["a failed write that shows", [put(1, 0, 1), put(2, 2, 3, "putFailed"), got(2, 4, 5)], 5],
  [
    "an open write that shows and goes",
    [put(1, 0, 1), put(2, 2, 3, "open"), got(2, 4, 5), got(1, 6, 7), got(2, 8, 9)],
    7,
  ],
  [
    "a deleted file that returns",
    [put(1, 0, 1), deed({ do: "rm", name: NAME }, 2, 3, "done"), got(1, 4, 5)],
    5,
  ],
])("%s cannot be, and the time is told", (_, deeds, end) => {
  expect(wrongIn(deeds)).toContain(`it breaks at ${end.toFixed(3)}`);
});

/** A history as some clients could have it, where every tenth write stays open. */
function longHistory(rng: Rng, length: number): Deed[] {
  let current = 0;
  return Array.from({ length }, (_, i) => {
    // Each takes effect at i, and lasts from some time before that to some time after it.
    const [from, to] = [i - 3 * rng.fraction(), i + 3 * rng.fraction()];
    if (rng.chance(0.6)) return got(current, from, to);
    const isOpen = rng.chance(0.1);
    if (!isOpen || rng.chance(0.5)) current = i + 1;
    return put(i + 1, from, to, isOpen ? "open" : "done");
  });
}

test("thousands of operations are checked in a moment", () => {
  const deeds = longHistory(new Rng(1), 4000);
  expect(wrongIn(deeds)).toBeNull();
  const reads = deeds.filter(({ order }) => order.do === "get");
  const late = reads.at(-100) as Deed;
  late.value = (reads[100] as Deed).value;
  expect(wrongIn(deeds)).toContain("breaks at");
}, 20_000);
