/** The bytes of one version on their way to a sink, chunk by chunk, each verified before it is written. */
import { type DfsError, isDfsError } from "../errors.ts";
import { chunkOffset, hasParity, pieceBytes } from "../file/split.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT, CHUNKS_PER_PLACE } from "../limits.ts";
import type { Version, Vid } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { Sink } from "./get.ts";
import { dataPieces } from "./stripes.ts";
import type { VersionReader } from "./version_reader.ts";
import { inParallel } from "./window.ts";

/** What is fetched in one go: the chunk at `offset` of one piece, or of all data pieces where they may have to be rebuilt. */
interface Portion {
  readonly pieces: readonly number[];
  readonly offset: number;
}

export class Download {
  readonly #cluster: Cluster;
  readonly #reader: VersionReader;
  readonly #sink: Sink;
  readonly #progress: (bytes: number) => void;
  readonly #done = new Set<Portion>();
  readonly #portions: Portion[];
  #written: Promise<void> = Promise.resolve();

  constructor(
    cluster: Cluster,
    reader: VersionReader,
    sink: Sink,
    progress: (bytes: number) => void,
  ) {
    const { version } = reader;
    this.#cluster = cluster;
    this.#reader = reader;
    this.#sink = sink;
    this.#progress = progress;
    this.#portions = hasParity(version) ? stripesOf(version) : chunksOf(version, sink.inOrder);
  }

  get vid(): Vid {
    return this.#reader.version.vid;
  }

  /** Fetches what is not there yet; returns null when all is, else the error that it would end with. The sink's errors throw. */
  async run(holders: readonly (readonly number[])[]): Promise<DfsError | null> {
    this.#reader.aim(holders);
    const isHeld = (piece: number): boolean => (holders[piece]?.length ?? 0) > 0;
    const held = [...holders.keys()].filter(isHeld).length;
    try {
      const left = this.#portions.filter((portion) => !this.#done.has(portion));
      // What nobody says to hold is asked for first: a file that cannot be had should not be half fetched.
      const doubtful =
        held < this.#reader.version.needed
          ? left.find(({ pieces }) => !pieces.every(isHeld))
          : undefined;
      if (doubtful) await this.#reader.read(doubtful.pieces, doubtful.offset);
      await inParallel(left, CHUNKS_IN_FLIGHT, (portion) => this.#bring(portion));
      return null;
    } catch (error) {
      if (isDfsError(error, "noPiece")) return this.#reader.lost();
      throw error;
    }
  }

  async #bring(portion: Portion): Promise<void> {
    const { pieces, offset } = portion;
    const before = this.#written;
    const written = Promise.withResolvers<void>();
    if (this.#sink.inOrder) this.#written = written.promise;
    const leave = await this.#cluster.window.enter(Math.ceil(pieces.length / CHUNKS_PER_PLACE));
    try {
      const chunks = await this.#reader.read(pieces, offset);
      if (this.#sink.inOrder) await before;
      for (const [i, piece] of pieces.entries()) {
        const data = chunks[i] ?? new Uint8Array();
        if (data.length > 0)
          await this.#sink.write(data, chunkOffset(this.#reader.version, piece, offset));
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
