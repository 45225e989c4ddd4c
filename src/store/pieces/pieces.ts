/**
 * The pieces of one server: files, or small ones in the catalog. A piece is durable before anybody hears of it; what is condemned
 * stays in the trash for a while, for readers that have begun.
 */
import { assert, DfsError, isDfsError } from "../../errors.ts";
import { rootOf, tableAndRoot, sumsOf, tableBytes } from "../../file/checksum.ts";
import type { Clock, Disk, OpenFile } from "../../io/ports.ts";
import { BLOCK_BYTES, FILES_AT_ONCE, TABLE_BYTES_SMALL, TABLES_AT_ONCE } from "../../limits.ts";
import type { Vid } from "../../version.ts";
import { Arrivals } from "./arrivals.ts";
import { Ballast } from "./ballast.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { Gate } from "./gate.ts";
import type { PieceRow } from "../catalog/piece_table.ts";
import { readBlocks, readSums } from "./piece_file.ts";
import type { FolderPaths } from "./folder_paths.ts";
import { Room } from "./room.ts";
import { UnderWay } from "./under_way.ts";
import { orDie, Upload } from "./upload.ts";

/** Whose piece it is, and which. */
export interface PieceId {
  readonly space: string;
  readonly name: string;
  readonly vid: Vid;
  readonly piece: number;
}

/** A whole piece as it comes with a PREPARE. */
export interface SmallPiece {
  readonly piece: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array;
}

/** A file that is being removed, and what to call when that is over. */
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
  /** Files that are open for a moment; and tables of sums that are in memory as a whole, which of a large piece are many. */
  readonly #files = new Gate(FILES_AT_ONCE);
  readonly #tables = new Gate(TABLES_AT_ONCE);
  #temporaries = 0;
  readonly room: Room;
  readonly ballast: Ballast;
  readonly underWay = new UnderWay();

  /** `die` is called when the disk fails so that nothing may be answered any more. */
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
    catalog.relieveBy(() => this.ballast.drop());
  }

  /** Begins a piece of `bytes` bytes that comes in portions; throws DfsError("noRoom"). */
  async receive(id: PieceId, bytes: number): Promise<Upload> {
    await this.room.reserve(bytes);
    const temporary = `${this.#paths.temporary}/${id.vid}.${id.piece}.${this.#temporaries++}`;
    return Upload.begin(this.#disk, temporary, { ...id, bytes }, this.room, this.#die);
  }

  /** Ends a piece: durable, named, known to the catalog. */
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
      // The file is the truth: should this row be lost, the next start adopts the file.
      const row = { ...id, bytes, root, data: null, created: this.#clock.wall() };
      await this.#catalog.write(false, () => this.#catalog.pieces.put(row));
    } catch (error) {
      await this.#removeIfNobodys(path, id);
      throw error;
    }
  }

  /** A file that no row knows, as the catalog had no room for it, and that nobody else is just bringing. */
  async #removeIfNobodys(path: string, { vid, piece }: PieceId): Promise<void> {
    if (!this.#arrivals.isOfOne(path) || this.#catalog.pieces.get(vid, piece)) return;
    const over = this.#arrivals.remove(path);
    await this.#disk.remove(path).finally(over);
  }

  /** A small piece as a file. */
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

  /** Stores `files`, and makes sure that `inline` fit into the catalog; false where there is no room for all. */
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

  /** A small piece in the catalog; to be called inside a transaction. */
  putInline(id: PieceId, { root, data }: SmallPiece): void {
    const known = this.#checkOwner(id);
    if (known && !known.bad && known.trashed === null) return;
    const created = this.#clock.wall();
    this.#catalog.pieces.put({ ...id, bytes: data.length, root, data, created });
  }

  /** A piece that lies in the catalog, as it lies there; null where there is none, or it was found damaged. */
  inline({ space, vid, piece }: PieceId): Uint8Array | null {
    const row = this.#catalog.pieces.get(vid, piece);
    return row?.space === space && row.bad === 0 ? row.data : null;
  }

  /** The row of this piece. Whoever learns the id of another's version must not put a piece in the place of theirs: throws DfsError("forbidden"). */
  #checkOwner({ space, vid, piece }: PieceId): PieceRow | null {
    const known = this.#catalog.pieces.get(vid, piece);
    if (known && known.space !== space)
      throw new DfsError("forbidden", `version ${vid} is another user's`);
    return known;
  }

  /**
   * FETCH: bytes of a piece from a block's begin on. Throws DfsError("noPiece", "badPiece"); a bad one is from then on
   * not among what is held.
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
      // Unless it is the row that is wrong: then the piece is damaged.
      await this.sums(id, 0, 0);
      throw new DfsError(
        "protocol",
        `a fetch begins and ends where a block does, within the ${row.bytes} bytes of its piece`,
      );
    }
    return this.#orBad(row, async () => {
      if (!row.data) return this.#inFile(row, (file) => readBlocks(file, row, offset, length));
      if (!isWhole(row)) throw damaged(row);
      return row.data.subarray(offset, offset + length);
    });
  }

  /** Bytes of a piece's table of block sums; throws as `fetch`. */
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
    // The whole table, for only the root vouches for it.
    const table = row.data
      ? sumsOf(row.vid, row.piece, 0, row.data)
      : await this.#inFile(row, (file) => readSums(file, row, 0, whole));
    const root = rootOf(row.vid, row.piece, row.bytes, table);
    if (Buffer.compare(root, row.root) !== 0) throw damaged(row);
    return table.slice(offset, offset + length);
  }

  #rowOf({ space, vid, piece }: PieceId): PieceRow {
    const row = this.#catalog.pieces.get(vid, piece);
    if (!row || row.space !== space)
      throw new DfsError("noPiece", `piece ${piece + 1} of version ${vid} is not here`);
    // Of a damaged one the blocks that verify are still worth having, where there is no whole copy.
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
      throw (await this.#disk.stat(path)) ? error : damaged(row);
    });
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  /** Removes what has been in the trash for `graceMs`. */
  async sweep(graceMs: number): Promise<void> {
    for (;;) {
      const until = this.#clock.wall() - graceMs;
      if (this.#catalog.pieces.trashedUntil(until).length === 0) return;
      const removals: Removal[] = [];
      try {
        // The rows first: what condemned these pieces becomes durable with them. A file that outlives its row is adopted later.
        const dropped = await this.#catalog.write(true, () => this.#takeFromTrash(until, removals));
        if (dropped === 0) return;
        for (const { path } of removals) await this.#disk.remove(path);
      } finally {
        for (const { over } of removals) over();
      }
    }
  }

  /** Drops rows of the trash, and says which files are to be removed; meanwhile nobody may bring those pieces again. */
  #takeFromTrash(until: number, removals: Removal[]): number {
    let dropped = 0;
    for (const { vid, piece, inline } of this.#catalog.pieces.trashedUntil(until)) {
      const path = this.#paths.pathOf(vid, piece);
      // One that is just arriving again will be good, and its row replaced.
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

const damaged = ({ vid, piece }: PieceRow): DfsError =>
  new DfsError("badPiece", `piece ${piece + 1} of version ${vid} is damaged on this server`);
