/** Pieces of a version with parity, from any K of them: stripe by stripe, each piece read once. */
import { DfsError } from "../errors.ts";
import { chunkBytes } from "../file/split.ts";
import { CHUNK_BYTES, HEDGE_MS } from "../limits.ts";
import type { Version } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { Fetcher } from "./fetcher.ts";
import { codeOfCut } from "./stripes.ts";

export class Rebuilder {
  readonly #cluster: Cluster;
  readonly #version: Version;
  readonly #fetcher: Fetcher;
  /** Pieces in the order in which they are asked for: data before parity, what nobody says to hold last. */
  #order: number[] = [];

  constructor(cluster: Cluster, version: Version, fetcher: Fetcher) {
    this.#cluster = cluster;
    this.#version = version;
    this.#fetcher = fetcher;
  }

  /** `holders`: for each piece the slots that say they have it. */
  aim(holders: readonly (readonly number[])[]): void {
    const all = [...holders.keys()];
    const isHeld = (piece: number): boolean => (holders[piece]?.length ?? 0) > 0;
    this.#order = [...all.filter(isHeld), ...all.filter((piece) => !isHeld(piece))];
  }

  /** The chunks at `offset` of these pieces, in their order. Throws DfsError("noPiece") when no K pieces can be had. */
  async read(wanted: readonly number[], offset: number): Promise<Uint8Array[]> {
    const got = await this.#gather(offset);
    const missing = wanted.filter((piece) => !got.has(piece));
    if (missing.length > 0) this.#make(missing, got, offset);
    return wanted.map((piece) => got.get(piece) ?? new Uint8Array());
  }

  /** Any K chunks of the stripe: one more is asked for where one cannot be had, or keeps us waiting. */
  #gather(offset: number): Promise<Map<number, Uint8Array>> {
    const { needed } = this.#version;
    const queue = [...this.#order];
    const got = new Map<number, Uint8Array>();
    const result = Promise.withResolvers<typeof got>();
    let open = 0;
    const isOver = (): boolean => got.size === needed;
    const settle = (): void => {
      open--;
      if (isOver()) return result.resolve(got);
      if (open === 0 && queue.length === 0)
        result.reject(new DfsError("noPiece", "too few pieces can be had"));
    };
    const startNext = (): void => {
      const piece = queue.shift();
      if (piece === undefined) return;
      open++;
      const stopWaiting = this.#cluster.ports.clock.after(HEDGE_MS, () => {
        if (isOver() || queue.length === 0) return;
        this.#demote(piece);
        startNext();
      });
      this.#fetcher.fetch(piece, offset).then(
        (data) => {
          stopWaiting();
          if (!isOver()) got.set(piece, data);
          settle();
        },
        () => {
          stopWaiting();
          this.#demote(piece);
          if (!isOver()) startNext();
          settle();
        },
      );
    };
    for (let i = 0; i < needed; i++) startNext();
    return result.promise;
  }

  /** Adds the chunks of the missing pieces. */
  #make(missing: readonly number[], got: Map<number, Uint8Array>, offset: number): void {
    const longest = chunkBytes(this.#version, 0, offset);
    const from = [...got.keys()];
    const stripe = codeOfCut(this.#version).stripe(CHUNK_BYTES);
    for (const [piece, data] of got) stripe.pieces[piece]?.fill(0, data.length, longest).set(data);
    stripe.make(missing, from, longest);
    for (const piece of missing) {
      const length = chunkBytes(this.#version, piece, offset);
      got.set(piece, stripe.pieces[piece]?.slice(0, length) ?? new Uint8Array());
    }
    stripe.release();
  }

  /** From now on this piece is the last one asked for. */
  #demote(piece: number): void {
    this.#order = [...this.#order.filter((other) => other !== piece), piece];
  }
}
