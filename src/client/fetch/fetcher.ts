/**
 * Chunks of one version's pieces. Each comes from the best of its holders, and from another holder
 * when that one fails or is slow. Used by version_reader.
 */
import { unfilled } from "../../cursor.ts";
import type { StoredName } from "../../file/names.ts";
import { asDfsError, DfsError } from "../../errors.ts";
import { chunkBytes } from "../../file/split.ts";
import type { Version } from "../../version.ts";
import type { SentPiece } from "../../wire/values.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { Space } from "../trust/space.ts";
import { hedged, type Patience } from "./hedged.ts";
import { PieceReader, type PieceServers, type Put } from "./piece_reader.ts";
import { Place } from "./place.ts";
import { balance } from "./plan.ts";

/** The part of a cluster that a Fetcher uses. */
export type FetcherCluster = PieceServers &
  Pick<Cluster, "live" | "labelOf" | "warn"> & { readonly space: Pick<Space, "shown"> };

export class Fetcher {
  readonly #cluster: FetcherCluster;
  readonly #patience: Patience;
  readonly #name: StoredName;
  readonly #version: Version;
  readonly #reader: PieceReader;
  /** For each piece the slots to ask, the best first. */
  #sources: number[][] = [];
  /** Did a piece not verify? */
  sawRot = false;

  constructor(cluster: FetcherCluster, patience: Patience, name: StoredName, version: Version) {
    this.#cluster = cluster;
    this.#patience = patience;
    this.#name = name;
    this.#version = version;
    this.#reader = new PieceReader(cluster, name, version);
  }

  /**
   * `holders`: for each piece the slots that say they have it. `small`: pieces that came with the
   * record, unverified.
   */
  aim(holders: readonly (readonly number[])[], small: readonly SentPiece[]): void {
    this.#reader.offer(small);
    const first = balance(holders);
    this.#sources = holders.map((slots, piece) => {
      const preferred = first[piece] ?? null;
      const listed =
        preferred === null ? [] : [preferred, ...slots.filter((slot) => slot !== preferred)];
      // A server that does not list the piece is asked last. It may know that the piece rotted,
      // which is not the same as lost.
      return [...listed, ...this.#cluster.live.filter((slot) => !listed.includes(slot))];
    });
  }

  /**
   * At most so many bytes at `offset` of a piece, whole blocks, verified. Throws
   * DfsError("noPiece") when no server gives them.
   */
  async fetch(piece: number, offset: number, most: number): Promise<Uint8Array> {
    const chunk = unfilled(chunkBytes(this.#version, piece, offset, most));
    await this.bring(piece, offset, most, (part, at) => chunk.set(part, at));
    return chunk;
  }

  /**
   * Puts at most so many bytes at `offset` of a piece, whole blocks, where they belong. They are
   * put as they come, so damaged ones may be put too, and others are put in their place then. When
   * this resolves all of them are verified, and no more is put after that, nor after a throw.
   * Throws as `fetch`.
   */
  async bring(piece: number, offset: number, most: number, put: Put): Promise<void> {
    const length = chunkBytes(this.#version, piece, offset, most);
    if (length === 0) return;
    const whole = this.#reader.offered(piece);
    if (whole) return put(whole.subarray(offset, offset + length), 0);
    const place = new Place(length, put);
    const delivered = await hedged<number, true>(this.#patience, {
      candidates: this.#sources[piece] ?? [],
      first: 1,
      needed: 1,
      isEnough: ({ size }) => size === 1,
      ask: (slot) => place.fill((into) => this.#reader.read(slot, piece, offset, length, into)),
      onSlow: (slot) => this.#demote(piece, slot),
      onFailed: (slot, error) => this.#complain(slot, piece, error),
    });
    if (!delivered) throw new DfsError("noPiece", "no server gives this piece");
  }

  /** From now on this server is the last one asked for this piece. */
  #demote(piece: number, slot: number): void {
    const rest = (this.#sources[piece] ?? []).filter((other) => other !== slot);
    this.#sources[piece] = [...rest, slot];
  }

  #complain(slot: number, piece: number, error: unknown): void {
    const { code, message } = asDfsError(error);
    this.#demote(piece, slot);
    if (code === "noPiece" || code === "down") return;
    if (code === "badPiece") this.sawRot = true;
    this.#cluster.warn(
      `${this.#cluster.space.shown(this.#name)}: ${this.#cluster.labelOf(slot)}: ${message}; trying another copy`,
    );
  }
}
