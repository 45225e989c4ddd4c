/** Chance from a seed (mulberry32): the same seed gives the same history, on every machine. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 2654435761) >>> 0;
  }

  /** From 0 to 1, without 1. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  /** A number from 0, below this one. */
  below(bound: number): number {
    return Math.floor(this.fraction() * bound);
  }

  is(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** One of these, which are not none. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
