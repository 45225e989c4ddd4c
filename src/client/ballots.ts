/**
 * Which number a client goes above, going by what servers say they have promised (docs/consistency.md section 12): pure. Servers go along in
 * steps only, so that nobody can leave others no room; and no single server is followed to where it is not needed.
 */
import { CLIMB_STEPS } from "../limits.ts";
import {
  type Ballot,
  ballotAbove,
  boundOf,
  highest,
  type Register,
  stepsAbove,
} from "../version.ts";

/** What a server's register says it has promised: never less than it accepted. Where it has no row that is the floor of the space. */
export const claimOf = ({ prom, acc, com }: Register): Ballot =>
  highest([prom, acc?.ballot ?? 0n, com?.ballot ?? 0n]);

/** What these servers say they have promised. */
export const claimsIn = (told: ReadonlyMap<number, { readonly register: Register }>): Ballot[] =>
  [...told.values()].map(({ register }) => claimOf(register));

/** The highest and the second highest; the same where there is only one. */
function topOf(numbers: Iterable<Ballot>): { first: Ballot; second: Ballot } {
  let first: Ballot | null = null;
  let second: Ballot | null = null;
  for (const number of numbers)
    if (first === null || number > first) [first, second] = [number, first];
    else if (second === null || number > second) second = number;
  return { first: first ?? 0n, second: second ?? first ?? 0n };
}

/** The highest that two servers vouch for: the second highest, or the highest where that is at most a step above it. */
export function vouchedFor(numbers: Iterable<Ballot>): Ballot {
  const { first, second } = topOf(numbers);
  return first <= boundOf(second) ? first : second;
}

/** How far to go where too few servers promise at that: to the highest, but only so many steps above the second highest. */
export function reachOf(numbers: Iterable<Ballot>): Ballot {
  const { first, second } = topOf(numbers);
  if (first === second) return first;
  const bound = stepsAbove(second, CLIMB_STEPS);
  return first < bound ? first : bound;
}

/** Numbers the tries of one operation, each above what counts of what it has heard. */
export class Ballots {
  readonly #random: () => Uint8Array;
  /** What it shall be above in any case, as far as servers go along. */
  readonly #above: Ballot;
  readonly #claims = new Map<number, Ballot>();
  /** The last that was tried, and the last that too few promised. */
  #tried: Ballot = 0n;
  #short: Ballot = 0n;
  /** What a new life must be born above. */
  #floor: Ballot = 0n;

  /** `random`: eight random bytes. */
  constructor(random: () => Uint8Array, above: Ballot = 0n) {
    this.#random = random;
    this.#above = above;
  }

  /** The next one to try. */
  next(): Ballot {
    const vouched = vouchedFor(this.#numbers);
    const reach = this.#reach;
    // Where nobody has a higher one since, those that two vouch for are too few.
    const base = vouched > this.#short ? vouched : reach;
    const wanted = highest([base, this.#above, this.#floor]);
    const above = wanted < reach ? wanted : reach;
    this.#tried = ballotAbove([above], this.#random());
    return this.#tried;
  }

  /** What a server says it has promised. */
  saw(slot: number, promised: Ballot): void {
    this.#claims.set(slot, promised);
  }

  /** Is one of these further ahead than the next try can be? How far that is goes by what the others say by now. */
  isAhead(claims: Iterable<readonly [slot: number, promised: Ballot]>): boolean {
    const numbers = [...new Map([...this.#claims, ...claims]).values()];
    return highest(numbers) > reachOf(numbers);
  }

  /** Too few servers went along with the last one. */
  fellShort(): void {
    this.#short = this.#tried;
  }

  /** A new life must be born above this. */
  bearAbove(floor: Ballot): void {
    this.#floor = highest([this.#floor, floor]);
  }

  /** Is it worth going up to this one with a server that finds it too high? */
  mayClimbTo(ballot: Ballot): boolean {
    return ballot <= boundOf(this.#reach);
  }

  get #reach(): Ballot {
    return highest([reachOf(this.#numbers), this.#floor]);
  }

  /** What was heard; and what shall be gone above is what some server said before, who may not have been heard yet. */
  get #numbers(): Ballot[] {
    const claims = [...this.#claims.values()];
    return highest(claims) < this.#above ? [...claims, this.#above] : claims;
  }
}
