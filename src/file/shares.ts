/**
 * With which weights servers draw, so that each is among the first `count` as often as its capacity is worth. The first of a draw come
 * by weight; but of five servers three different ones are taken, and where two are large the small ones come second and third too often:
 * on disks of 1, 2, 2, 4, 4 the smallest would be half as full again as the largest. So what they draw with is fitted. Used by
 * placement.ts.
 */

/** How often the weights are corrected: to less than a thousandth of each share, mostly. */
const ROUNDS = 16;
/** Points at which the time of a draw is looked at. */
const TIMES = 48;
/** What a weight is rounded to. */
const WEIGHT_UNIT = 2 ** 40;

/**
 * What each draws with; null: it is always among them. Fractions are added, multiplied and divided alone, which IEEE 754 rounds alike
 * on every machine; then they are integers.
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

/** The share of all that each takes, by weight: of `count` places, and no more than one each. */
export function chancesOf(weights: readonly number[], count: number): number[] {
  const chances = weights.map(() => 1);
  const order = [...weights.entries()].toSorted(([i, a], [j, b]) => b - a || i - j);
  let sum = weights.reduce((a, b) => a + b, 0);
  let left = count;
  // Who has more than its part of what is left takes a place of its own; the others share the rest.
  for (const [i, weight] of order)
    if (left * weight >= sum) {
      left--;
      sum -= weight;
    } else chances[i] = (left * weight) / sum;
  return chances;
}

/** Corrects the weights by what came of them. */
function fit(chances: readonly number[], count: number): bigint[] {
  if (chances.every((chance) => chance === chances[0])) return chances.map(() => 1n);
  let rates = chances.map((chance) => chance / (1 - chance / 2));
  for (let round = 0; round < ROUNDS; round++) {
    const got = inclusions(rates, count);
    rates = rates.map((rate, i) => (rate * chanceOf(chances, i)) / chanceOf(got, i));
  }
  const most = Math.max(...rates);
  return rates.map((rate) => BigInt(Math.max(1, Math.round((rate / most) * WEIGHT_UNIT))));
}

/**
 * How probable it is for each to be among the first `count`, where each comes after a time that is exponential with its rate: summed over
 * time, the probability that it comes just then, and fewer than `count` others before.
 */
export function inclusions(rates: readonly number[], count: number): number[] {
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

/** For each, how probable it is that fewer than `count` of the others have come, where `waiting` is how probable it is that one has not. */
function fewerBefore(waiting: readonly number[], count: number): number[] {
  const first: readonly number[] = Array.from({ length: count }, (_, n) => Number(n === 0));
  /** How probable it is that n of those before this one have come. */
  const before = [first];
  for (const stays of waiting) before.push(oneMore(before.at(-1) ?? [], stays));
  /** That at most n of those after it have. */
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

/** The same numbers, where one more may have come. */
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
