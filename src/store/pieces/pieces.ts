/**
 * The pieces of one server. Each is a file, or lies in the catalog if it is small. A piece is
 * durable before the server tells anybody of it. A piece that no name holds any more stays for a
 * while, for readers that have begun. Used by store.ts, scrub.ts and the server's uploads.
 */
import { hashSlotOf } from "../../file/hash_slot.ts";
import { assert, DfsError, isDfsError } from "../../errors.ts";
import { rootOf, tableAndRoot, sumsOf, tableBytes } from "../../file/checksum.ts";
import type { Clock, Disk, OpenFile } from "../../io/ports.ts";
import {
  BLOCK_BYTES,
  FILES_AT_ONCE,
  READERS_GRACE_MS,
  TABLE_BYTES_SMALL,
  TABLES_AT_ONCE,
} from "../../limits.ts";
import { Arrivals } from "./arrivals.ts";
import { Ballast } from "./ballast.ts";
import type { Catalog } from "../catalog/catalog.ts";
import { Gate } from "./gate.ts";
import { Holds } from "./holds.ts";
import type { ContentRow } from "../catalog/contents.ts";
import { damagedPiece, readBlocks, readSums } from "./piece_file.ts";
import type { Arrival, PieceId, SmallPiece } from "./piece_id.ts";
import type { Cid } from "../../version.ts";
import type { FolderPaths } from "./folder_paths.ts";
import { Renewals } from "./renewals.ts";
import { Room } from "./room.ts";
import { sweepIdle } from "./sweep.ts";
import { UnderWay } from "./under_way.ts";
import { orDie, Upload } from "./upload.ts";

export class PieceStore {
  readonly #clock: Clock;
  readonly #disk: Disk;
  readonly #paths: FolderPaths;
  readonly #catalog: Catalog;
  readonly #die: (error: DfsError) => void;
  readonly #arrivals = new Arrivals();
  readonly #renewals: Renewals;
  /** Limit the files open for a moment, and the tables of sums in memory (which may be large). */
  readonly #files = new Gate(FILES_AT_ONCE);
  readonly #tables = new Gate(TABLES_AT_ONCE);
  #temporaries = 0;
  readonly room: Room;
  readonly holds: Holds;
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
    this.#renewals = new Renewals(ports.clock);
    this.holds = new Holds(ports, catalog);
    this.room = new Room(ports, paths.folder, () => this.#sweep(0, READERS_GRACE_MS));
    this.ballast = new Ballast(ports.disk, paths.catalogFolder);
    catalog.setRelief(() => this.ballast.drop());
  }

  /**
   * Begins a piece that comes in several parts, of `bytes` bytes; null where nobody knows yet.
   * Throws DfsError("noRoom").
   */
  async receive({ space, name, cid, piece }: Arrival, bytes: number | null): Promise<Upload> {
    const temporary = `${this.#paths.temporary}/${cid}.${piece}.${this.#temporaries++}`;
    const what = { space, slot: hashSlotOf(space, name), cid, piece, bytes };
    return Upload.begin(this.#disk, temporary, what, this.room, this.#die);
  }

  /** Ends a piece: it becomes durable, gets its name, and is entered in the catalog. */
  async received(upload: Upload, id: Arrival, bytes: number, root: Uint8Array): Promise<void> {
    const { cid, piece } = id;
    this.#checkOwner(id);
    const folder = this.#paths.folderOf(cid);
    if (!this.#paths.folders.has(folder)) {
      await this.room.orRelieved(() => this.#disk.makeFolder(folder));
      await orDie(this.#disk.syncFolder(this.#paths.pieces), this.#die);
      this.#paths.folders.add(folder);
    }
    const path = this.#paths.pathOf(cid, piece);
    await this.#arrivals.during(path, () =>
      this.#receivedAt(path, folder, upload, id, bytes, root),
    );
  }

  async #receivedAt(
    path: string,
    folder: string,
    upload: Upload,
    id: Arrival,
    bytes: number,
    root: Uint8Array,
  ): Promise<void> {
    await upload.finish(bytes, root, path);
    try {
      await orDie(this.#disk.syncFolder(folder), this.#die);
      // A promise may count this piece, and a copy elsewhere may go for it.
      await this.#catalog.write(true, () => this.holds.arrived(id, this.#rowFor(id, bytes, root)));
    } catch (error) {
      await this.#removeUnclaimed(path, id);
      throw error;
    }
  }

  #rowFor({ space, name, cid, piece }: Arrival, bytes: number, root: Uint8Array) {
    const slot = hashSlotOf(space, name);
    const created = this.#clock.wall();
    return { space, slot, cid, piece, bytes, root, data: null, created, idle: null };
  }

  /**
   * Removes a file that no row knows, since the catalog had no room for one, unless another sender
   * is just bringing it.
   */
  async #removeUnclaimed(path: string, { cid, piece }: PieceId): Promise<void> {
    if (!this.#arrivals.hasOneSender(path) || this.#catalog.contents.get(cid, piece)) return;
    const over = this.#arrivals.remove(path);
    await this.#disk.remove(path).finally(over);
  }

  /** Stores a small piece as a file. */
  putFile(id: Arrival, small: SmallPiece): Promise<void> {
    return this.#files.through(() => this.#putFile(id, small));
  }

  async #putFile(id: Arrival, { root, data }: SmallPiece): Promise<void> {
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
    idOf: (piece: SmallPiece) => Arrival,
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
  putInline(id: Arrival, { root, data }: SmallPiece): void {
    const known = this.#checkOwner(id);
    if (known && !known.bad) return;
    this.#catalog.contents.put({ ...this.#rowFor(id, data.length, root), data });
    this.#catalog.holdings.setGood(id.cid, id.piece);
  }

  /** The bytes, not verified, of a piece in the catalog; null if there is none or it is damaged. */
  inline({ space, cid, piece }: PieceId): Uint8Array | null {
    const row = this.#catalog.contents.get(cid, piece);
    return row?.space === space && row.bad === 0 ? row.data : null;
  }

  /**
   * Returns the row of this piece. A user who learns the id of another user's content must not
   * replace its pieces: throws DfsError("forbidden").
   */
  #checkOwner({ space, cid, piece }: PieceId): ContentRow | null {
    const known = this.#catalog.contents.get(cid, piece);
    if (known && known.space !== space)
      throw new DfsError("forbidden", `content ${cid} is another user's`);
    return known;
  }

  /**
   * FETCH: bytes of a piece, from the start of a block on; they are the caller's. Throws
   * DfsError("noPiece", "badPiece"). A bad piece no longer counts as held. What is idle has a reader
   * now; what a name held until a reader had it is not kept for that reader where room is short.
   */
  async fetch(id: PieceId, offset: number, length: number): Promise<Uint8Array> {
    const row = this.#rowOf(id);
    if (row.idle !== null) this.#renewals.renew(id.cid);
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

  async #sums(row: ContentRow, offset: number, length: number): Promise<Uint8Array> {
    const whole = tableBytes(row.bytes);
    // The whole table is read, for only the root vouches for it.
    const table = row.data
      ? sumsOf(row.cid, row.piece, 0, row.data)
      : await this.#inFile(row, (file) => readSums(file, row, 0, whole));
    const root = rootOf(row.cid, row.piece, row.bytes, table);
    if (Buffer.compare(root, row.root) !== 0) throw damagedPiece(row);
    return table.slice(offset, offset + length);
  }

  #rowOf({ space, cid, piece }: PieceId): ContentRow {
    const row = this.#catalog.contents.get(cid, piece);
    if (!row || row.space !== space)
      throw new DfsError("noPiece", `piece ${piece + 1} of content ${cid} is not here`);
    // A damaged piece is served too: without a whole copy, the blocks that verify are worth having.
    return row;
  }

  async #orBad<T>(row: ContentRow, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isDfsError(error, "badPiece"))
        await this.#catalog.write(false, () => this.#catalog.contents.markBad(row));
      throw error;
    }
  }

  #inFile<T>(row: ContentRow, work: (file: OpenFile) => Promise<T>): Promise<T> {
    return this.#files.through(() => this.#inOpenFile(row, work));
  }

  async #inOpenFile<T>(row: ContentRow, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const path = this.#paths.pathOf(row.cid, row.piece);
    const file = await this.#disk.open(path, "read").catch(async (error: unknown) => {
      throw (await this.#disk.stat(path)) ? error : damagedPiece(row);
    });
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  /** Removes pieces that no name has held, and nobody has read, for `graceMs`. */
  sweep(graceMs: number): Promise<void> {
    return this.#sweep(graceMs, graceMs);
  }

  #sweep(graceMs: number, readersMs: number): Promise<void> {
    const [paths, catalog] = [this.#paths, this.#catalog];
    const [arrivals, renewals] = [this.#arrivals, this.#renewals];
    const ports = { clock: this.#clock, disk: this.#disk };
    return sweepIdle({ ...ports, paths, catalog, arrivals, renewals, graceMs, readersMs });
  }

  /** RENEW: somebody goes on reading this content. Returns whether any of it is here. */
  renew(space: string, cid: Cid): boolean {
    this.#renewals.renew(cid);
    return this.#catalog.contents.goodOf(space, cid).length > 0;
  }
}

function isWhole({ cid, piece, data, root }: ContentRow): boolean {
  assert(data, "only a piece in the catalog is checked as a whole");
  return Buffer.compare(tableAndRoot(cid, piece, data).root, root) === 0;
}
