/** Pieces on their way to the homes that lack them, copied or made anew: chunk after chunk, a few of them at once. */
import { type DfsError, isDfsError } from "../../errors.ts";
import { rootsOf } from "../../file/manifest.ts";
import { hasParity, pieceBytes } from "../../file/split.ts";
import { CHUNK_BYTES, CHUNKS_PER_PIECE } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { Diagnosis } from "./diagnose.ts";
import { VersionReader } from "../fetch/version_reader.ts";
import { inParallel } from "../connect/window.ts";

/** A piece on its way to a home; null once that failed. */
interface Way {
  readonly piece: number;
  to: number | null;
}

/** The piece of each copy that arrived; `isReadable` false: not all could be had. */
export interface Delivered {
  readonly arrived: number[];
  readonly isReadable: boolean;
}

export class Delivery {
  readonly #cluster: Cluster;
  readonly #name: string;
  readonly #version: Version;
  readonly #roots: readonly Uint8Array[];
  readonly #reader: VersionReader;
  readonly #progress: (bytes: number) => void;
  /** Why servers did not take a piece, by slot. */
  readonly refused = new Map<number, DfsError>();

  /** `holders`: for each piece the slots that have it. */
  constructor(
    cluster: Cluster,
    name: string,
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
   * Brings these pieces to all their homes: as somebody holds them, or made from others, which are read once for all of them, or
   * from what is good of damaged copies.
   */
  async bring(lacking: Diagnosis["missing"]): Promise<Delivered> {
    // A chunk of a stripe is in memory twice: as it came, and where others are made of it.
    const isMade = hasParity(this.#version) && lacking.some(({ from }) => from.length === 0);
    const places = isMade ? 2 * this.#version.pieces : lacking.length;
    const ways = lacking.flatMap(({ piece, to }) => to.map((slot): Way => ({ piece, to: slot })));
    const wanted = lacking.map(({ piece }) => piece);
    // Chunks come when they come, and go in their order.
    let turn = Promise.resolve();
    const bringOne = async (offset: number): Promise<void> => {
      const before = turn;
      const gone = Promise.withResolvers<void>();
      gone.promise.catch(() => {});
      turn = gone.promise;
      const leave = await this.#cluster.window.enter(places);
      try {
        if (ways.every(({ to }) => to === null)) return;
        const chunks = await this.#reader.read({ pieces: wanted, offset, length: CHUNK_BYTES });
        await before;
        const chunkOf = ({ piece }: Way): Uint8Array | undefined => chunks[wanted.indexOf(piece)];
        const sending = ways.map((way) => this.#send(way, offset, chunkOf(way)));
        gone.resolve();
        await Promise.all(sending);
      } catch (error) {
        gone.reject(error);
        throw error;
      } finally {
        gone.resolve();
        leave();
      }
    };
    try {
      await inParallel(this.#offsets(), CHUNKS_PER_PIECE, bringOne);
    } catch (error) {
      if (!isDfsError(error)) throw error;
      this.#cluster.warn(`${this.#cluster.space.shown(this.#name)}: ${error.message}`);
      return { arrived: [], isReadable: false };
    }
    const arrived = ways.flatMap(({ piece, to }) => (to === null ? [] : [piece]));
    return { arrived, isReadable: true };
  }

  *#offsets(): Generator<number> {
    for (let offset = 0; offset === 0 || offset < pieceBytes(this.#version, 0);) {
      yield offset;
      offset += CHUNK_BYTES;
    }
  }

  async #send(way: Way, offset: number, data: Uint8Array = new Uint8Array()): Promise<void> {
    const { piece, to } = way;
    const size = pieceBytes(this.#version, piece);
    if (to === null || (data.length === 0 && offset > 0)) return;
    const root = offset + data.length === size ? (this.#roots[piece] ?? null) : null;
    const { vid } = this.#version;
    try {
      const what = { name: this.#name, vid, piece, size, offset, root, data };
      await this.#cluster.call(to, "upload", what);
      this.#progress(data.length);
    } catch (error) {
      if (!isDfsError(error)) throw error;
      // What was on its way behind it fails for that alone.
      if (way.to === null) return;
      way.to = null;
      this.refused.set(to, error);
      // Whether that matters is seen in the end.
      if (error.code === "noRoom") return;
      this.#cluster.warn(
        `${this.#cluster.space.shown(this.#name)}: piece ${piece + 1} to ${this.#cluster.labelOf(to)}: ${error.message}`,
      );
    }
  }
}
