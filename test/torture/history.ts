/** Whether what clients have written down can have come from one store; and where not, why not. */
import { isLinearizable, type Operation } from "../sim/linearizable.ts";
import { type Deed, historyOf, lineOf } from "./crowd.ts";
import { Failure } from "./stage.ts";

const EVIDENCE_MS = 1500;

/** Throws a Failure with the shortest beginning of a name's history that no store could have. */
export function checkHistories(deeds: readonly Deed[], names: readonly string[]): void {
  for (const name of names) {
    const history = historyOf(deeds, name);
    if (isPossible(history)) continue;
    const end = firstWrong(history);
    const near = deeds.filter(
      ({ order, invoked, returned }) =>
        "name" in order && order.name === name && invoked <= end && returned >= end - EVIDENCE_MS,
    );
    throw new Failure(
      `the history of ${name} is not linearizable; it breaks at ${end.toFixed(3)}`,
      [
        `what was done with ${name} in the ${EVIDENCE_MS} ms before:`,
        ...near.map(lineOf),
        `all that was done with it until then:`,
        ...deeds
          .filter(({ order, invoked }) => "name" in order && order.name === name && invoked <= end)
          .map(lineOf),
      ],
    );
  }
}

/**
 * As `isLinearizable`, faster where many writes are open. One whose content nobody read needs no place in the order, and one
 * whose content was read was over, in effect, when the first such read returned. What is possible so is possible; only
 * where some condition did not hold, perhaps because of what nobody read, the unabridged history must be asked as well.
 */
function isPossible(history: readonly Operation[]): boolean {
  if (isLinearizable(abridged(history))) return true;
  const isExact = history.every(({ effect }) => effect.is !== "readNot");
  return isExact ? false : isLinearizable(history);
}

function abridged(history: readonly Operation[]): Operation[] {
  const firstRead = new Map<number, number>();
  const see = (value: number, when: number): void => {
    firstRead.set(value, Math.min(when, firstRead.get(value) ?? Infinity));
  };
  for (const { effect, returned } of history) {
    if (effect.is === "read") see(effect.value, returned);
    if (effect.is === "writeIf") see(effect.expected, returned);
  }
  return history.flatMap((operation) => {
    const { effect, returned } = operation;
    const writes = effect.is === "write" || effect.is === "writeIf";
    if (!writes || returned !== Infinity || effect.value === 0) return [operation];
    const seen = firstRead.get(effect.value);
    return seen === undefined ? [] : [{ ...operation, returned: seen }];
  });
}

/** The earliest time until which the history cannot be. */
function firstWrong(history: readonly Operation[]): number {
  const ends = history
    .map(({ returned }) => returned)
    .filter(Number.isFinite)
    .toSorted((a, b) => a - b);
  let low = 0;
  let high = ends.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isPossible(until(history, ends[middle] ?? Infinity))) low = middle + 1;
    else high = middle;
  }
  return ends[low] ?? Infinity;
}

/** The history as it was known at that time. */
const until = (history: readonly Operation[], end: number): Operation[] =>
  history.flatMap((operation) => {
    if (operation.invoked > end) return [];
    if (operation.returned <= end) return [operation];
    const isRead = operation.effect.is === "read" || operation.effect.is === "readNot";
    return isRead ? [] : [{ ...operation, returned: Infinity }];
  });
