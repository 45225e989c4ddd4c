/**
 * The weights that servers draw with. They are fitted so that each server is among the first
 * `count` as often as its capacity is worth. A draw by the capacities themselves does not do that.
 * Of five servers it takes three different ones; where two are large, the small ones come second
 * and third too often. On disks of 1, 2, 2, 4, 4 the smallest would become half as full again as
 * the largest. Used by placement.ts.
 */

/**
 * How often the weights are corrected. Mostly each share is then right to less than a thousandth.
 */
const ROUNDS = 16;
/** The number of points in time at which a draw is evaluated. */
const TIMES = 48;
/** The largest weight after rounding. */
const WEIGHT_UNIT = 2 ** 40;

/**
 * The weight that each draws with; null where it is always among the first. Fractions are only
 * added, multiplied and divided, which IEEE 754 rounds alike on every machine. In the end they
 * become integers.
 */
export function drawingWeights(weights: readonly number[], count: number): (bigint | null)[] {
  const chances = chancesOf(weights, count);
  const open = [...chances.keys()].filter((i) => chanceOf(chances, i) < 1);
  const fitted = fit(
    open.map((i) => chanceOf(chances, i)),
    count - (weights.length - open.length),
  );
  const found = new Map(open.map((i, at) => [i, fitted[at]]));
  return chances.map((_, i) => found.get(i) ?? null);
}

const chanceOf = (chances: readonly number[], i: number): number => chances[i] ?? 0;

/** The share of `count` places that each takes by its weight, at most one place. */
export function chancesOf(weights: readonly number[], count: number): number[] {
  const chances = weights.map(() => 1);
  const order = [...weights.entries()].toSorted(([i, a], [j, b]) => b - a || i - j);
  let sum = weights.reduce((a, b) => a + b, 0);
  let left = count;
  // One that has at least a whole share of the places left takes a place of its own. The others
  // share the rest.
  for (const [i, weight] of order)
    if (left * weight >= sum) {
      left--;
      sum -= weight;
    } else chances[i] = (left * weight) / sum;
  return chances;
}

/** Corrects the weights by the shares that came of them. */
function fit(chances: readonly number[], count: number): bigint[] {
  if (chances.every((chance) => chance === chances[0])) return chances.map(() => 1n);
  let rates = chances.map((chance) => chance / (1 - chance / 2));
  for (let round = 0; round < ROUNDS; round++) {
    const got = inclusionProbabilities(rates, count);
    rates = rates.map((rate, i) => (rate * chanceOf(chances, i)) / chanceOf(got, i));
  }
  const most = Math.max(...rates);
  return rates.map((rate) => BigInt(Math.max(1, Math.round((rate / most) * WEIGHT_UNIT))));
}

/**
 * The probability of each to be among the first `count`, where each comes after a time that is
 * exponential with its rate. It is summed over time: the probability that it comes just then, and
 * that fewer than `count` others came before.
 */
export function inclusionProbabilities(rates: readonly number[], count: number): number[] {
  const sums = rates.map(() => 0);
  let waiting = rates.map(() => 1);
  let open = rates.map(() => 1);
  for (let at = 1; at <= TIMES; at++) {
    const isEnd = at === TIMES;
    const time = at / (TIMES - at);
    const later = rates.map((rate) => (isEnd ? 0 : expMinus(rate * time)));
    const openThen = isEnd ? rates.map(() => 0) : fewerBefore(later, count);
    for (const [i, before] of waiting.entries())
      sums[i] =
        chanceOf(sums, i) +
        ((before - chanceOf(later, i)) * (chanceOf(open, i) + chanceOf(openThen, i))) / 2;
    waiting = later;
    open = openThen;
  }
  return sums;
}

/**
 * For each, the probability that fewer than `count` of the others have come. `waiting` has the
 * probability of each that it has not come.
 */
function fewerBefore(waiting: readonly number[], count: number): number[] {
  const first: readonly number[] = Array.from({ length: count }, (_, n) => Number(n === 0));
  /** The probability that n of those before this one have come. */
  const before = [first];
  for (const stays of waiting) before.push(oneMore(before.at(-1) ?? [], stays));
  /** The probability that at most n of those after it have come. */
  let after: readonly number[] = first.map(() => 1);
  const found: number[] = [];
  for (let i = waiting.length - 1; i >= 0; i--) {
    const atMost = after;
    found[i] = (before[i] ?? []).reduce(
      (sum, p, n) => sum + p * chanceOf(atMost, count - 1 - n),
      0,
    );
    after = oneMore(after, chanceOf(waiting, i));
  }
  return found;
}

/** The same probabilities with one more that may have come. */
const oneMore = (numbers: readonly number[], stays: number): number[] =>
  numbers.map((p, n) => p * stays + (n > 0 ? chanceOf(numbers, n - 1) * (1 - stays) : 0));

/** e^-x. */
function expMinus(x: number): number {
  if (x > 40) return 0;
  const y = x / 1024;
  let e = 1 - y * (1 - (y / 2) * (1 - y / 3));
  for (let n = 0; n < 10; n++) e *= e;
  return e;
}
