/**
 * How much room a disk has for pieces, in bytes and in files (inodes). A part of it stays free of them, so that promises and deletions
 * always have room.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import type { Clock, Disk } from "../../io/ports.ts";
import { RESERVE_FILES, reserveBytes, SPARE_BYTES, SPARE_MS } from "../../limits.ts";

/** What a disk has too few of. */
export type Short = "bytes" | "inodes";

/** What there is for pieces; null where the disk does not tell. */
export interface Spare {
  /** Below 0 where the reserve is used up in part. */
  readonly bytes: number | null;
  readonly files: number | null;
  readonly total: number | null;
  /** Which disk it is; "" where that is not known. */
  readonly disk: string;
}

/** What a piece in a file of its own takes besides its bytes: it, and the folder that it is the first in. */
const FILES_OF_ONE = 2;

/** What a disk with this to spare has too few of. */
export function shortOf(
  { bytes, files }: Pick<Spare, "bytes" | "files">,
  wanted = 0,
): Short | null {
  if (bytes !== null && bytes - wanted < 0) return "bytes";
  return files !== null && files < FILES_OF_ONE ? "inodes" : null;
}

export class Room {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #relieve: () => Promise<void>;
  /** What there was at the last look, less what was promised of it since; and until when that is worth anything. */
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

  async look(): Promise<Spare> {
    const { bytes, files, disk = "" } = await this.#disk.space(this.#folder);
    return {
      bytes: bytes && bytes.free - reserveBytes(bytes.total),
      files: files && files.free - RESERVE_FILES,
      total: bytes && bytes.total,
      disk,
    };
  }

  async #shortFor(bytes: number): Promise<Short | null> {
    const spare = await this.look();
    this.#spare = (spare.bytes ?? Infinity) - bytes;
    this.#until = this.#clock.now() + SPARE_MS;
    return shortOf(spare, bytes);
  }

  /** Makes sure that a piece of so many bytes fits, the trash given up for it if need be. Throws DfsError("noRoom"). */
  async reserve(bytes: number): Promise<void> {
    if ((await this.#shortFor(bytes)) === null) return;
    await this.#relieve();
    const short = await this.#shortFor(bytes);
    if (short !== null) throw this.#noRoom(short);
  }

  /** The same for small ones in the catalog, which are no files; where there was plenty a moment ago nobody looks again. */
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

  /** Does what may find no room; if so the trash is given up, and it is done once more. Throws DfsError("noRoom"). */
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
      const short = isDfsError(error, "noRoom") ? shortOf(await this.look()) : null;
      throw short ? this.#noRoom(short) : error;
    }
  }

  #noRoom(short: Short): DfsError {
    return new DfsError(
      "noRoom",
      short === "bytes"
        ? `${this.#folder}: the disk is full`
        : `${this.#folder}: the disk can hold no more files (the inodes are used up)`,
    );
  }
}
