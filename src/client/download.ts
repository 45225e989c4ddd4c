/** The bytes of one version on their way to a sink, chunk by chunk, each verified before it is written. */
import { asDfsError, assert, DfsError, isDfsError } from "../errors.ts";
import { rootOf, sumsOf, tableBytes, verifies } from "../file/checksum.ts";
import { pieceBytes, pieceOffset } from "../file/split.ts";
import { BLOCK_BYTES, CHUNK_BYTES, CHUNKS_IN_FLIGHT, HEDGE_MS } from "../limits.ts";
import type { Version, Vid } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { Sink } from "./get.ts";
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
  readonly #roots: readonly Uint8Array[];
  readonly #sink: Sink;
  readonly #progress: (bytes: number) => void;
  /** The table of block sums of each piece, once its root has vouched for it. */
  readonly #tables = new Map<number, Promise<Uint8Array>>();
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
    this.#roots = roots;
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
    const token = await this.#cluster.window.take();
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
      this.#cluster.window.giveBack(token);
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
      this.#fetchFrom(slot, chunk).then(
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

  async #fetchFrom(slot: number, { piece, offset, length }: Chunk): Promise<Uint8Array> {
    const { vid, size, needed } = this.#version;
    const whole = pieceBytes(size, needed, piece);
    const sums = length === whole ? null : await this.#tableOf(slot, piece, whole);
    const { data } = await this.#cluster.call(slot, "fetch", {
      name: this.#name,
      vid,
      piece,
      offset,
      length,
    });
    const first = offset / BLOCK_BYTES;
    const isGood = sums
      ? data.length === length &&
        verifies(
          vid,
          piece,
          first,
          data,
          sums.subarray(tableBytes(offset), tableBytes(offset + length)),
        )
      : this.#isTable(piece, whole, sumsOf(vid, piece, 0, data));
    if (!isGood) throw new DfsError("badPiece", `piece ${piece + 1} arrived damaged`);
    return data;
  }

  /** A piece's table from this server, or from the one that it was already had from; the root vouches for it. */
  #tableOf(slot: number, piece: number, whole: number): Promise<Uint8Array> {
    const known = this.#tables.get(piece);
    if (known) return known.catch(() => this.#fetchTable(slot, piece, whole));
    const table = this.#fetchTable(slot, piece, whole);
    this.#tables.set(piece, table);
    table.catch(() => this.#tables.get(piece) === table && this.#tables.delete(piece));
    return table;
  }

  async #fetchTable(slot: number, piece: number, whole: number): Promise<Uint8Array> {
    const table = new Uint8Array(tableBytes(whole));
    for (let offset = 0; offset < table.length; offset += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, table.length - offset);
      const part = { name: this.#name, vid: this.#version.vid, piece, offset, length };
      const { data } = await this.#cluster.call(slot, "sums", part);
      if (data.length !== length)
        throw new DfsError("badPiece", `the sums of piece ${piece + 1} are cut off`);
      table.set(data, offset);
    }
    if (!this.#isTable(piece, whole, table))
      throw new DfsError("badPiece", `the sums of piece ${piece + 1} are damaged`);
    return table;
  }

  #isTable(piece: number, whole: number, table: Uint8Array): boolean {
    const root = this.#roots[piece];
    assert(root, "the manifest has a root for each piece");
    return Buffer.compare(rootOf(this.#version.vid, piece, whole, table), root) === 0;
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
