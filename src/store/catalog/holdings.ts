/**
 * The catalog's tables of what names hold: which pieces of which contents each name holds here, and
 * the versions that are pending, of which this server does not know that they were chosen. Used by
 * catalog.ts, store.ts and holds.ts.
 */
import type { StoredName } from "../../file/names.ts";
import type { Database } from "bun:sqlite";
import { DfsError } from "../../errors.ts";
import type { Cid, Vid } from "../../version.ts";
import type { Reading } from "./group_commit.ts";

export const HOLDING_SCHEMA = [
  // `bad` is repeated here, so that a list needs no look at the contents.
  `CREATE TABLE IF NOT EXISTS holding (space TEXT NOT NULL, name TEXT NOT NULL, cid BLOB NOT NULL,
   piece INTEGER NOT NULL, bad INTEGER NOT NULL DEFAULT 0,
   PRIMARY KEY (space, name, cid, piece)) STRICT, WITHOUT ROWID`,
  "CREATE INDEX IF NOT EXISTS holding_by_content ON holding (cid, piece)",
  `CREATE TABLE IF NOT EXISTS entry (space TEXT NOT NULL, name TEXT NOT NULL, vid BLOB NOT NULL,
   cid BLOB NOT NULL, created INTEGER NOT NULL,
   PRIMARY KEY (space, name, vid)) STRICT, WITHOUT ROWID`,
];

/** The pieces of one content that a name holds; the damaged ones apart, in `bad`. */
export interface HeldContent {
  readonly cid: Cid;
  readonly pieces: number[];
  readonly bad: number[];
}

/** A version whose pieces came or were linked, and when that was, in milliseconds since 1970. */
export interface PendingVersion {
  readonly vid: Vid;
  readonly cid: Cid;
  readonly created: number;
}

interface HoldingRow {
  readonly name: StoredName;
  readonly cid: Uint8Array;
  readonly piece: number;
  readonly bad: number;
}

const ID_BYTES = 16;

export class HoldingTable {
  readonly #reading: Reading;
  readonly #onStray: () => void;
  readonly #ofContent;
  readonly #ofNames;
  readonly #cids;
  readonly #hold;
  readonly #drop;
  readonly #dropOne;
  readonly #isHeld;
  readonly #dropPiece;
  readonly #setGood;
  readonly #pending;
  readonly #putPending;
  readonly #dropPending;

  /** `onStray` is called on a record that this program cannot have written. */
  constructor(db: Database, reading: Reading, onStray: () => void) {
    this.#reading = reading;
    this.#onStray = onStray;
    // rule: idle-does-not-count
    this.#ofContent = db.query<{ piece: number }, [string, string, Uint8Array]>(
      "SELECT piece FROM holding WHERE space = ? AND name = ? AND cid = ? AND bad = 0 ORDER BY piece",
    );
    this.#ofNames = db.query<HoldingRow, [string, string, string]>(
      `SELECT name, cid, piece, bad FROM holding WHERE space = ? AND name BETWEEN ? AND ?
       ORDER BY name, cid, piece`,
    );
    this.#cids = db.query<{ cid: Uint8Array }, [string, string]>(
      "SELECT DISTINCT cid FROM holding WHERE space = ? AND name = ?",
    );
    this.#hold = db.query(
      "INSERT OR REPLACE INTO holding (space, name, cid, piece) VALUES (?, ?, ?, ?)",
    );
    this.#drop = db.query("DELETE FROM holding WHERE space = ? AND name = ? AND cid = ?");
    this.#dropOne = db.query(
      "DELETE FROM holding WHERE space = ? AND name = ? AND cid = ? AND piece = ?",
    );
    this.#setGood = db.query("UPDATE holding SET bad = 0 WHERE cid = ? AND piece = ? AND bad <> 0");
    this.#isHeld = db.query<unknown, [Uint8Array, number]>(
      "SELECT 1 FROM holding WHERE cid = ? AND piece = ? LIMIT 1",
    );
    this.#dropPiece = db.query("DELETE FROM holding WHERE cid = ? AND piece = ?");
    this.#pending = db.query<
      { vid: Uint8Array; cid: Uint8Array; created: number },
      [string, string]
    >("SELECT vid, cid, created FROM entry WHERE space = ? AND name = ? ORDER BY created");
    this.#putPending = db.query(
      `INSERT INTO entry (space, name, vid, cid, created) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO
       UPDATE SET created = excluded.created WHERE cid = excluded.cid`,
    );
    this.#dropPending = db.query("DELETE FROM entry WHERE space = ? AND name = ? AND vid = ?");
  }

  /** The good pieces of a content that a name holds. */
  ofContent(space: string, name: StoredName, cid: Cid): number[] {
    const id = Uint8Array.fromHex(cid);
    return this.#reading(() => this.#ofContent.all(space, name, id)).map(({ piece }) => piece);
  }

  /** All that a name holds, content by content. */
  ofName(space: string, name: StoredName): HeldContent[] {
    return this.ofNames(space, name, name)[0]?.contents ?? [];
  }

  /** The same for each name from `first` to `last` that holds anything, in byte order. */
  ofNames(
    space: string,
    first: StoredName,
    last: StoredName,
  ): { name: StoredName; contents: HeldContent[] }[] {
    const held: { name: StoredName; contents: HeldContent[] }[] = [];
    for (const row of this.#reading(() => this.#ofNames.all(space, first, last))) {
      this.#check(row.name, row.cid);
      const cid = row.cid.toHex();
      let entry = held.at(-1);
      if (entry?.name !== row.name) held.push((entry = { name: row.name, contents: [] }));
      let content = entry.contents.at(-1);
      if (content?.cid !== cid) entry.contents.push((content = { cid, pieces: [], bad: [] }));
      (row.bad ? content.bad : content.pieces).push(row.piece);
    }
    return held;
  }

  /** The contents of which a name holds anything. */
  cidsOf(space: string, name: StoredName): Cid[] {
    return this.#reading(() => this.#cids.all(space, name)).map(({ cid }) => cid.toHex());
  }

  /** Makes a name hold a good piece. */
  hold(space: string, name: StoredName, cid: Cid, piece: number): void {
    this.#hold.run(space, name, Uint8Array.fromHex(cid), piece);
  }

  /** The piece came anew: whoever holds it holds a good one. */
  setGood(cid: Cid, piece: number): void {
    this.#setGood.run(Uint8Array.fromHex(cid), piece);
  }

  /** Ends what a name holds of a content; or of one piece of it. */
  drop(space: string, name: StoredName, cid: Cid, piece?: number): void {
    const id = Uint8Array.fromHex(cid);
    if (piece === undefined) this.#drop.run(space, name, id);
    else this.#dropOne.run(space, name, id, piece);
  }

  /** Nobody holds this piece any more. */
  dropPiece(cid: Cid, piece: number): void {
    this.#dropPiece.run(Uint8Array.fromHex(cid), piece);
  }

  /** Does any name hold this piece? */
  isHeld(cid: Cid, piece: number): boolean {
    const id = Uint8Array.fromHex(cid);
    return this.#reading(() => this.#isHeld.get(id, piece)) !== null;
  }

  /** The pending versions of a name, those first whose pieces came first. */
  pendingOf(space: string, name: StoredName): PendingVersion[] {
    return this.#reading(() => this.#pending.all(space, name)).map(({ vid, cid, created }) => {
      this.#check(name, vid);
      this.#check(name, cid);
      return { vid: vid.toHex(), cid: cid.toHex(), created };
    });
  }

  /** Makes a version pending. False, and nothing is done, where it is with another content. */
  putPending(space: string, name: StoredName, { vid, cid, created }: PendingVersion): boolean {
    const [id, content] = [Uint8Array.fromHex(vid), Uint8Array.fromHex(cid)];
    return this.#putPending.run(space, name, id, content, created).changes > 0;
  }

  dropPending(space: string, name: StoredName, vid: Vid): void {
    this.#dropPending.run(space, name, Uint8Array.fromHex(vid));
  }

  /** Throws DfsError("damaged") if this is no id: it would be sent as one. */
  #check(name: StoredName, id: Uint8Array): void {
    if (id instanceof Uint8Array && id.length === ID_BYTES) return;
    this.#onStray();
    throw new DfsError("damaged", `${name}: this server's record of its pieces is damaged`);
  }
}
