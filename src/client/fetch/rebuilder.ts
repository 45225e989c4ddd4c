/** Pieces of a version with parity, from any K of them: stripe by stripe, each piece read once. */
import { DfsError } from "../../errors.ts";
import { chunkBytes } from "../../file/split.ts";
import { CHUNK_BYTES } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { hedgeMs } from "./fetcher.ts";
import type { Portion } from "./portions.ts";
import type { Fetch } from "./remembering.ts";
import { codeOfCut } from "../../file/parity.ts";

export class Rebuilder {
  readonly #cluster: Cluster;
  readonly #version: Version;
  readonly #fetch: Fetch;
  /** Pieces in the order in which they are asked for: data before parity, what nobody says to hold last. */
  #order: number[] = [];

  constructor(cluster: Cluster, version: Version, fetch: Fetch) {
    this.#cluster = cluster;
    this.#version = version;
    this.#fetch = fetch;
  }

  /** `holders`: for each piece the slots that say they have it. */
  aim(holders: readonly (readonly number[])[]): void {
    const all = [...holders.keys()];
    const isHeld = (piece: number): boolean => (holders[piece]?.length ?? 0) > 0;
    this.#order = [...all.filter(isHeld), ...all.filter((piece) => !isHeld(piece))];
  }

  /** The bytes of each piece of a portion. Throws DfsError("noPiece") when no K pieces can be had. */
  async read(portion: Portion): Promise<Uint8Array[]> {
    const got = await this.#gather(portion);
    const missing = portion.pieces.filter((piece) => !got.has(piece));
    if (missing.length > 0) this.#make(missing, got, portion);
    return portion.pieces.map((piece) => got.get(piece) ?? new Uint8Array());
  }

  /** The bytes of all that are wanted, or of any K: one more is asked for where one cannot be had, or keeps us waiting. */
  #gather({ pieces: wanted, offset, length }: Portion): Promise<Map<number, Uint8Array>> {
    const { needed } = this.#version;
    const { queue, first } = this.#plan(wanted);
    const got = new Map<number, Uint8Array>();
    /** Those that have come, or should soon. */
    const expected = new Set<number>();
    const result = Promise.withResolvers<typeof got>();
    let open = 0;
    const isOver = (): boolean => got.size === needed || wanted.every((piece) => got.has(piece));
    const settle = (): void => {
      open--;
      if (isOver()) return result.resolve(got);
      if (open === 0 && queue.length === 0)
        result.reject(new DfsError("noPiece", "too few pieces can be had"));
    };
    const ask = (count: number): void => {
      for (const piece of queue.splice(0, Math.max(0, count - expected.size))) start(piece);
    };
    const giveUp = (piece: number): void => {
      this.#demote(piece);
      expected.delete(piece);
      if (!isOver()) ask(needed);
    };
    const start = (piece: number): void => {
      open++;
      expected.add(piece);
      const stopWaiting = this.#cluster.ports.clock.after(hedgeMs(this.#cluster), () => {
        if (!isOver() && queue.length > 0) giveUp(piece);
      });
      this.#fetch(piece, offset, length).then(
        (data) => {
          stopWaiting();
          if (!isOver()) got.set(piece, data);
          settle();
        },
        () => {
          stopWaiting();
          giveUp(piece);
          settle();
        },
      );
    };
    ask(first);
    return result.promise;
  }

  /** Pieces in the order to ask for them, and how many at first: only what is wanted, where that can be expected to come. */
  #plan(wanted: readonly number[]): { queue: number[]; first: number } {
    const { needed } = this.#version;
    const best = this.#order.slice(0, needed);
    if (!wanted.every((piece) => best.includes(piece)))
      return { queue: [...this.#order], first: needed };
    const others = this.#order.filter((piece) => !wanted.includes(piece));
    return { queue: [...wanted, ...others], first: wanted.length };
  }

  /** Adds the bytes of the missing pieces. */
  #make(
    missing: readonly number[],
    got: Map<number, Uint8Array>,
    { offset, length: most }: Portion,
  ): void {
    const longest = chunkBytes(this.#version, 0, offset, most);
    const from = [...got.keys()];
    const stripe = codeOfCut(this.#version).stripe(CHUNK_BYTES);
    for (const [piece, data] of got) stripe.pieces[piece]?.fill(0, data.length, longest).set(data);
    stripe.make(missing, from, longest);
    for (const piece of missing) {
      const length = chunkBytes(this.#version, piece, offset, most);
      got.set(piece, stripe.pieces[piece]?.slice(0, length) ?? new Uint8Array());
    }
    stripe.release();
  }

  /** From now on this piece is the last one asked for. */
  #demote(piece: number): void {
    this.#order = [...this.#order.filter((other) => other !== piece), piece];
  }
}
