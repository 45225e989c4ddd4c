/**
 * The pieces of one server. Each is a file, or lies in the catalog if it is small. A piece is
 * durable before the server tells anybody of it. A condemned piece stays in the trash for a while,
 * for readers that have begun. Used by store.ts, scrub.ts and the server's uploads.
 */
import { assert, DfsError, isDfsError } from "../../errors.ts";
import { rootOf, tableAndRoot, sumsOf, tableBytes } from "../../file/checksum.ts";
import type { Clock, Disk, OpenFile } from "../../io/ports.ts";
import { BLOCK_BYTES, FILES_AT_ONCE, TABLE_BYTES_SMALL, TABLES_AT_ONCE } from "../../limits.ts";
import { Arrivals } from "./arrivals.ts";
import { Ballast } from "./ballast.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { Gate } from "./gate.ts";
import type { PieceRow } from "../catalog/piece_table.ts";
import { damagedPiece, readBlocks, readSums } from "./piece_file.ts";
import type { PieceId, SmallPiece } from "./piece_id.ts";
import type { FolderPaths } from "./folder_paths.ts";
import { Room } from "./room.ts";
import { UnderWay } from "./under_way.ts";
import { orDie, Upload } from "./upload.ts";

/** A file that is being removed; `over` is to be called after that. */
interface Removal {
  readonly path: string;
  readonly over: () => void;
}

export class PieceStore {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #paths: FolderPaths;
  readonly #catalog: Catalog;
  readonly #die: (error: DfsError) => void;
  readonly #arrivals = new Arrivals();
  /** Limit the files open for a moment, and the tables of sums in memory (which may be large). */
  readonly #files = new Gate(FILES_AT_ONCE);
  readonly #tables = new Gate(TABLES_AT_ONCE);
  #temporaries = 0;
  readonly room: Room;
  readonly ballast: Ballast;
  readonly underWay = new UnderWay();

  /** `die` is called after a failure of the disk that forbids any further answer. */
  constructor(
    ports: { clock: Clock; disk: Disk },
    paths: FolderPaths,
    catalog: Catalog,
    die: (error: DfsError) => void,
  ) {
    this.#die = die;
    this.#clock = ports.clock;
    this.#disk = ports.disk;
    this.#paths = paths;
    this.#catalog = catalog;
    this.room = new Room(ports, paths.folder, () => this.sweep(0));
    this.ballast = new Ballast(ports.disk, paths.catalogFolder);
    catalog.setRelief(() => this.ballast.drop());
  }

  /** Begins a piece of `bytes` bytes that comes in several parts. Throws DfsError("noRoom"). */
  async receive(id: PieceId, bytes: number): Promise<Upload> {
    await this.room.reserve(bytes);
    const temporary = `${this.#paths.temporary}/${id.vid}.${id.piece}.${this.#temporaries++}`;
    return Upload.begin(this.#disk, temporary, { ...id, bytes }, this.room, this.#die);
  }

  /** Ends a piece: it becomes durable, gets its name, and is entered in the catalog. */
  async received(upload: Upload, id: PieceId, bytes: number, root: Uint8Array): Promise<void> {
    const { vid, piece } = id;
    this.#checkOwner(id);
    const folder = this.#paths.folderOf(vid);
    if (!this.#paths.folders.has(folder)) {
      await this.room.orRelieved(() => this.#disk.makeFolder(folder));
      await orDie(this.#disk.syncFolder(this.#paths.pieces), this.#die);
      this.#paths.folders.add(folder);
    }
    const path = this.#paths.pathOf(vid, piece);
    await this.#arrivals.during(path, () =>
      this.#receivedAt(path, folder, upload, id, bytes, root),
    );
  }

  async #receivedAt(
    path: string,
    folder: string,
    upload: Upload,
    id: PieceId,
    bytes: number,
    root: Uint8Array,
  ): Promise<void> {
    await upload.finish(root, path);
    try {
      await orDie(this.#disk.syncFolder(folder), this.#die);
      // The file is what counts: if this row is lost, the next start adopts the file.
      const row = { ...id, bytes, root, data: null, created: this.#clock.wall() };
      await this.#catalog.write(false, () => this.#catalog.pieces.put(row));
    } catch (error) {
      await this.#removeUnclaimed(path, id);
      throw error;
    }
  }

  /**
   * Removes a file that no row knows, since the catalog had no room for one, unless another sender
   * is just bringing it.
   */
  async #removeUnclaimed(path: string, { vid, piece }: PieceId): Promise<void> {
    if (!this.#arrivals.hasOneSender(path) || this.#catalog.pieces.get(vid, piece)) return;
    const over = this.#arrivals.remove(path);
    await this.#disk.remove(path).finally(over);
  }

  /** Stores a small piece as a file. */
  putFile(id: PieceId, small: SmallPiece): Promise<void> {
    return this.#files.through(() => this.#putFile(id, small));
  }

  async #putFile(id: PieceId, { root, data }: SmallPiece): Promise<void> {
    const upload = await this.receive(id, data.length);
    try {
      if (data.length > 0) await upload.append(0, data);
      await this.received(upload, id, data.length, root);
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  /**
   * Stores `files`, and makes sure that `inline` fit into the catalog. Returns false if there is no
   * room for all.
   */
  async makeRoomFor(
    files: readonly SmallPiece[],
    inline: readonly SmallPiece[],
    idOf: (piece: SmallPiece) => PieceId,
  ): Promise<boolean> {
    try {
      for (const item of files) await this.putFile(idOf(item), item);
      const bytes = inline.reduce((n, { data }) => n + data.length, 0);
      if (bytes > 0) await this.room.reserveSmall(bytes);
      return true;
    } catch (error) {
      if (isDfsError(error, "noRoom")) return false;
      throw error;
    }
  }

  /** Stores a small piece in the catalog. To be called inside a transaction. */
  putInline(id: PieceId, { root, data }: SmallPiece): void {
    const known = this.#checkOwner(id);
    if (known && !known.bad && known.trashed === null) return;
    const created = this.#clock.wall();
    this.#catalog.pieces.put({ ...id, bytes: data.length, root, data, created });
  }

  /** The bytes, not verified, of a piece in the catalog; null if there is none or it is damaged. */
  inline({ space, vid, piece }: PieceId): Uint8Array | null {
    const row = this.#catalog.pieces.get(vid, piece);
    return row?.space === space && row.bad === 0 ? row.data : null;
  }

  /**
   * Returns the row of this piece. A user who learns the id of another user's version must not
   * replace its pieces: throws DfsError("forbidden").
   */
  #checkOwner({ space, vid, piece }: PieceId): PieceRow | null {
    const known = this.#catalog.pieces.get(vid, piece);
    if (known && known.space !== space)
      throw new DfsError("forbidden", `version ${vid} is another user's`);
    return known;
  }

  /**
   * FETCH: bytes of a piece, from the start of a block on; they are the caller's. Throws
   * DfsError("noPiece", "badPiece"). A bad piece no longer counts as held.
   */
  async fetch(id: PieceId, offset: number, length: number): Promise<Uint8Array> {
    const row = this.#rowOf(id);
    const end = offset + length;
    // A part of a block cannot be verified.
    if (
      offset % BLOCK_BYTES !== 0 ||
      (end % BLOCK_BYTES !== 0 && end !== row.bytes) ||
      end > row.bytes
    ) {
      // Perhaps the length in the row is wrong: then this throws, for the piece is damaged.
      await this.sums(id, 0, 0);
      throw new DfsError(
        "protocol",
        `a fetch begins and ends where a block does, within the ${row.bytes} bytes of its piece`,
      );
    }
    return this.#orBad(row, async () => {
      if (!row.data) return this.#inFile(row, (file) => readBlocks(file, row, offset, length));
      if (!isWhole(row)) throw damagedPiece(row);
      return row.data.subarray(offset, offset + length);
    });
  }

  /** Bytes of a piece's table of block sums. Throws as `fetch` does. */
  async sums(id: PieceId, offset: number, length: number): Promise<Uint8Array> {
    const row = this.#rowOf(id);
    if (offset + length > tableBytes(row.bytes))
      throw new DfsError("protocol", "a table is not that long");
    const isSmall = tableBytes(row.bytes) <= TABLE_BYTES_SMALL;
    const work = (): Promise<Uint8Array> => this.#orBad(row, () => this.#sums(row, offset, length));
    return isSmall ? work() : this.#tables.through(work);
  }

  async #sums(row: PieceRow, offset: number, length: number): Promise<Uint8Array> {
    const whole = tableBytes(row.bytes);
    // The whole table is read, for only the root vouches for it.
    const table = row.data
      ? sumsOf(row.vid, row.piece, 0, row.data)
      : await this.#inFile(row, (file) => readSums(file, row, 0, whole));
    const root = rootOf(row.vid, row.piece, row.bytes, table);
    if (Buffer.compare(root, row.root) !== 0) throw damagedPiece(row);
    return table.slice(offset, offset + length);
  }

  #rowOf({ space, vid, piece }: PieceId): PieceRow {
    const row = this.#catalog.pieces.get(vid, piece);
    if (!row || row.space !== space)
      throw new DfsError("noPiece", `piece ${piece + 1} of version ${vid} is not here`);
    // A damaged piece is served too: without a whole copy, the blocks that verify are worth having.
    return row;
  }

  async #orBad<T>(row: PieceRow, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isDfsError(error, "badPiece"))
        await this.#catalog.write(false, () => this.#catalog.pieces.markBad(row));
      throw error;
    }
  }

  #inFile<T>(row: PieceRow, work: (file: OpenFile) => Promise<T>): Promise<T> {
    return this.#files.through(() => this.#inOpenFile(row, work));
  }

  async #inOpenFile<T>(row: PieceRow, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const path = this.#paths.pathOf(row.vid, row.piece);
    const file = await this.#disk.open(path, "read").catch(async (error: unknown) => {
      throw (await this.#disk.stat(path)) ? error : damagedPiece(row);
    });
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  /** Removes pieces that have been in the trash for `graceMs`. */
  async sweep(graceMs: number): Promise<void> {
    for (;;) {
      const until = this.#clock.wall() - graceMs;
      if (this.#catalog.pieces.trashedUntil(until).length === 0) return;
      const removals: Removal[] = [];
      try {
        // The rows go first, so that the decision to condemn them is durable. A file that is left
        // without a row is adopted later.
        const dropped = await this.#catalog.write(true, () => this.#takeFromTrash(until, removals));
        if (dropped === 0) return;
        for (const { path } of removals) await this.#disk.remove(path);
      } finally {
        for (const { over } of removals) over();
      }
    }
  }

  /**
   * Drops rows of the trash, and collects the files to remove in `removals`. Until those are over,
   * no sender can bring these pieces again.
   */
  #takeFromTrash(until: number, removals: Removal[]): number {
    let dropped = 0;
    for (const { vid, piece, inline } of this.#catalog.pieces.trashedUntil(until)) {
      const path = this.#paths.pathOf(vid, piece);
      // A piece that is just arriving again will be good, and will replace its row.
      if (this.#arrivals.has(path)) continue;
      this.#catalog.pieces.drop(vid, piece);
      dropped++;
      if (inline) continue;
      removals.push({ path, over: this.#arrivals.remove(path) });
    }
    return dropped;
  }
}

function isWhole({ vid, piece, data, root }: PieceRow): boolean {
  assert(data, "only a piece in the catalog is checked as a whole");
  return Buffer.compare(tableAndRoot(vid, piece, data).root, root) === 0;
}
