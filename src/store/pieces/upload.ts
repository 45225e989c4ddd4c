/**
 * One piece on its way into a file. Its bytes go to a temporary file, and their checksums are
 * computed as they pass; the file is durable before it gets its name. Used by pieces.ts and the
 * server's uploads.
 */
import { assert, DfsError, isDfsError } from "../../errors.ts";
import { rootOf, sumsOf } from "../../file/checksum.ts";
import type { Disk, OpenFile } from "../../io/ports.ts";
import { BLOCK_BYTES, SYNC_EVERY_BYTES } from "../../limits.ts";
import { type PieceFooter, tailOf } from "./piece_file.ts";
import type { Room } from "./room.ts";

const TABLE_BYTES_FIRST = 64;

export class Upload {
  readonly #disk: Disk;
  readonly #temporary: string;
  readonly #what: Omit<PieceFooter, "root">;
  #table = new Uint8Array(TABLE_BYTES_FIRST);
  #tableBytes = 0;
  readonly #file: OpenFile;
  readonly #room: Room;
  readonly #die: (error: DfsError) => void;
  #written = 0;
  #synced = 0;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(
    disk: Disk,
    temporary: string,
    what: Omit<PieceFooter, "root">,
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
  }

  /**
   * Begins a piece in a new file at `temporary`. `die` is called when a sync fails. Throws
   * DfsError("noRoom").
   */
  static async begin(
    disk: Disk,
    temporary: string,
    what: Omit<PieceFooter, "root">,
    room: Room,
    die: (error: DfsError) => void,
  ): Promise<Upload> {
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
    if (offset !== this.#written || offset % BLOCK_BYTES !== 0 || ends > bytes)
      throw new DfsError(
        "protocol",
        `piece ${piece + 1}: bytes at ${offset} where ${this.#written} was next`,
      );
    this.#note(sumsOf(cid, piece, offset / BLOCK_BYTES, data));
    this.#written = ends;
    await this.#room.orRelieved(() => this.#file.write(data, offset));
    if (ends - this.#synced >= SYNC_EVERY_BYTES) await this.#startSync(ends);
  }

  /**
   * Appends to one table that grows: an array for each chunk would take a hundred bytes for eight.
   */
  #note(sums: Uint8Array): void {
    const end = this.#tableBytes + sums.length;
    if (end > this.#table.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#table);
      this.#table = larger;
    }
    this.#table.set(sums, this.#tableBytes);
    this.#tableBytes = end;
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
   * Makes the piece durable under its name `path`. Throws DfsError("protocol") if its bytes do not
   * fit `root`.
   */
  async finish(root: Uint8Array, path: string): Promise<void> {
    const { cid, piece, bytes } = this.#what;
    assert(this.#written <= bytes, "an upload is never longer than it said");
    const table = this.#table.subarray(0, this.#tableBytes);
    if (this.#written < bytes || Buffer.compare(rootOf(cid, piece, bytes, table), root) !== 0)
      throw new DfsError("protocol", `piece ${piece + 1}: what arrived is not what was sent`);
    const tail = tailOf({ ...this.#what, root }, table);
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
