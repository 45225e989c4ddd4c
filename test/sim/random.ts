/**
 * All chance in a simulated history: one seed, many independent streams. The generator is sfc32,
 * which is fast in JavaScript, passes PractRand, and whose state is small enough to give every link
 * and disk a stream of its own.
 */
import type { Random } from "../../src/io/ports.ts";

/** One round of murmur3's finaliser: any change of the input changes half of the output. */
function scramble(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A 32-bit hash of a short text, for labels. */
export function labelHash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return scramble(h);
}

export class Rng {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;
  readonly #seedLow: number;
  readonly #seedHigh: number;
  #forks = 0;

  /** Any whole number up to 2^53 is a seed; `label` tells apart the streams of one seed. */
  constructor(seed: number, label = 0) {
    this.#seedLow = scramble(seed >>> 0) ^ label;
    this.#seedHigh = scramble(Math.floor(seed / 2 ** 32) >>> 0) ^ scramble(label + 1);
    this.#a = this.#seedLow | 0;
    this.#b = this.#seedHigh | 0;
    this.#c = scramble(this.#seedLow + Math.imul(this.#seedHigh, 3)) | 0;
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** A whole number in [0, 2^32). */
  u32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  /** A number in [0, 1). */
  fraction(): number {
    return this.u32() / 2 ** 32;
  }

  /** A whole number in [0, n), for n from 1. */
  int(n: number): number {
    if (n <= 2 ** 24) return Math.floor(this.fraction() * n);
    const high = this.u32() >>> 11;
    return Math.floor(((high * 2 ** 32 + this.u32()) / 2 ** 53) * n);
  }

  /** A whole number in [from, to], both included. */
  between(from: number, to: number): number {
    return from + this.int(to - from + 1);
  }

  /** True with probability p. */
  chance(p: number): boolean {
    return p > 0 && this.fraction() < p;
  }

  /** One of them. */
  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new Error("bug: nothing to pick from");
    return from[this.int(from.length)] as T;
  }

  /** `n` random bytes. */
  bytes(n: number): Uint8Array<ArrayBuffer> {
    const words = new Uint32Array((n + 3) >>> 2);
    for (let i = 0; i < words.length; i++) words[i] = this.u32();
    return new Uint8Array(words.buffer, 0, n);
  }

  /**
   * A new independent stream. It depends on this stream's seed, the label and how many forks came
   * before, but not on what was drawn in between: a new draw in one place does not change the luck
   * of all others.
   */
  fork(label: string): Rng {
    const seed = this.#seedLow + (this.#seedHigh & 0x1fffff) * 2 ** 32;
    return new Rng(seed, scramble(labelHash(label) + Math.imul(++this.#forks, 0x9e3779b1)));
  }
}

/** The Random port over a stream: guessable, repeatable, for tests only. */
export const simRandom = (rng: Rng): Random => ({
  bytes: (n) => rng.bytes(n),
  fraction: () => rng.fraction(),
});
