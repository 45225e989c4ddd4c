/**
 * One server's folder, in an order that survives a crash (CONSISTENCY.md section 5): a piece is durable before it is
 * acknowledged, a promise before it is answered, and what is deleted goes from the catalog's promise first.
 */
import { decode, encode, hex, struct, u32, u8, type Value } from "../bytes.ts";
import { DfsError, isDfsError } from "../errors.ts";
import { sealOf, tableBytes } from "../file/checksum.ts";
import type { Clock, Disk, OpenFile, Random } from "../io/ports.ts";
import { RESERVE_BYTES_MAX, RESERVE_FRACTION, TRASH_GRACE_MS } from "../limits.ts";
import type { Accepted, Ballot, Register, Version, Vid } from "../version.ts";
import { absentRow, accept, commit, mayCollect, mayForget, prepare } from "./acceptor.ts";
import { Catalog, type PieceRow } from "./catalog.ts";
import { type Layout, layoutOf, openIdentity, recoverPieces } from "./recover.ts";
import { readBlocks, readSums } from "./piece_file.ts";
import { Upload } from "./upload.ts";

export interface StoreOptions {
  readonly folder: string;
  /** Where the catalog and format.json are; the folder itself by default. */
  readonly catalogFolder: string;
  /** Pieces up to this length lie in the catalog. */
  readonly inlineBytes: number;
}

interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
}

/** What a server knows of its cluster once it has joined one. */
const membershipCodec = struct({ cluster: hex(16), slots: u8, epoch: u32 });
export type Membership = Value<typeof membershipCodec>;

function membershipIn(catalog: Catalog): Membership | null {
  const fact = catalog.fact("membership");
  return fact && decode(membershipCodec, fact);
}

/** A whole piece as it comes with a PREPARE. */
interface SmallPiece {
  readonly piece: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array;
}

export class Store {
  readonly sid: string;
  readonly #ports: StorePorts;
  readonly #options: StoreOptions;
  readonly #layout: Layout;
  readonly #catalog: Catalog;
  #membership: Membership | null;
  #temporaries = 0;

  private constructor(
    ports: StorePorts,
    options: StoreOptions,
    layout: Layout,
    sid: string,
    catalog: Catalog,
  ) {
    this.sid = sid;
    this.#ports = ports;
    this.#options = options;
    this.#layout = layout;
    this.#catalog = catalog;
    this.#membership = membershipIn(catalog);
  }

  /**
   * Opens a folder, made if need be, and puts right what a crash left. `die` is called when the disk fails so that
   * nothing may be answered any more. Throws DfsError("folder") with a line for the user.
   */
  static async open(
    ports: StorePorts,
    options: StoreOptions,
    die: (error: DfsError) => void,
  ): Promise<Store> {
    const layout = layoutOf(options);
    const { sid, database } = await openIdentity(ports, layout);
    const catalog = new Catalog(database, ports.clock, die);
    await recoverPieces(ports.disk, layout, catalog);
    return new Store(ports, options, layout, sid, catalog);
  }

  /** null: it is blank. */
  get membership(): Membership | null {
    return this.#membership;
  }

  get floor(): Ballot {
    return this.#catalog.floor;
  }

  /** Joins a cluster, once; joining the same one again changes nothing. Throws DfsError("identity") for another. */
  async join(cluster: string, slots: number): Promise<void> {
    this.#membership = await this.#catalog.write(true, () => {
      const known = membershipIn(this.#catalog);
      if (known?.cluster === cluster) return known;
      if (known) throw new DfsError("identity", "this server belongs to another cluster");
      const joined = { cluster, slots, epoch: 1 };
      this.#catalog.setFact("membership", encode(membershipCodec, joined));
      return joined;
    });
  }

  /** READ: the register of a name and the pieces held of its versions. Throws DfsError("damaged"). */
  read(
    space: string,
    name: string,
  ): { floor: Ballot; register: Register; held: { vid: Vid; pieces: number[] }[] } {
    return {
      floor: this.floor,
      register: this.#row(space, name),
      held: this.#catalog.piecesOfName(space, name),
    };
  }

  /** Names after `after`, and not before `from`, with their registers, in byte order. */
  page(
    space: string,
    after: string,
    from: string,
    limit: number,
  ): { name: string; register: Register | null }[] {
    const names = this.#catalog.namesAfter(space, after, from, limit);
    return names.map((name) => ({ name, register: this.#rowOrNull(space, name) }));
  }

  /** The good pieces of a version. */
  held(vid: Vid): number[] {
    return this.#catalog.piecesOf(vid);
  }

  /** PREPARE, with small pieces that are stored in the same transaction. */
  async prepare(
    space: string,
    name: string,
    ballot: Ballot,
    vid: Vid,
    small: readonly SmallPiece[],
  ) {
    for (const { piece, root, data } of small) {
      if (Buffer.compare(sealOf(vid, piece, data).root, root) !== 0)
        throw new DfsError("protocol", `piece ${piece + 1}: what arrived is not what was sent`);
    }
    const inline = small.filter(({ data }) => data.length <= this.#options.inlineBytes);
    for (const item of small.filter((x) => !inline.includes(x)))
      await this.#storeAsFile(space, name, vid, item);
    if (inline.length > 0) await this.#reserve(inline.reduce((n, { data }) => n + data.length, 0));
    return this.#catalog.write(true, () => {
      const old = this.#row(space, name);
      const row = prepare(old, ballot);
      if (row) {
        this.#catalog.putRegister(space, name, row);
        for (const item of inline) {
          const known = this.#catalog.piece(vid, item.piece);
          if (!known || known.bad)
            this.#catalog.putPiece({ vid, space, name, bytes: item.data.length, ...item });
        }
      }
      const held = this.#catalog.piecesOf(vid);
      return { ok: row !== null, floor: this.floor, register: row ?? old, held };
    });
  }

  /** ACCEPT. */
  accept(
    space: string,
    name: string,
    ballot: Ballot,
    version: Version,
  ): Promise<{ ok: boolean; prom: Ballot }> {
    return this.#catalog.write(true, () => {
      const old = this.#row(space, name);
      const row = accept(old, ballot, version);
      if (row && row !== old) this.#catalog.putRegister(space, name, row);
      return { ok: row !== null, prom: (row ?? old).prom };
    });
  }

  /** COMMIT; a crash may undo it unless `sync`. */
  commit(
    space: string,
    name: string,
    accepted: Accepted,
    sync: boolean,
  ): Promise<{ ignored: boolean }> {
    return this.#catalog.write(sync, () => {
      const done = commit(this.#row(space, name), this.floor, accepted);
      if (done === "ignored") return { ignored: true };
      if (done) {
        this.#catalog.putRegister(space, name, done.row);
        for (const vid of done.trash) this.#catalog.trash(vid, this.#ports.clock.wall());
      }
      return { ignored: false };
    });
  }

  /** FORGET: drops the row of a tombstone, for good. */
  forget(space: string, name: string, ballot: Ballot): Promise<{ ok: boolean }> {
    return this.#catalog.write(true, () => {
      const row = this.#row(space, name);
      if (!mayForget(row, ballot)) return { ok: false };
      this.#catalog.dropRegister(space, name);
      this.#catalog.raiseFloor(row.prom);
      return { ok: true };
    });
  }

  /** COLLECT: puts an orphan version's pieces into the trash, behind the fence. */
  collect(space: string, name: string, vid: Vid, ballot: Ballot): Promise<{ ok: boolean }> {
    return this.#catalog.write(true, () => {
      const ok = mayCollect(this.#row(space, name), ballot, vid);
      if (ok) this.#catalog.trash(vid, this.#ports.clock.wall());
      return { ok };
    });
  }

  /** Begins a piece that comes in portions; throws DfsError("noRoom"). */
  async receive(
    space: string,
    name: string,
    vid: Vid,
    piece: number,
    bytes: number,
  ): Promise<Upload> {
    await this.#reserve(bytes);
    const temporary = `${this.#layout.temporary}/${vid}.${piece}.${this.#temporaries++}`;
    return Upload.begin(this.#ports.disk, temporary, { space, name, vid, piece, bytes });
  }

  /** Ends a piece: durable, named, known to the catalog. */
  async received(
    upload: Upload,
    row: { space: string; name: string; vid: Vid; piece: number; bytes: number; root: Uint8Array },
  ) {
    const { disk } = this.#ports;
    const folder = this.#layout.folderOf(row.vid);
    if (!this.#layout.folders.has(folder)) {
      await disk.makeFolder(folder);
      await disk.syncFolder(this.#layout.pieces);
      this.#layout.folders.add(folder);
    }
    await upload.finish(row.root, this.#layout.pathOf(row.vid, row.piece));
    await disk.syncFolder(folder);
    // The file is the truth: should this row be lost, the next start adopts the file.
    await this.#catalog.write(false, () => this.#catalog.putPiece({ ...row, data: null }));
  }

  /**
   * FETCH: bytes of a piece from a block's begin on. Throws DfsError("noPiece", "badPiece"); a bad one is from then on
   * not among what is held.
   */
  async fetch(
    space: string,
    vid: Vid,
    piece: number,
    offset: number,
    length: number,
  ): Promise<Uint8Array> {
    const row = this.#pieceOf(space, vid, piece);
    if (offset + length > row.bytes)
      throw new DfsError("protocol", `piece ${piece + 1} has only ${row.bytes} bytes`);
    return this.#orBad(row, async () => {
      if (!row.data) return this.#inFile(row, (file) => readBlocks(file, row, offset, length));
      if (Buffer.compare(sealOf(vid, piece, row.data).root, row.root) !== 0) throw damaged(row);
      return row.data.subarray(offset, offset + length);
    });
  }

  /** Bytes of a piece's table of block sums; throws as `fetch`. */
  async sums(
    space: string,
    vid: Vid,
    piece: number,
    offset: number,
    length: number,
  ): Promise<Uint8Array> {
    const row = this.#pieceOf(space, vid, piece);
    if (offset + length > tableBytes(row.bytes))
      throw new DfsError("protocol", "a table is not that long");
    if (row.data) return sealOf(vid, piece, row.data).table.subarray(offset, offset + length);
    return this.#orBad(row, () => this.#inFile(row, (file) => readSums(file, row, offset, length)));
  }

  #pieceOf(space: string, vid: Vid, piece: number): PieceRow {
    const row = this.#catalog.piece(vid, piece);
    if (!row || row.space !== space)
      throw new DfsError("noPiece", `piece ${piece + 1} of version ${vid} is not here`);
    if (row.bad) throw damaged(row);
    return row;
  }

  async #orBad<T>(row: PieceRow, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isDfsError(error, "badPiece"))
        await this.#catalog.write(false, () => this.#catalog.markBad(row.vid, row.piece));
      throw error;
    }
  }

  async #inFile<T>(row: PieceRow, work: (file: OpenFile) => Promise<T>): Promise<T> {
    const path = this.#layout.pathOf(row.vid, row.piece);
    const file = await this.#ports.disk.open(path, "read").catch(() => {
      throw damaged(row);
    });
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  /** Removes what has been in the trash for its grace. */
  async sweep(): Promise<void> {
    const old = this.#catalog.trashedUntil(this.#ports.clock.wall() - TRASH_GRACE_MS);
    if (old.length === 0) return;
    // The commits that condemned these pieces must be durable before the pieces go.
    await this.#catalog.write(true, () => {});
    for (const { vid, piece, inline } of old)
      if (!inline) await this.#ports.disk.remove(this.#layout.pathOf(vid, piece));
    await this.#catalog.write(false, () => {
      for (const { vid, piece } of old) this.#catalog.dropPiece(vid, piece);
    });
  }

  close(): void {
    this.#catalog.close();
  }

  /** Ends only when all that waited for the catalog is done. */
  settle(): Promise<void> {
    return this.#catalog.write(false, () => {});
  }

  #row(space: string, name: string): Register {
    return this.#rowOrNull(space, name) ?? absentRow(this.floor);
  }

  #rowOrNull(space: string, name: string): Register | null {
    return this.#catalog.register(space, name);
  }

  async #storeAsFile(
    space: string,
    name: string,
    vid: Vid,
    { piece, root, data }: SmallPiece,
  ): Promise<void> {
    const upload = await this.receive(space, name, vid, piece, data.length);
    try {
      if (data.length > 0) await upload.append(0, data);
      await this.received(upload, { space, name, vid, piece, bytes: data.length, root });
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  /** A part of the disk stays free of pieces, so that promises and deletions always have room. */
  async #reserve(bytes: number): Promise<void> {
    const { free, total } = await this.#ports.disk.space(this.#options.folder);
    const reserve = Math.min(RESERVE_BYTES_MAX, total * RESERVE_FRACTION);
    if (free - bytes < reserve)
      throw new DfsError("noRoom", `${this.#options.folder}: the disk is full`);
  }
}

const damaged = ({ vid, piece }: PieceRow): DfsError =>
  new DfsError("badPiece", `piece ${piece + 1} of version ${vid} is damaged on this server`);
