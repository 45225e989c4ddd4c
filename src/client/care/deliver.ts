/**
 * Sends pieces to the homes that lack them, copied or rebuilt. It goes chunk by chunk, with a few
 * chunks under way at once. Used by bring_home.
 */
import type { StoredName } from "../../file/names.ts";
import { type DfsError, isDfsError } from "../../errors.ts";
import { rootsOf } from "../../file/manifest.ts";
import { hasParity, pieceBytes } from "../../file/split.ts";
import { CHUNK_BYTES, CHUNKS_PER_PIECE } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { Diagnosis } from "./diagnose.ts";
import { VersionReader } from "../fetch/version_reader.ts";
import { inParallel } from "../connect/window.ts";

/** A piece on its way to the home `to`, which is null once that failed. */
interface Transfer {
  readonly piece: number;
  to: number | null;
}

/**
 * The piece of each copy that arrived. `isReadable` is false where some of the pieces could not be
 * had.
 */
export interface Delivered {
  readonly arrived: number[];
  readonly isReadable: boolean;
}

export class Delivery {
  readonly #cluster: Cluster;
  readonly #name: StoredName;
  readonly #version: Version;
  readonly #roots: readonly Uint8Array[];
  readonly #reader: VersionReader;
  readonly #progress: (bytes: number) => void;
  /** Why servers did not take a piece, by slot. */
  readonly refused = new Map<number, DfsError>();

  /** `holders` has the slots that hold each piece. */
  constructor(
    cluster: Cluster,
    name: StoredName,
    version: Version,
    holders: readonly (readonly number[])[],
    progress: (bytes: number) => void,
  ) {
    this.#cluster = cluster;
    this.#name = name;
    this.#version = version;
    this.#roots = rootsOf(name, version);
    this.#reader = new VersionReader(cluster, name, version);
    this.#reader.aim(holders);
    this.#progress = progress;
  }

  /**
   * Brings these pieces to all homes that lack them. Each is copied from a server that holds it, or
   * rebuilt from other pieces, or put together from the good blocks of damaged copies. Pieces that
   * are rebuilt share one read of the other pieces.
   */
  async deliver(lacking: Diagnosis["missing"]): Promise<Delivered> {
    // A chunk of a stripe is in memory twice: as it arrived, and in the stripe that others are
    // rebuilt from.
    const isMade = hasParity(this.#version) && lacking.some(({ from }) => from.length === 0);
    const windowPlaces = isMade ? 2 * this.#version.pieces : lacking.length;
    const transfers = lacking.flatMap(({ piece, to }) =>
      to.map((slot): Transfer => ({ piece, to: slot })),
    );
    const wanted = lacking.map(({ piece }) => piece);
    // Chunks arrive in any order, and are sent in the order of the piece.
    let lastSent = Promise.resolve();
    const deliverChunk = async (offset: number): Promise<void> => {
      const chunkBefore = lastSent;
      const sent = Promise.withResolvers<void>();
      sent.promise.catch(() => {});
      lastSent = sent.promise;
      const leave = await this.#cluster.window.enter(windowPlaces);
      try {
        if (transfers.every(({ to }) => to === null)) return;
        const chunks = await this.#reader.read({ pieces: wanted, offset, length: CHUNK_BYTES });
        await chunkBefore;
        const chunkOf = ({ piece }: Transfer): Uint8Array | undefined =>
          chunks[wanted.indexOf(piece)];
        const sending = transfers.map((transfer) =>
          this.#send(transfer, offset, chunkOf(transfer)),
        );
        sent.resolve();
        await Promise.all(sending);
      } catch (error) {
        sent.reject(error);
        throw error;
      } finally {
        sent.resolve();
        leave();
      }
    };
    try {
      await inParallel(this.#offsets(), CHUNKS_PER_PIECE, deliverChunk);
    } catch (error) {
      if (!isDfsError(error)) throw error;
      this.#cluster.warn(`${this.#cluster.space.shown(this.#name)}: ${error.message}`);
      return { arrived: [], isReadable: false };
    }
    const arrived = transfers.flatMap(({ piece, to }) => (to === null ? [] : [piece]));
    return { arrived, isReadable: true };
  }

  *#offsets(): Generator<number> {
    for (let offset = 0; offset === 0 || offset < pieceBytes(this.#version, 0);) {
      yield offset;
      offset += CHUNK_BYTES;
    }
  }

  async #send(
    transfer: Transfer,
    offset: number,
    data: Uint8Array = new Uint8Array(),
  ): Promise<void> {
    const { piece, to } = transfer;
    const size = pieceBytes(this.#version, piece);
    if (to === null || (data.length === 0 && offset > 0)) return;
    const root = offset + data.length === size ? (this.#roots[piece] ?? null) : null;
    const { vid } = this.#version;
    try {
      const request = { name: this.#name, vid, piece, size, offset, root, data };
      await this.#cluster.call(to, "upload", request);
      this.#progress(data.length);
    } catch (error) {
      if (!isDfsError(error)) throw error;
      // A chunk that was under way behind the failed one fails only because of that one.
      if (transfer.to === null) return;
      transfer.to = null;
      this.refused.set(to, error);
      // Whether the lack of room matters is decided once all is done.
      if (error.code === "noRoom") return;
      this.#cluster.warn(
        `${this.#cluster.space.shown(this.#name)}: piece ${piece + 1} to ${this.#cluster.labelOf(to)}: ${error.message}`,
      );
    }
  }
}
