/**
 * One piece on its way into a file. Its bytes go to a temporary file, and their checksums are
 * computed as they pass; the file is durable before it gets its name. Used by pieces.ts and the
 * server's uploads.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import { rootOf, SumTable, sumsOf } from "../../file/checksum.ts";
import type { Disk, OpenFile } from "../../io/ports.ts";
import { BLOCK_BYTES, STORED_BYTES_MAX, SYNC_EVERY_BYTES } from "../../limits.ts";
import { type PieceFooter, tailOf } from "./piece_file.ts";
import type { Room } from "./room.ts";

/** A piece on its way. Of a stream, how long it will be is not known. */
type Coming = Omit<PieceFooter, "root" | "bytes"> & { readonly bytes: number | null };

export class Upload {
  readonly #disk: Disk;
  readonly #temporary: string;
  readonly #what: Coming;
  readonly #sums = new SumTable();
  readonly #file: OpenFile;
  readonly #room: Room;
  readonly #die: (error: DfsError) => void;
  #written = 0;
  /** How many bytes there was room for when that was last looked at. */
  #reserved: number;
  #synced = 0;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(
    disk: Disk,
    temporary: string,
    what: Coming,
    file: OpenFile,
    room: Room,
    die: (error: DfsError) => void,
  ) {
    this.#room = room;
    this.#die = die;
    this.#disk = disk;
    this.#temporary = temporary;
    this.#what = what;
    this.#file = file;
    this.#reserved = what.bytes ?? 0;
  }

  /**
   * Begins a piece in a new file at `temporary`. `what.bytes` is null for a piece of unknown
   * length, for which room is found as its bytes come. `die` is called when a sync fails. Throws
   * DfsError("noRoom").
   */
  static async begin(
    disk: Disk,
    temporary: string,
    what: Coming,
    room: Room,
    die: (error: DfsError) => void,
  ): Promise<Upload> {
    await room.reserve(what.bytes ?? 0);
    const file = await room.orRelieved(() => disk.open(temporary, "create"));
    return new Upload(disk, temporary, what, file, room, die);
  }

  /**
   * Takes the bytes at `offset`, which must be where the last ones ended. Throws
   * DfsError("protocol", "noRoom").
   */
  async append(offset: number, data: Uint8Array): Promise<void> {
    const { cid, piece, bytes } = this.#what;
    const ends = offset + data.length;
    const most = bytes ?? STORED_BYTES_MAX;
    if (offset !== this.#written || offset % BLOCK_BYTES !== 0 || ends > most)
      throw new DfsError(
        "protocol",
        `piece ${piece + 1}: bytes at ${offset} where ${this.#written} was next`,
      );
    this.#sums.add(sumsOf(cid, piece, offset / BLOCK_BYTES, data));
    this.#written = ends;
    if (ends > this.#reserved) {
      await this.#room.reserve(SYNC_EVERY_BYTES);
      this.#reserved = offset + SYNC_EVERY_BYTES;
    }
    await this.#room.orRelieved(() => this.#file.write(data, offset));
    if (ends - this.#synced >= SYNC_EVERY_BYTES) await this.#startSync(ends);
  }

  /**
   * Starts a sync early, so that the last one has little left to do. Meanwhile more bytes are
   * taken, unless the disk falls behind.
   */
  async #startSync(upTo: number): Promise<void> {
    await this.#syncing;
    this.#synced = upTo;
    this.#syncing = orDie(this.#file.sync(), this.#die);
    // The next sync or the last one awaits it, and meets its error.
    this.#syncing.catch(() => {});
  }

  /**
   * Makes the piece, of `bytes` bytes, durable under its name `path`. Throws DfsError("protocol")
   * if its bytes do not fit that or `root`.
   */
  async finish(bytes: number, root: Uint8Array, path: string): Promise<void> {
    const { cid, piece } = this.#what;
    const { table } = this.#sums;
    if (this.#written !== bytes || Buffer.compare(rootOf(cid, piece, bytes, table), root) !== 0)
      throw new DfsError("protocol", `piece ${piece + 1}: what arrived is not what was sent`);
    const tail = tailOf({ ...this.#what, bytes, root }, table);
    await this.#room.orRelieved(() => this.#file.write(tail, bytes));
    await this.#syncing;
    await orDie(this.#file.sync(), this.#die);
    await this.#file.close();
    await this.#room.orRelieved(() => this.#disk.rename(this.#temporary, path));
  }

  /** Drops the piece and its file. */
  async abort(): Promise<void> {
    await this.#file.close().catch(() => {});
    await this.#disk.remove(this.#temporary);
  }
}

/**
 * Awaits a sync. After one that failed nobody knows what is durable, and a second sync would lie:
 * the server must end. Any other error, such as a folder that could not be opened, is the caller's.
 */
export async function orDie(sync: Promise<void>, die: (error: DfsError) => void): Promise<void> {
  try {
    await sync;
  } catch (error) {
    if (isDfsError(error, "unsynced")) die(error);
    throw error;
  }
}
