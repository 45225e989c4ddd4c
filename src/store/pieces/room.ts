/**
 * How much room a disk has for pieces, in bytes and in files (inodes). A part of the disk stays
 * free of pieces, so that promises and deletions always have room. Used by pieces.ts, upload.ts and
 * scrub.ts.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import type { Clock, Disk } from "../../io/ports.ts";
import { RESERVE_FILES, reserveBytes, SPARE_BYTES, SPARE_MS } from "../../limits.ts";

/** What a disk has too little of. */
export type Shortage = "bytes" | "inodes";

/** The room for pieces; null where the disk does not tell. */
export interface Spare {
  /** Below 0 if the reserve is used up in part. */
  readonly bytes: number | null;
  readonly files: number | null;
  readonly total: number | null;
  /** Which disk it is; "" if that is not known. */
  readonly disk: string;
}

/**
 * How many inodes a piece in a file of its own may take: one for the file, and one for its folder
 * if the piece is the first in it.
 */
const FILES_OF_ONE = 2;

/** What a disk with this much room lacks for `wanted` more bytes; null if nothing. */
export function shortOf(
  { bytes, files }: Pick<Spare, "bytes" | "files">,
  wanted = 0,
): Shortage | null {
  if (bytes !== null && bytes - wanted < 0) return "bytes";
  return files !== null && files < FILES_OF_ONE ? "inodes" : null;
}

export class Room {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #relieve: () => Promise<void>;
  /**
   * The room at the last measurement, less what was promised since; and the time until which that
   * number is used.
   */
  #spare = 0;
  #until = 0;

  /** `relieve` gives up what need not be kept. */
  constructor(
    { clock, disk }: { clock: Clock; disk: Disk },
    folder: string,
    relieve: () => Promise<void>,
  ) {
    this.#clock = clock;
    this.#disk = disk;
    this.#folder = folder;
    this.#relieve = relieve;
  }

  async measure(): Promise<Spare> {
    const { bytes, files, disk = "" } = await this.#disk.space(this.#folder);
    return {
      bytes: bytes && bytes.free - reserveBytes(bytes.total),
      files: files && files.free - RESERVE_FILES,
      total: bytes && bytes.total,
      disk,
    };
  }

  async #shortFor(bytes: number): Promise<Shortage | null> {
    const spare = await this.measure();
    this.#spare = (spare.bytes ?? Infinity) - bytes;
    this.#until = this.#clock.now() + SPARE_MS;
    return shortOf(spare, bytes);
  }

  /**
   * Makes sure that a piece of `bytes` bytes fits, and removes idle content for it if need be.
   * Throws DfsError("noRoom").
   */
  async reserve(bytes: number): Promise<void> {
    if ((await this.#shortFor(bytes)) === null) return;
    await this.#relieve();
    const short = await this.#shortFor(bytes);
    if (short !== null) throw this.#noRoom(short);
  }

  /**
   * The same for small pieces in the catalog, which take no inodes. It does not measure again if
   * there was plenty of room a moment ago.
   */
  async reserveSmall(bytes: number): Promise<void> {
    if (this.#clock.now() < this.#until && this.#spare - bytes >= SPARE_BYTES) {
      this.#spare -= bytes;
      return;
    }
    const isFull = async (): Promise<boolean> => (await this.#shortFor(bytes)) === "bytes";
    if (!(await isFull())) return;
    await this.#relieve();
    if (await isFull()) throw this.#noRoom("bytes");
  }

  /**
   * Does work that may find no room. If so, idle content is removed, and the work is done once
   * more. Throws DfsError("noRoom").
   */
  async orRelieved<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isDfsError(error, "noRoom")) throw error;
    }
    await this.#relieve();
    try {
      return await work();
    } catch (error) {
      const short = isDfsError(error, "noRoom") ? shortOf(await this.measure()) : null;
      throw short ? this.#noRoom(short) : error;
    }
  }

  #noRoom(short: Shortage): DfsError {
    return new DfsError(
      "noRoom",
      short === "bytes"
        ? `${this.#folder}: the disk is full`
        : `${this.#folder}: the disk can hold no more files (the inodes are used up)`,
    );
  }
}
