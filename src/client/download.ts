/** The bytes of one version on their way to a sink, chunk by chunk, each verified before it is written. */
import { DfsError, isDfsError } from "../errors.ts";
import { chunkOffset, hasParity, pieceBytes } from "../file/split.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT, CHUNKS_PER_PLACE } from "../limits.ts";
import type { Version, Vid } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import { Fetcher } from "./fetcher.ts";
import type { Sink } from "./get.ts";
import { Rebuilder } from "./rebuilder.ts";
import { dataPieces } from "./stripes.ts";
import { inParallel } from "./window.ts";

/** What is fetched in one go: the chunk at `offset` of one piece, or of all data pieces where they may have to be rebuilt. */
interface Portion {
  readonly pieces: readonly number[];
  readonly offset: number;
}

export class Download {
  readonly #cluster: Cluster;
  readonly #name: string;
  readonly #version: Version;
  readonly #fetcher: Fetcher;
  readonly #rebuilder: Rebuilder | null;
  readonly #sink: Sink;
  readonly #progress: (bytes: number) => void;
  readonly #done = new Set<Portion>();
  readonly #portions: Portion[];
  #written: Promise<void> = Promise.resolve();

  constructor(
    cluster: Cluster,
    name: string,
    version: Version,
    roots: readonly Uint8Array[],
    sink: Sink,
    progress: (bytes: number) => void,
  ) {
    this.#cluster = cluster;
    this.#name = name;
    this.#version = version;
    this.#fetcher = new Fetcher(cluster, name, version, roots);
    this.#rebuilder = hasParity(version) ? new Rebuilder(cluster, version, this.#fetcher) : null;
    this.#sink = sink;
    this.#progress = progress;
    this.#portions = hasParity(version) ? stripesOf(version) : chunksOf(version, sink.inOrder);
  }

  get vid(): Vid {
    return this.#version.vid;
  }

  /** Fetches what is not there yet; returns null when all is, else the error that it would end with. The sink's errors throw. */
  async run(holders: readonly (readonly number[])[]): Promise<DfsError | null> {
    this.#fetcher.aim(holders);
    this.#rebuilder?.aim(holders);
    const isHeld = (piece: number): boolean => (holders[piece]?.length ?? 0) > 0;
    const held = [...holders.keys()].filter(isHeld).length;
    try {
      const left = this.#portions.filter((portion) => !this.#done.has(portion));
      // What nobody says to hold is asked for first: a file that cannot be had should not be half fetched.
      const doubtful =
        held < this.#version.needed ? left.find(({ pieces }) => !pieces.every(isHeld)) : undefined;
      if (doubtful) await this.#fetch(doubtful);
      await inParallel(left, CHUNKS_IN_FLIGHT, (portion) => this.#bring(portion));
      return null;
    } catch (error) {
      if (isDfsError(error, "noPiece")) return this.#lost();
      throw error;
    }
  }

  #lost(): DfsError {
    return this.#fetcher.sawRot
      ? new DfsError(
          "integrity",
          `${this.#name}: a piece is damaged, and there is no good copy of it`,
        )
      : new DfsError(
          "incomplete",
          `the servers that answer (${this.#cluster.live.length} of ${this.#cluster.view.members.length}) lack a piece`,
        );
  }

  async #bring(portion: Portion): Promise<void> {
    const { pieces, offset } = portion;
    const before = this.#written;
    const written = Promise.withResolvers<void>();
    if (this.#sink.inOrder) this.#written = written.promise;
    const leave = await this.#cluster.window.enter(Math.ceil(pieces.length / CHUNKS_PER_PLACE));
    try {
      const chunks = await this.#fetch(portion);
      if (this.#sink.inOrder) await before;
      for (const [i, piece] of pieces.entries()) {
        const data = chunks[i] ?? new Uint8Array();
        if (data.length > 0)
          await this.#sink.write(data, chunkOffset(this.#version, piece, offset));
        this.#progress(data.length);
      }
      this.#done.add(portion);
      written.resolve();
    } catch (error) {
      written.promise.catch(() => {});
      written.reject(error);
      throw error;
    } finally {
      leave();
    }
  }

  async #fetch({ pieces, offset }: Portion): Promise<Uint8Array[]> {
    if (this.#rebuilder) return this.#rebuilder.read(pieces, offset);
    return Promise.all(pieces.map((piece) => this.#fetcher.fetch(piece, offset)));
  }
}

/** All chunks of a version: in the order of the file, or one of each piece in turn so that all servers work at once. */
function chunksOf(version: Version, inOrder: boolean): Portion[] {
  const chunks: { piece: number; offset: number }[] = [];
  for (const piece of dataPieces(version))
    for (let offset = 0; offset < pieceBytes(version, piece); offset += CHUNK_BYTES)
      chunks.push({ piece, offset });
  const sorted = inOrder
    ? chunks
    : chunks.toSorted((a, b) => a.offset - b.offset || a.piece - b.piece);
  return sorted.map(({ piece, offset }) => ({ pieces: [piece], offset }));
}

/** All stripes of a version, in the order of the file. */
function stripesOf(version: Version): Portion[] {
  const pieces = dataPieces(version);
  const count = Math.ceil(pieceBytes(version, 0) / CHUNK_BYTES);
  return Array.from({ length: count }, (_, i) => ({ pieces, offset: i * CHUNK_BYTES }));
}
