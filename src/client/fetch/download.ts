/**
 * One version on its way to a sink, portion by portion. Each portion is verified before it is
 * written; or, where the sink has a draft, before the download ends. Used by get.
 */
import { free } from "../../cursor.ts";
import { type DfsError, isDfsError } from "../../errors.ts";
import { chunkBytes, chunkOffset } from "../../file/split.ts";
import { CHUNKS_IN_FLIGHT, CHUNKS_PER_PLACE } from "../../limits.ts";
import type { Vid } from "../../version.ts";
import type { SentPiece } from "../../wire/values.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { Sink } from "./sink.ts";
import { bytesIn, type Portion, portionsOf, type Range, within, cutTo } from "./portions.ts";
import type { VersionReader } from "./version_reader.ts";
import { inParallel } from "../connect/window.ts";

export class Download {
  readonly #cluster: Cluster;
  readonly #reader: VersionReader;
  readonly #range: Range;
  readonly #sink: Sink;
  readonly #progress: (bytes: number) => void;
  /**
   * The portions that are written: a count from the first one on, and the numbers of later ones.
   */
  #begun = 0;
  readonly #done = new Set<number>();
  #written: Promise<void> = Promise.resolve();

  /** `range` is within the file. */
  constructor(
    cluster: Cluster,
    reader: VersionReader,
    range: Range,
    sink: Sink,
    progress: (bytes: number) => void,
  ) {
    this.#cluster = cluster;
    this.#reader = reader;
    this.#range = range;
    this.#sink = sink;
    this.#progress = progress;
  }

  get vid(): Vid {
    return this.#reader.version.vid;
  }

  /**
   * Fetches the portions that are missing. Returns null once all are written, or else the error
   * that the get would end with. Errors of the sink are thrown.
   */
  async run(
    holders: readonly (readonly number[])[],
    small: readonly SentPiece[],
  ): Promise<DfsError | null> {
    this.#reader.aim(holders, small);
    // An earlier failure delays nothing now.
    this.#written = Promise.resolve();
    const isHeld = (piece: number): boolean => (holders[piece]?.length ?? 0) > 0;
    const held = [...holders.keys()].filter(isHeld).length;
    try {
      // Pieces without a known holder come first: a file that cannot be had should not be half
      // fetched.
      if (held < this.#reader.version.needed)
        for (const { portion } of this.#left())
          if (!portion.pieces.every(isHeld)) {
            await this.#reader.read(portion);
            break;
          }
      await inParallel(this.#left(), CHUNKS_IN_FLIGHT, ({ portion, number }) =>
        this.#bring(portion, number),
      );
      return null;
    } catch (error) {
      if (isDfsError(error, "noPiece")) return this.#reader.lost();
      throw error;
    }
  }

  /** The portions that are not written yet, with their numbers. */
  *#left(): Generator<{ portion: Portion; number: number }> {
    let number = 0;
    for (const portion of portionsOf(this.#reader.version, this.#range, this.#sink.inOrder)) {
      if (number >= this.#begun && !this.#done.has(number)) yield { portion, number };
      number++;
    }
  }

  #isWritten(number: number): void {
    this.#done.add(number);
    while (this.#done.delete(this.#begun)) this.#begun++;
  }

  async #bring(portion: Portion, number: number): Promise<void> {
    const before = this.#written;
    const written = Promise.withResolvers<void>();
    if (this.#sink.inOrder) this.#written = written.promise;
    const leave = await this.#cluster.window.enter(
      Math.ceil(portion.pieces.length / CHUNKS_PER_PLACE),
    );
    try {
      const { draft } = this.#sink;
      if (draft && !this.#reader.canRebuild) await this.#bringAtOnce(portion, draft);
      else await this.#bringVerified(portion, before);
      this.#isWritten(number);
      written.resolve();
    } catch (error) {
      written.promise.catch(() => {});
      written.reject(error);
      throw error;
    } finally {
      leave();
    }
  }

  /** Writes what was verified, after what comes before it. */
  async #bringVerified(portion: Portion, before: Promise<void>): Promise<void> {
    const chunks = await this.#reader.read(portion);
    if (this.#sink.inOrder) await before;
    for (const { data, at } of bytesIn(this.#reader.version, portion, chunks, this.#range)) {
      await this.#sink.write(data, at);
      this.#progress(data.length);
    }
    for (const chunk of chunks) free(chunk);
  }

  /** Writes bytes as they come, and resolves once all are verified. */
  async #bringAtOnce(
    { pieces, offset, length }: Portion,
    draft: NonNullable<Sink["draft"]>,
  ): Promise<void> {
    const { version } = this.#reader;
    for (const piece of pieces) {
      const begin = chunkOffset(version, piece, offset);
      // What goes wrong at the sink is not the fault of the server whose bytes they are.
      let fault: { readonly error: unknown } | null = null as { readonly error: unknown } | null;
      await this.#reader.bring(piece, offset, length, (part, at) => {
        if (fault) return;
        const { data, at: place } = within({ data: part, at: begin + at }, this.#range);
        try {
          draft(data, place);
        } catch (error) {
          fault = { error };
        }
      });
      if (fault) throw fault.error;
      const end = begin + chunkBytes(version, piece, offset, length);
      this.#progress(cutTo(end, this.#range).length - cutTo(begin, this.#range).length);
    }
  }
}
