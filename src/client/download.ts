/** The bytes of one version on their way to a sink, chunk by chunk, each verified before it is written. */
import { asDfsError, DfsError, isDfsError } from "../errors.ts";
import { pieceBytes, pieceOffset } from "../file/split.ts";
import { CHUNK_BYTES, CHUNKS_IN_FLIGHT, HEDGE_MS } from "../limits.ts";
import type { Version, Vid } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { Sink } from "./get.ts";
import { PieceReader } from "./piece_reader.ts";
import { balance } from "./plan.ts";
import { inParallel } from "./window.ts";

interface Chunk {
  readonly piece: number;
  readonly offset: number;
  readonly length: number;
}

export class Download {
  readonly #cluster: Cluster;
  readonly #name: string;
  readonly #version: Version;
  readonly #reader: PieceReader;
  readonly #sink: Sink;
  readonly #progress: (bytes: number) => void;
  readonly #done = new Set<Chunk>();
  readonly #chunks: Chunk[];
  /** For each piece the slots to ask, the best first. */
  #sources: number[][] = [];
  #sawRot = false;
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
    this.#reader = new PieceReader(cluster, name, version, roots);
    this.#sink = sink;
    this.#progress = progress;
    this.#chunks = chunksOf(version, sink.inOrder);
  }

  get vid(): Vid {
    return this.#version.vid;
  }

  /** Fetches what is not there yet; returns null when all is, else the error that it would end with. The sink's errors throw. */
  async run(holders: readonly (readonly number[])[]): Promise<DfsError | null> {
    const first = balance(holders);
    this.#sources = holders.map((slots, piece) => {
      const preferred = first[piece] ?? null;
      const listed =
        preferred === null ? [] : [preferred, ...slots.filter((slot) => slot !== preferred)];
      // Servers that do not list the piece may know why not: a piece that rotted is not the same as one that is lost.
      return [...listed, ...this.#cluster.live.filter((slot) => !listed.includes(slot))];
    });
    try {
      const left = this.#chunks.filter((chunk) => !this.#done.has(chunk));
      // What nobody says to hold is asked for first: a file that cannot be had should not be half fetched.
      const doubtful = left.find(({ piece }) => holders[piece]?.length === 0);
      if (doubtful) await this.#fetch(doubtful);
      await inParallel(left, CHUNKS_IN_FLIGHT, (chunk) => this.#bring(chunk));
      return null;
    } catch (error) {
      if (isDfsError(error, "noPiece")) return this.#lost();
      throw error;
    }
  }

  #lost(): DfsError {
    return this.#sawRot
      ? new DfsError(
          "integrity",
          `${this.#name}: a piece is damaged, and there is no good copy of it`,
        )
      : new DfsError(
          "incomplete",
          `the servers that answer (${this.#cluster.live.length} of ${this.#cluster.size}) lack a piece`,
        );
  }

  async #bring(chunk: Chunk): Promise<void> {
    const before = this.#written;
    const written = Promise.withResolvers<void>();
    if (this.#sink.inOrder) this.#written = written.promise;
    const leave = await this.#cluster.window.enter();
    try {
      const data = await this.#fetch(chunk);
      if (this.#sink.inOrder) await before;
      const start = pieceOffset(this.#version.size, this.#version.needed, chunk.piece);
      await this.#sink.write(data, start + chunk.offset);
      this.#done.add(chunk);
      this.#progress(data.length);
      written.resolve();
    } catch (error) {
      written.promise.catch(() => {});
      written.reject(error);
      throw error;
    } finally {
      leave();
    }
  }

  /** A chunk from the first source that gives it whole; from a second one too when the first is slow. */
  async #fetch(chunk: Chunk): Promise<Uint8Array> {
    const { clock } = this.#cluster.ports;
    const sources = [...(this.#sources[chunk.piece] ?? [])];
    const result = Promise.withResolvers<Uint8Array>();
    let open = 0;
    let isOver = false;
    const tryNext = (): void => {
      const slot = sources.shift();
      if (slot === undefined) {
        if (open === 0) result.reject(new DfsError("noPiece", "no server gives this piece"));
        return;
      }
      open++;
      const stopWaiting = clock.after(HEDGE_MS, () => {
        if (isOver || sources.length === 0) return;
        this.#demote(chunk.piece, slot);
        tryNext();
      });
      this.#reader.read(slot, chunk.piece, chunk.offset, chunk.length).then(
        (data) => {
          stopWaiting();
          isOver = true;
          result.resolve(data);
        },
        (error: unknown) => {
          stopWaiting();
          open--;
          this.#complain(slot, chunk.piece, error);
          if (!isOver) tryNext();
        },
      );
    };
    tryNext();
    return result.promise;
  }

  /** From now on this server is the last one asked for this piece. */
  #demote(piece: number, slot: number): void {
    const rest = (this.#sources[piece] ?? []).filter((other) => other !== slot);
    this.#sources[piece] = [...rest, slot];
  }

  #complain(slot: number, piece: number, error: unknown): void {
    const { code, message } = asDfsError(error);
    if (code === "noPiece" || code === "down") return this.#demote(piece, slot);
    if (code === "badPiece") this.#sawRot = true;
    this.#demote(piece, slot);
    this.#cluster.warn(
      `${this.#name}: ${this.#cluster.labelOf(slot)}: ${message}; trying another copy`,
    );
  }
}

/** All chunks of a version: in the order of the file, or one of each piece in turn so that all servers work at once. */
function chunksOf(version: Version, inOrder: boolean): Chunk[] {
  const chunks: Chunk[] = [];
  for (let piece = 0; piece < version.needed; piece++) {
    const whole = pieceBytes(version.size, version.needed, piece);
    for (let offset = 0; offset < whole; offset += CHUNK_BYTES)
      chunks.push({ piece, offset, length: Math.min(CHUNK_BYTES, whole - offset) });
  }
  return inOrder ? chunks : chunks.toSorted((a, b) => a.offset - b.offset || a.piece - b.piece);
}
