/**
 * Pieces of a version with parity, made of any K others: stripe by stripe, each piece read once.
 * Used by version_reader.
 */
import { DfsError } from "../../errors.ts";
import { chunkBytes, type Cut } from "../../file/split.ts";
import { CHUNK_BYTES } from "../../limits.ts";
import { hedged, type Patience } from "./hedged.ts";
import type { Portion } from "./portions.ts";
import type { Fetch } from "./remembering.ts";
import { codeOfCut } from "../../file/parity/parity.ts";

export class Rebuilder {
  readonly #patience: Patience;
  readonly #cut: Cut;
  readonly #fetch: Fetch;
  /**
   * The order in which pieces are asked for: data, then parity, then those without a known holder.
   */
  #order: number[] = [];

  constructor(patience: Patience, cut: Cut, fetch: Fetch) {
    this.#patience = patience;
    this.#cut = cut;
    this.#fetch = fetch;
  }

  /** `holders`: for each piece the slots that say they have it. */
  aim(holders: readonly (readonly number[])[]): void {
    const all = [...holders.keys()];
    const isHeld = (piece: number): boolean => (holders[piece]?.length ?? 0) > 0;
    this.#order = [...all.filter(isHeld), ...all.filter((piece) => !isHeld(piece))];
  }

  /**
   * The bytes of each piece of a portion. Throws DfsError("noPiece") when fewer than K pieces can
   * be had.
   */
  async read(portion: Portion): Promise<Uint8Array[]> {
    const got = await this.#gather(portion);
    const missing = portion.pieces.filter((piece) => !got.has(piece));
    if (missing.length > 0) this.#make(missing, got, portion);
    return portion.pieces.map((piece) => got.get(piece) ?? new Uint8Array());
  }

  /**
   * The bytes of all wanted pieces, or of any K. When a piece fails or is slow, one more is asked
   * for.
   */
  async #gather({ pieces: wanted, offset, length }: Portion): Promise<Map<number, Uint8Array>> {
    const { needed } = this.#cut;
    const got = await hedged<number, Uint8Array>(this.#patience, {
      ...this.#plan(wanted),
      needed,
      isEnough: (here) => here.size === needed || wanted.every((piece) => here.has(piece)),
      ask: (piece) => this.#fetch(piece, offset, length),
      onSlow: (piece) => this.#demote(piece),
      onFailed: (piece) => this.#demote(piece),
    });
    if (!got) throw new DfsError("noPiece", "too few pieces can be had");
    return got;
  }

  /**
   * The pieces in the order to ask for them, and how many at first: only the wanted ones, if these
   * are expected to come.
   */
  #plan(wanted: readonly number[]): { candidates: readonly number[]; first: number } {
    const { needed } = this.#cut;
    const best = this.#order.slice(0, needed);
    if (!wanted.every((piece) => best.includes(piece)))
      return { candidates: this.#order, first: needed };
    const others = this.#order.filter((piece) => !wanted.includes(piece));
    return { candidates: [...wanted, ...others], first: wanted.length };
  }

  /** Adds the bytes of the missing pieces. */
  #make(
    missing: readonly number[],
    got: Map<number, Uint8Array>,
    { offset, length: most }: Portion,
  ): void {
    const longest = chunkBytes(this.#cut, 0, offset, most);
    const from = [...got.keys()];
    const stripe = codeOfCut(this.#cut).stripe(CHUNK_BYTES);
    for (const [piece, data] of got) stripe.pieces[piece]?.fill(0, data.length, longest).set(data);
    stripe.make(missing, from, longest);
    for (const piece of missing) {
      const length = chunkBytes(this.#cut, piece, offset, most);
      got.set(piece, stripe.pieces[piece]?.slice(0, length) ?? new Uint8Array());
    }
    stripe.release();
  }

  /** From now on this piece is the last one asked for. */
  #demote(piece: number): void {
    this.#order = [...this.#order.filter((other) => other !== piece), piece];
  }
}
