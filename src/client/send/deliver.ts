/**
 * Gives servers the pieces that they lack for a version of a name. Whoever has them already, as
 * another name has the same content, links them. The others are sent them, copied or rebuilt, chunk
 * by chunk, with a few chunks under way at once. Used by LinkedPieces and bring_home.
 */
import type { StoredName } from "../../file/names.ts";
import { type DfsError, isDfsError } from "../../errors.ts";
import { rootsOf } from "../../file/manifest.ts";
import { hasParity, pieceBytes } from "../../file/split.ts";
import { CHUNK_BYTES, CHUNKS_PER_PIECE } from "../../limits.ts";
import { contentOf, type Version, type Vid } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { VersionReader } from "../fetch/version_reader.ts";
import { inParallel } from "../connect/window.ts";

/**
 * A piece, the servers that lack it (`to`), and the slots to copy it from. `from` is empty where
 * the piece must be rebuilt, or put together from damaged copies.
 */
export interface Lacking {
  readonly piece: number;
  readonly from: number[];
  readonly to: number[];
}

/** A copy of a piece that a server now has. */
export interface Arrived {
  readonly piece: number;
  readonly slot: number;
}

/** A piece on its way to a server. */
interface Transfer extends Arrived {
  isFailed: boolean;
}

/** The copies that servers now have, and the pieces that could not be read from any server. */
export interface Delivered {
  readonly arrived: Arrived[];
  readonly unread: number[];
}

/** The name, as servers know it, and its version that the pieces are for. */
export interface Target {
  readonly name: StoredName;
  readonly vid: Vid;
}

export class Delivery {
  readonly #cluster: Cluster;
  readonly #target: Target;
  readonly #version: Version;
  readonly #roots: readonly Uint8Array[];
  readonly #reader: VersionReader;
  readonly #progress: (bytes: number) => void;
  /** Why servers did not take a piece, by slot. */
  readonly refused = new Map<number, DfsError>();

  /** `version` has the content; `holders` has the slots that hold each of its pieces. */
  constructor(
    cluster: Cluster,
    target: Target,
    version: Version,
    holders: readonly (readonly number[])[],
    progress: (bytes: number) => void,
  ) {
    this.#cluster = cluster;
    this.#target = target;
    this.#version = version;
    this.#roots = rootsOf(target.name, version);
    this.#reader = new VersionReader(cluster, target.name, version);
    this.#reader.aim(holders);
    this.#progress = progress;
  }

  /**
   * Brings these pieces to all servers that lack them. A server that has the bytes links them. To
   * the others a piece is copied from a server that holds it, or rebuilt from other pieces, or put
   * together from the good blocks of damaged copies.
   */
  async bring(lacking: readonly Lacking[]): Promise<Delivered> {
    const arrived = await this.#link(lacking);
    const unread: number[] = [];
    const isThere = (piece: number, slot: number): boolean =>
      arrived.some((copy) => copy.piece === piece && copy.slot === slot);
    const left = lacking
      .map((one) => ({ ...one, to: one.to.filter((slot) => !isThere(one.piece, slot)) }))
      .filter(({ to }) => to.length > 0);
    // Pieces that are rebuilt share one read of the other pieces.
    const unheld = left.filter(({ from }) => from.length === 0);
    const held = left.filter(({ from }) => from.length > 0).map((one) => [one]);
    for (const group of unheld.length > 0 ? [unheld, ...held] : held) {
      const delivered = await this.#deliver(group);
      if (delivered) arrived.push(...delivered);
      else unread.push(...group.map(({ piece }) => piece));
    }
    return { arrived, unread };
  }

  /** Has these servers link what they have of the content. Returns which of the pieces that is. */
  async #link(lacking: readonly Lacking[]): Promise<Arrived[]> {
    const { name, vid } = this.#target;
    const request = { name, vid, cid: contentOf(this.#version) };
    const slots = [...new Set(lacking.flatMap(({ to }) => to))];
    const linked = await Promise.all(
      slots.map(async (slot) => {
        try {
          const { held } = await this.#cluster.call(slot, "link", request);
          const wanted = lacking.filter(
            ({ piece, to }) => to.includes(slot) && held.includes(piece),
          );
          return wanted.map(({ piece }) => ({ piece, slot }));
        } catch (error) {
          if (!isDfsError(error)) throw error;
          // The upload fails too, and says so.
          return [];
        }
      }),
    );
    return linked.flat();
  }

  /** Sends these pieces. Returns the copies that arrived; null where the pieces cannot be read. */
  async #deliver(lacking: readonly Lacking[]): Promise<Arrived[] | null> {
    // A chunk of a stripe is in memory twice: as it arrived, and in the stripe that others are
    // rebuilt from.
    const isMade = hasParity(this.#version) && lacking.some(({ from }) => from.length === 0);
    const windowPlaces = isMade ? 2 * this.#version.pieces : lacking.length;
    const transfers = lacking.flatMap(({ piece, to }) =>
      to.map((slot): Transfer => ({ piece, slot, isFailed: false })),
    );
    const wanted = lacking.map(({ piece }) => piece);
    // Chunks arrive in any order, and are sent in the order of the piece.
    let lastSent = Promise.resolve();
    const deliverChunk = async (offset: number): Promise<void> => {
      const chunkBefore = lastSent;
      const sent = Promise.withResolvers<void>();
      sent.promise.catch(() => {});
      lastSent = sent.promise;
      let leave = (): void => {};
      try {
        leave = await this.#cluster.window.enter(windowPlaces);
        if (transfers.every(({ isFailed }) => isFailed)) return;
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
    let isEnded = false;
    try {
      await inParallel(this.#offsets(), CHUNKS_PER_PIECE, deliverChunk);
      isEnded = true;
    } catch (error) {
      if (!isDfsError(error)) throw error;
      this.#cluster.warn(`${this.#cluster.space.shown(this.#target.name)}: ${error.message}`);
      return null;
    } finally {
      if (!isEnded) this.#giveUp(transfers);
    }
    return transfers.filter(({ isFailed }) => !isFailed);
  }

  /** Has servers drop what they have of these pieces. */
  #giveUp(transfers: readonly Transfer[]): void {
    const about = { ...this.#target, cid: contentOf(this.#version) };
    for (const { piece, slot, isFailed } of transfers) {
      const size = pieceBytes(this.#version, piece);
      if (!isFailed) this.#cluster.giveUpUpload(slot, { ...about, piece, size });
    }
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
    const { piece, slot } = transfer;
    const size = pieceBytes(this.#version, piece);
    if (transfer.isFailed || (data.length === 0 && offset > 0)) return;
    const root = offset + data.length === size ? (this.#roots[piece] ?? null) : null;
    const about = { ...this.#target, cid: contentOf(this.#version), piece, size };
    try {
      await this.#cluster.call(slot, "upload", { ...about, offset, root, data });
      this.#progress(data.length);
    } catch (error) {
      if (!isDfsError(error)) throw error;
      // A chunk that was under way behind the failed one fails only because of that one.
      if (transfer.isFailed) return;
      transfer.isFailed = true;
      this.refused.set(slot, error);
      // Whether the lack of room matters is decided once all is done.
      if (error.code === "noRoom") return;
      this.#cluster.warn(
        `${this.#cluster.space.shown(this.#target.name)}: piece ${piece + 1} to ${this.#cluster.labelOf(slot)}: ${error.message}`,
      );
    }
  }
}
