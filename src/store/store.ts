/**
 * What each message does to a server's folder, in an order that survives a crash
 * (docs/consistency.md section 5): a piece is durable before it is acknowledged, a promise before
 * it is answered; what is deleted leaves the catalog before the disk. Used by the server.
 */
import { DfsError } from "../errors.ts";
import { tableAndRoot } from "../file/checksum.ts";
import { compareNames, type StoredName } from "../file/names.ts";
import type { Clock, Disk, Random, Notify } from "../io/ports.ts";
import { VIDS_PER_NAME_MAX } from "../limits.ts";
import type { Accepted, Ballot, Register, Version, Vid } from "../version.ts";
import {
  absentRow,
  accept,
  commit,
  mayBecomeCurrent,
  mayCollect,
  mayForget,
  prepare,
  type Refused,
} from "./acceptor.ts";
import { Catalog } from "./catalog/catalog.ts";
import type { Floors } from "./catalog/floors.ts";
import { checkLog, type Identity, openIdentity, type Origin } from "./identity.ts";
import { Lives } from "./lives.ts";
import { Membership } from "./membership.ts";
import { openFolder, orFolderError, recoverPieces } from "./recover.ts";
import { type FolderPaths, pathsOf } from "./pieces/folder_paths.ts";
import type { Held, PageEntry, Promised } from "./name_state.ts";
import type { SmallPiece } from "./pieces/piece_id.ts";
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

interface StorePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
}

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
      const catalog = orFolderError(paths, () => {
        checkLog(database, logBytes);
        return new Catalog(database, ports.clock, die, notify);
      });
      const identity = await openIdentity(ports, paths, catalog, format);
      close = () => catalog.close();
      await recoverPieces(ports.disk, paths, catalog);
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

  /** READ: the register of a name, and the pieces of its versions. Throws DfsError("damaged"). */
  read(space: string, name: StoredName): { floor: Ballot; register: Register; held: Held[] } {
    const register = this.#row(space, name);
    // The versions of the register come first, in case there are more than fit into a reply.
    const matters = new Set([register.acc?.version.vid, register.com?.version.vid]);
    const held = this.#heldOfName(space, name).toSorted(
      (a, b) => Number(matters.has(b.vid)) - Number(matters.has(a.vid)),
    );
    return { floor: this.floors.of(space), register, held: held.slice(0, VIDS_PER_NAME_MAX) };
  }

  /** A page of names with their registers and all their pieces, in byte order; see Catalog.page. */
  page(
    space: string,
    after: string,
    from: string,
    limit: number,
    everything: boolean,
  ): PageEntry[] {
    const page = this.#catalog.page(space, after, from, limit, everything);
    const [first, last] = [page[0]?.name, page.at(-1)?.name];
    if (first === undefined || last === undefined) return [];
    const held = this.#catalog.pieces.ofNames(space, first, last);
    let i = 0;
    return page.map(({ name, register }) => {
      for (let next = held[i]; next && compareNames(next.name, name) < 0; next = held[i]) i++;
      const match = held[i]?.name === name ? held[i++] : null;
      return { name, register, held: match?.versions ?? [] };
    });
  }

  /** Up to `limit` spaces after `after` that have a name or a piece, in byte order. */
  spacesAfter(after: string, limit: number): string[] {
    return this.#catalog.spacesAfter(after, limit);
  }

  /** Is any of its records damaged? Then it cannot say of any name that it is absent. */
  get isDamaged(): boolean {
    return this.#catalog.isDamaged;
  }

  #heldOfName(space: string, name: StoredName): Held[] {
    const now = this.#ports.clock.wall();
    const ageOf = (created: number): number => Math.max(0, Math.floor((now - created) / 1000));
    const { underWay } = this.pieces;
    return this.#catalog.pieces.ofName(space, name).map(({ created, ...rest }) => ({
      ...rest,
      age: underWay.has(rest.vid) ? 0 : ageOf(created),
    }));
  }

  /** The good pieces of a version. */
  held(space: string, name: StoredName, vid: Vid): number[] {
    return this.#catalog.pieces.ofVersion(space, name, vid);
  }

  /**
   * PREPARE, with small pieces stored in the same transaction; on a full disk the promise is given
   * without them. Good pieces of this version come back from the trash.
   */
  async prepare(
    space: string,
    name: StoredName,
    ballot: Ballot,
    vid: Vid,
    small: readonly SmallPiece[],
  ): Promise<Promised> {
    for (const { piece, root, data } of small) {
      if (Buffer.compare(tableAndRoot(vid, piece, data).root, root) !== 0)
        throw new DfsError("protocol", `piece ${piece + 1}: what arrived is not what was sent`);
    }
    const inline = small.filter(({ data }) => data.length <= this.#options.inlineBytes);
    const idOf = ({ piece }: SmallPiece) => ({ space, name, vid, piece });
    const files = small.filter((item) => !inline.includes(item));
    const isRoom = await this.pieces.makeRoomFor(files, inline, idOf);
    return this.#catalog.write(/* rule: promise-is-durable */ true, () => {
      const old = this.#row(space, name);
      const floor = this.floors.of(space);
      const row = prepare(old, floor, ballot);
      const held = (): number[] => this.held(space, name, vid);
      if (typeof row === "string")
        return { ok: false, refused: row, floor, register: old, held: held() };
      this.#catalog.putRegister(space, name, row);
      if (isRoom) for (const item of inline) this.pieces.putInline(idOf(item), item);
      // rule: trash-comes-back
      if (mayBecomeCurrent(row, vid)) this.#catalog.pieces.restore(space, name, vid);
      return { ok: true, refused: null, floor, register: row, held: held() };
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
      if (row !== old) this.#catalog.putRegister(space, name, row);
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
        this.#catalog.putRegister(space, name, done.row);
        for (const vid of done.trash)
          this.#catalog.pieces.trash(space, name, vid, this.#ports.clock.wall());
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
      return { ok: true };
    });
  }

  /** COLLECT: puts the pieces of an orphan into the trash, behind the fence. */
  collect(space: string, name: StoredName, vid: Vid, ballot: Ballot): Promise<{ ok: boolean }> {
    return this.#catalog.write(true, () => {
      const ok = mayCollect(this.#row(space, name), ballot, vid);
      if (ok) this.#catalog.pieces.trash(space, name, vid, this.#ports.clock.wall());
      return { ok };
    });
  }

  /** DROP: puts one piece into the trash, if `isAway` says that it is away from its home. */
  drop(
    space: string,
    name: StoredName,
    vid: Vid,
    piece: number,
    isAway: (version: Version) => boolean,
  ): Promise<{ ok: boolean }> {
    return this.#catalog.write(true, () => {
      const { acc, com } = this.#row(space, name);
      // Another ring of the same version may have been accepted already.
      const isHome = acc?.version.vid === vid && !isAway(acc.version);
      const ok = com?.version.vid === vid && isAway(com.version) && !isHome;
      if (ok) this.#catalog.pieces.trashOne(space, name, vid, piece, this.#ports.clock.wall());
      return { ok };
    });
  }

  /** Removes pieces whose time in the trash is over. */
  sweep(): Promise<void> {
    return this.pieces.sweep(this.#options.trashGraceMs);
  }

  close(): void {
    this.#catalog.close();
  }

  #row(space: string, name: StoredName): Register {
    return this.#catalog.register(space, name) ?? absentRow(this.floors.of(space));
  }
}
