/**
 * The place of one chunk, which several servers may bring at the same time. One of them writes
 * there as its bytes come. What another one brings is kept aside, and put there once it is verified
 * before all others. Used by fetcher.
 */
import { unfilled } from "../../cursor.ts";
import type { Put } from "./piece_reader.ts";

export class Place {
  readonly #length: number;
  readonly #put: Put;
  /** Is somebody writing there as its bytes come? */
  #isTaken = false;
  /** Is the whole chunk there, verified? */
  #isFilled = false;

  /** `put` writes a part of the chunk, of `length` bytes, to its place. */
  constructor(length: number, put: Put) {
    this.#length = length;
    this.#put = put;
  }

  /** Has `bring` put all bytes, and resolve once they are verified. Throws what `bring` throws. */
  fill(bring: (put: Put) => Promise<void>): Promise<true> {
    return this.#isTaken ? this.#fillFromAside(bring) : this.#fillAtOnce(bring);
  }

  async #fillAtOnce(bring: (put: Put) => Promise<void>): Promise<true> {
    this.#isTaken = true;
    try {
      await bring((part, at) => {
        // Bytes that are not verified must not replace those that are.
        if (!this.#isFilled) this.#put(part, at);
      });
    } finally {
      this.#isTaken = false;
    }
    this.#isFilled = true;
    return true;
  }

  async #fillFromAside(bring: (put: Put) => Promise<void>): Promise<true> {
    const aside = unfilled(this.#length);
    await bring((part, at) => aside.set(part, at));
    if (!this.#isFilled) this.#put(aside, 0);
    this.#isFilled = true;
    return true;
  }
}
