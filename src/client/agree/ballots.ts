/**
 * Chooses the ballot that a client tries next, from what servers say they have promised
 * (docs/consistency.md section 12). Pure. Used by rounds, propose and register.
 *
 * A server accepts a ballot only a bounded step above its promise, so nobody can leave others no
 * room. A client follows the number of a single server only where it cannot do without that server.
 */
import { CLIMB_STEPS } from "../../limits.ts";
import {
  type Ballot,
  ballotAbove,
  boundOf,
  highest,
  type Register,
  stepsAbove,
} from "../../version.ts";

/**
 * The promise that a register shows. It is never less than what the server accepted. Where the
 * server has no row it is the floor of the space.
 */
export const claimOf = ({ prom, acc, com }: Register): Ballot =>
  highest([prom, acc?.ballot ?? 0n, com?.ballot ?? 0n]);

/** The promises that these servers show. */
export const claimsIn = (answers: ReadonlyMap<number, { readonly register: Register }>): Ballot[] =>
  [...answers.values()].map(({ register }) => claimOf(register));

/** The highest and the second highest number. Both are the same where there is only one. */
function topTwo(numbers: Iterable<Ballot>): { first: Ballot; second: Ballot } {
  let first: Ballot | null = null;
  let second: Ballot | null = null;
  for (const number of numbers)
    if (first === null || number > first) [first, second] = [number, first];
    else if (second === null || number > second) second = number;
  return { first: first ?? 0n, second: second ?? first ?? 0n };
}

/**
 * The highest number that two servers vouch for: the highest, if it is at most one step above the
 * second highest; else the second highest.
 */
export function vouchedFor(numbers: Iterable<Ballot>): Ballot {
  const { first, second } = topTwo(numbers);
  return /* rule: vouched-by-two */ first <= boundOf(second) ? first : second;
}

/**
 * How far to go when too few servers promise at the vouched number: to the highest number, but at
 * most CLIMB_STEPS steps above the second highest.
 */
export function reachOf(numbers: Iterable<Ballot>): Ballot {
  const { first, second } = topTwo(numbers);
  if (first === second) return first;
  const bound = stepsAbove(second, CLIMB_STEPS);
  return /* rule: reach-is-bounded */ first < bound ? first : bound;
}

/**
 * Numbers the tries of one operation. Each ballot is above the promises heard so far, as far as
 * those count.
 */
export class Ballots {
  readonly #random: () => Uint8Array;
  /** Every ballot of the operation is to be above this one, as far as servers go along. */
  readonly #above: Ballot;
  readonly #claims = new Map<number, Ballot>();
  /** The last ballot that was tried, and the last that too few servers promised. */
  #tried: Ballot = 0n;
  #short: Ballot = 0n;
  /** A new life of the name must begin above this floor. */
  #floor: Ballot = 0n;

  /** `random` returns eight random bytes. */
  constructor(random: () => Uint8Array, above: Ballot = 0n) {
    this.#random = random;
    this.#above = above;
  }

  /** The next ballot to try. */
  next(): Ballot {
    const vouched = vouchedFor(this.#numbers);
    const reach = this.#reach;
    // Too few servers promised at `#short`. If the vouched number has not risen above it, go as far
    // as the reach.
    const base = vouched > this.#short ? vouched : reach;
    const wanted = highest([base, this.#above, this.#floor]);
    const above = wanted < reach ? wanted : reach;
    this.#tried = ballotAbove([above], this.#random());
    return this.#tried;
  }

  /** Notes what a server says it has promised. */
  saw(slot: number, promised: Ballot): void {
    this.#claims.set(slot, promised);
  }

  /**
   * Is one of these promises further ahead than the next try can go? They take the place of what
   * the same servers said before, and show what the others say by now.
   */
  isAhead(claims: Iterable<readonly [slot: number, promised: Ballot]>): boolean {
    const numbers = [...new Map([...this.#claims, ...claims]).values()];
    // rule: others-are-heard
    return highest(numbers) > reachOf(numbers);
  }

  /** Notes that too few servers went along with the last ballot. */
  fellShort(): void {
    this.#short = this.#tried;
  }

  /** Notes that a new life must begin above this floor. */
  raiseFloor(floor: Ballot): void {
    this.#floor = highest([this.#floor, floor]);
  }

  /**
   * A server found this ballot too high. Is it worth climbing up to the ballot with that server?
   */
  mayClimbTo(ballot: Ballot): boolean {
    return ballot <= boundOf(this.#reach);
  }

  get #reach(): Ballot {
    return highest([reachOf(this.#numbers), this.#floor]);
  }

  /**
   * The promises that were heard. If none of them reaches `#above`, then `#above` is one more: some
   * server promised it earlier, and may not have been heard yet.
   */
  get #numbers(): Ballot[] {
    const claims = [...this.#claims.values()];
    return highest(claims) < this.#above ? [...claims, this.#above] : claims;
  }
}
