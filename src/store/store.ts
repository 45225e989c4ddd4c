/**
 * What each message does to a server's folder, in an order that survives a crash
 * (docs/consistency.md section 5): a piece is durable before it is acknowledged, a promise before
 * it is answered; what is deleted leaves the catalog before the disk. Used by the server.
 */
import { DfsError } from "../errors.ts";
import type { StoredName } from "../file/names.ts";
import type { Clock, Disk, Random, Notify } from "../io/ports.ts";
import type { Accepted, Ballot, Cid, Register, Version, Vid } from "../version.ts";
import {
  absentRow,
  accept,
  commit,
  mayCollect,
  mayDrop,
  mayForget,
  prepare,
  type Refused,
} from "./acceptor.ts";
import { Catalog } from "./catalog/catalog.ts";
import type { Floors } from "./catalog/floors.ts";
import { checkLog, type Identity, openIdentity, type Origin } from "./identity.ts";
import { Lives } from "./lives.ts";
import { Membership } from "./membership.ts";
import { openFolder, orFolderError, recoverPieces, STORE_FORMAT, writeFormat } from "./recover.ts";
import { isOld, upgrade } from "./upgrade.ts";
import { Holds } from "./pieces/holds.ts";
import { type FolderPaths, pathsOf } from "./pieces/folder_paths.ts";
import {
  heldOf,
  type NameState,
  type PageEntry,
  pageOf,
  type Promised,
  type Proposed,
} from "./name_state.ts";
import { checkSmall, type SmallPiece } from "./pieces/piece_id.ts";
import { PieceStore } from "./pieces/pieces.ts";
import { Scrub } from "./pieces/scrub.ts";

export interface StoreOptions {
  readonly folder: string;
  /** The folder of the catalog and of format.json; by default the folder itself. */
  readonly catalogFolder: string;
  /** Pieces up to this length are kept in the catalog. */
  readonly inlineBytes: number;
  /** How long pieces that nobody needs stay, for readers that have begun. */
  readonly trashGraceMs: number;
  /** Receives what the operator should know. */
  readonly notify?: Notify;
}

type StorePorts = { readonly clock: Clock; readonly random: Random; readonly disk: Disk };

export class Store {
  readonly sid: string;
  readonly #ports: StorePorts;
  readonly #options: StoreOptions;
  readonly #catalog: Catalog;
  readonly pieces: PieceStore;
  readonly scrub: Scrub;
  readonly membership: Membership;
  readonly lives: Lives;
  /** What kind of folder was found; and the id that it had before, if it has a new one. */
  readonly origin: Origin;
  readonly was: string | null;
  readonly floors: Floors;

  private constructor(
    ports: StorePorts,
    options: StoreOptions,
    paths: FolderPaths,
    { sid, origin, was }: Identity,
    catalog: Catalog,
    die: (error: DfsError) => void,
  ) {
    this.sid = sid;
    this.origin = origin;
    this.was = was;
    this.#ports = ports;
    this.#options = options;
    this.#catalog = catalog;
    this.pieces = new PieceStore(ports, paths, catalog, die);
    this.scrub = new Scrub(ports, catalog, this.pieces);
    this.membership = new Membership(catalog, sid);
    this.lives = new Lives(catalog);
    this.floors = catalog.floors;
  }

  /**
   * Opens a folder, or makes it, and repairs what a crash left. `die` is called after an error that
   * forbids any further answer. Throws DfsError("folder") with a line for the user.
   */
  static async open(
    ports: StorePorts,
    options: StoreOptions,
    die: (error: DfsError) => void,
  ): Promise<Store> {
    const paths = pathsOf(options);
    const { database, format, logBytes } = await openFolder(ports.disk, paths);
    let close = (): void => database.close();
    try {
      const { notify = () => {} } = options;
      orFolderError(paths, () => checkLog(database, logBytes));
      // An older program refuses the folder from here on.
      if (isOld(database)) {
        if (format) await writeFormat(ports.disk, paths, { ...format, format: STORE_FORMAT });
        orFolderError(paths, () => upgrade(database, notify));
      }
      const catalog = orFolderError(paths, () => new Catalog(database, ports.clock, die, notify));
      const identity = await openIdentity(ports, paths, catalog, format);
      close = () => catalog.close();
      await recoverPieces(ports.disk, paths, catalog, new Holds(ports, catalog));
      const store = new Store(ports, options, paths, identity, catalog, die);
      await store.pieces.ballast.load();
      return store;
    } catch (error) {
      // Else the folder stays in use. On a failing disk an orderly close may throw.
      try {
        close();
      } catch {
        database.close();
      }
      throw error;
    }
  }

  /** READ: the register of a name, and what the name holds. Throws DfsError("damaged"). */
  read(space: string, name: StoredName): NameState {
    const register = this.#row(space, name);
    const now = this.#ports.clock.wall();
    const held = heldOf(this.#catalog, space, name, register, now, this.pieces.underWay);
    return { floor: this.floors.of(space), register, ...held };
  }

  /** A page of names with their registers and, if wanted, what they hold; see Catalog.page. */
  page(
    space: string,
    after: string,
    from: string,
    limit: number,
    everything: boolean,
    withPieces = true,
  ): PageEntry[] {
    const names = this.#catalog.page(space, after, from, limit, everything);
    return pageOf(this.#catalog, names, space, { withPieces, everything });
  }

  /** Up to `limit` spaces after `after`, in byte order. */
  spacesAfter(after: string, limit: number): string[] {
    return this.#catalog.spacesAfter(after, limit);
  }

  /** Is any of its records damaged? Then it cannot say of any name that it is absent. */
  get isDamaged(): boolean {
    return this.#catalog.isDamaged;
  }

  /** The good pieces of a content that a name holds. */
  held(space: string, name: StoredName, cid: Cid | null): number[] {
    return cid === null ? [] : this.#catalog.holdings.ofContent(space, name, cid);
  }

  /**
   * PREPARE, with small pieces stored in the same transaction; on a full disk the promise is given
   * without them. With `link`, the content of version `vid`, the name holds from then on what is
   * here of it.
   */
  async prepare(
    space: string,
    name: StoredName,
    ballot: Ballot,
    { vid, link, inline: small }: Proposed,
  ): Promise<Promised> {
    const idOf = ({ piece }: SmallPiece) => ({ space, name, vid, cid: link ?? vid, piece });
    for (const item of small) checkSmall(idOf(item), item);
    const inline = small.filter(({ data }) => data.length <= this.#options.inlineBytes);
    const files = small.filter((item) => !inline.includes(item));
    const isRoom = await this.pieces.makeRoomFor(files, inline, idOf);
    return this.#catalog.write(/* rule: promise-is-durable */ true, () => {
      const old = this.#row(space, name);
      const floor = this.floors.of(space);
      const row = prepare(old, floor, ballot);
      const held = (): number[] => this.held(space, name, link);
      if (typeof row === "string")
        return { ok: false, refused: row, floor, register: old, held: held() };
      this.#put(space, name, row);
      if (isRoom) for (const item of inline) this.pieces.putInline(idOf(item), item);
      // rule: link-holds
      if (link !== null) this.pieces.holds.link(space, name, row, vid, link);
      return { ok: true, refused: null, floor, register: row, held: held() };
    });
  }

  /** LINK: the name holds what is here of the content. A copy elsewhere may go for it. */
  link(space: string, name: StoredName, vid: Vid, cid: Cid): Promise<{ held: number[] }> {
    return this.#catalog.write(true, () => {
      this.pieces.holds.link(space, name, this.#row(space, name), vid, cid);
      return { held: this.held(space, name, cid) };
    });
  }

  accept(
    space: string,
    name: StoredName,
    ballot: Ballot,
    version: Version,
  ): Promise<{ ok: boolean } & Refused> {
    return this.#catalog.write(true, () => {
      const old = this.#row(space, name);
      const floor = this.floors.of(space);
      const row = accept(old, floor, ballot, version);
      if (typeof row === "string") return { ok: false, refused: row, prom: old.prom, floor };
      if (row !== old) this.#put(space, name, row);
      return /* rule: accept-keeps-old-pieces */ { ok: true, refused: null, prom: row.prom, floor };
    });
  }

  /** COMMIT. Without `sync`, a crash may undo it. */
  commit(
    space: string,
    name: StoredName,
    accepted: Accepted,
    sync: boolean,
  ): Promise<{ ignored: boolean } & Refused> {
    return this.#catalog.write(sync, () => {
      const old = this.#row(space, name);
      const floor = this.floors.of(space);
      const done = commit(old, floor, accepted);
      const reply = { ignored: done === "ignored", prom: old.prom, floor };
      if (done === "high") return { ...reply, refused: done };
      if (done && done !== "ignored") {
        this.#put(space, name, done.row);
        const { over } = done;
        this.pieces.holds.committed(space, name, { before: old, after: done.row, over });
      }
      return { ...reply, refused: null };
    });
  }

  /** FORGET: drops the row of a tombstone, for good. */
  forget(space: string, name: StoredName, ballot: Ballot): Promise<{ ok: boolean }> {
    return this.#catalog.write(true, () => {
      const row = this.#row(space, name);
      if (!mayForget(row, ballot)) return { ok: false };
      this.#catalog.dropRegister(space, name);
      /* rule: forget-leaves-floor */ this.floors.raise(space, row.prom);
      this.pieces.holds.release(space, name, { acc: null, com: null });
      return { ok: true };
    });
  }

  /** COLLECT: ends a pending version that can never become current, behind the fence. */
  collect(
    space: string,
    name: StoredName,
    ballot: Ballot,
    doomed: { readonly vid: Vid; readonly spare: boolean },
  ): Promise<{ ok: boolean }> {
    return this.#catalog.write(true, () => {
      const row = this.#row(space, name);
      const ok = mayCollect(row, this.#catalog.holdings.pendingOf(space, name), ballot, doomed);
      if (ok) this.pieces.holds.end(space, name, row, [doomed.vid]);
      return { ok };
    });
  }

  /** DROP: the name holds a piece no longer here, if `isAway` says that it has other homes. */
  drop(
    space: string,
    name: StoredName,
    { cid, piece }: { readonly cid: Cid; readonly piece: number },
    isAway: (version: Version) => boolean,
  ): Promise<{ ok: boolean }> {
    return this.#catalog.write(true, () => {
      const pending = this.#catalog.holdings.pendingOf(space, name);
      const ok = mayDrop(this.#row(space, name), pending, cid, isAway);
      if (ok) this.pieces.holds.dropPiece(space, name, cid, piece);
      return { ok };
    });
  }

  /** Removes pieces that no name has held for the grace. */
  sweep(): Promise<void> {
    return this.pieces.sweep(this.#options.trashGraceMs);
  }

  close(): void {
    this.#catalog.close();
  }

  #put(space: string, name: StoredName, row: Register): void {
    this.#catalog.putRegister(space, name, row, this.membership.epoch);
  }

  #row(space: string, name: StoredName): Register {
    return this.#catalog.register(space, name) ?? absentRow(this.floors.of(space));
  }
}
