/**
 * The catalog's table of contents: which pieces of which contents this server has, the bytes of the
 * small ones, and when each was last read back. A piece is here once, however many names hold it
 * (holdings.ts). Used by catalog.ts, recover.ts and the room pieces.
 */
import type { Database } from "bun:sqlite";
import type { Notify } from "../../io/ports.ts";
import type { Cid } from "../../version.ts";
import { pieceDamaged } from "./findings.ts";
import type { Reading } from "./group_commit.ts";

export const CONTENT_SCHEMA = [
  `CREATE TABLE IF NOT EXISTS content (cid BLOB NOT NULL, piece INTEGER NOT NULL, space TEXT NOT NULL,
   slot INTEGER NOT NULL, bytes INTEGER NOT NULL, root BLOB NOT NULL, data BLOB,
   bad INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL, checked INTEGER, idle INTEGER,
   PRIMARY KEY (cid, piece)) STRICT`,
  "CREATE INDEX IF NOT EXISTS content_by_idle ON content (idle) WHERE idle IS NOT NULL",
  "CREATE INDEX IF NOT EXISTS content_by_check ON content (checked) WHERE idle IS NULL AND bad = 0",
  "CREATE INDEX IF NOT EXISTS content_by_damage ON content (bad) WHERE bad <> 0",
];

/**
 * Each index of the table: which rows are in it, and which columns of an index entry must equal
 * those of its row, `at`. Used by catalog_check.ts.
 */
export const CONTENT_INDEXES: readonly {
  readonly name: string;
  readonly isIn: (row: { readonly bad: number; readonly idle: number | null }) => boolean;
  readonly match: string;
}[] = [
  {
    name: "sqlite_autoindex_content_1",
    isIn: () => true,
    match: "entry.cid = at.cid AND entry.piece = at.piece",
  },
  {
    name: "content_by_idle",
    isIn: ({ idle }) => idle !== null,
    match: "entry.idle = at.idle AND entry.idle IS NOT NULL",
  },
  {
    name: "content_by_check",
    isIn: ({ idle, bad }) => idle === null && bad === 0,
    // Both sides are tested, for SQLite does not check whether an entry should be in the index.
    match: `entry.checked IS at.checked AND entry.idle IS NULL AND entry.bad = 0
      AND at.idle IS NULL AND at.bad = 0`,
  },
  {
    name: "content_by_damage",
    isIn: ({ bad }) => bad !== 0,
    match: "entry.bad = at.bad AND entry.bad <> 0",
  },
];

/** One piece of a content that this server has. `data` is null if the piece is a file. */
export interface ContentRow {
  readonly cid: Cid;
  readonly piece: number;
  readonly space: string;
  /** The hash slot of the name under which it was first written. */
  readonly slot: number;
  readonly bytes: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array | null;
  readonly bad: number;
  /** When it came, in milliseconds since 1970. */
  readonly created: number;
  /** When it was last read back and found good, in milliseconds since 1970; null: never. */
  readonly checked: number | null;
  /** Since when no name holds it, in milliseconds since 1970; null: some name does. */
  readonly idle: number | null;
}

/** A piece to be read back: what a scrub has to know of it. */
export type DuePiece = Pick<ContentRow, "cid" | "piece" | "space" | "bytes" | "created">;

/** A row as SQLite has it: ids are blobs. */
type Stored<T extends { readonly cid: Cid }> = Omit<T, "cid"> & { readonly cid: Uint8Array };

const withId = <T extends { readonly cid: Uint8Array }>(row: T): Omit<T, "cid"> & { cid: Cid } => ({
  ...row,
  cid: row.cid.toHex(),
});

export class ContentTable {
  readonly #db: Database;
  readonly #reading: Reading;
  readonly #notify: Notify;
  readonly #get;
  readonly #ofContent;
  readonly #put;
  readonly #setIdle;
  readonly #wake;

  constructor(db: Database, reading: Reading, notify: Notify) {
    this.#db = db;
    this.#reading = reading;
    this.#notify = notify;
    this.#get = db.query<Stored<ContentRow>, [Uint8Array, number]>(
      "SELECT * FROM content WHERE cid = ? AND piece = ?",
    );
    this.#ofContent = db.query<{ piece: number; isIdle: number }, [Uint8Array, string]>(
      "SELECT piece, idle IS NOT NULL AS isIdle FROM content WHERE cid = ? AND space = ? AND bad = 0",
    );
    this.#put = db.query(
      `INSERT OR REPLACE INTO content (cid, piece, space, slot, bytes, root, data, created, idle)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    // rule: others-still-hold
    this.#setIdle = db.query(
      `UPDATE content SET idle = ?1 WHERE cid = ?2 AND idle IS NULL AND NOT EXISTS
       (SELECT 1 FROM holding WHERE holding.cid = content.cid AND holding.piece = content.piece)`,
    );
    this.#wake = db.query("UPDATE content SET idle = NULL WHERE cid = ? AND piece = ?");
  }

  get(cid: Cid, piece: number): ContentRow | null {
    const row = this.#reading(() => this.#get.get(Uint8Array.fromHex(cid), piece));
    return row && withId(row);
  }

  /** Is the piece in the table, though `get` does not find it? It looks at all rows. */
  isHidden(cid: Cid, piece: number): boolean {
    const query = this.#db.query<unknown, [Uint8Array, number]>(
      "SELECT 1 FROM content NOT INDEXED WHERE cid = ? AND piece = ?",
    );
    return this.#reading(() => query.get(Uint8Array.fromHex(cid), piece)) !== null;
  }

  /**
   * The good pieces of a content of this space, whoever holds them; and which of them nobody does.
   */
  goodOf(space: string, cid: Cid): { piece: number; isIdle: boolean }[] {
    const rows = this.#reading(() => this.#ofContent.all(Uint8Array.fromHex(cid), space));
    return rows.map(({ piece, isIdle }) => ({ piece, isIdle: isIdle === 1 }));
  }

  /** Takes in a good piece, in the place of the one that was there. */
  put(row: Omit<ContentRow, "bad" | "checked">): void {
    const { cid, piece, space, slot, bytes, root, data, created, idle } = row;
    this.#put.run(Uint8Array.fromHex(cid), piece, space, slot, bytes, root, data, created, idle);
  }

  /** A name holds this piece from now on. */
  wake(cid: Cid, piece: number): void {
    this.#wake.run(Uint8Array.fromHex(cid), piece);
  }

  /** Notes since when no name holds the pieces of this content, for those that none does. */
  setIdle(cid: Cid, wall: number): void {
    this.#setIdle.run(wall, Uint8Array.fromHex(cid));
  }

  /** An idle piece was read: since then it is idle, in milliseconds since 1970. */
  renewIdle(cid: Cid, piece: number, wall: number): void {
    const id = Uint8Array.fromHex(cid);
    this.#db
      .query("UPDATE content SET idle = max(idle, ?) WHERE cid = ? AND piece = ?")
      .run(Math.floor(wall), id, piece);
  }

  /** Marks this very piece as damaged. A piece that has meanwhile taken its place stays good. */
  markBad({ cid, piece, created }: ContentRow): void {
    const id = Uint8Array.fromHex(cid);
    const { changes } = this.#db
      .query("UPDATE content SET bad = 1 WHERE cid = ? AND piece = ? AND created = ? AND bad = 0")
      .run(id, piece, created);
    if (changes === 0) return;
    this.#db.query("UPDATE holding SET bad = 1 WHERE cid = ? AND piece = ?").run(id, piece);
    this.#notify(pieceDamaged(cid, piece));
  }

  drop(cid: Cid, piece: number): void {
    const id = Uint8Array.fromHex(cid);
    this.#db.query("DELETE FROM content WHERE cid = ? AND piece = ?").run(id, piece);
  }

  /** Up to 1000 pieces that no name has held since `wall` or before. */
  idleUntil(wall: number): { cid: Cid; piece: number; isInline: boolean }[] {
    // rule: held-is-not-swept
    const query = this.#db.query<{ cid: Uint8Array; piece: number; inline: number }, [number]>(
      `SELECT cid, piece, data IS NOT NULL AS inline FROM content WHERE idle <= ? AND NOT EXISTS
       (SELECT 1 FROM holding WHERE holding.cid = content.cid AND holding.piece = content.piece) LIMIT 1000`,
    );
    const rows = this.#reading(() => query.all(wall));
    return rows.map(({ cid, piece, inline }) => ({
      cid: cid.toHex(),
      piece,
      isInline: inline === 1,
    }));
  }

  /** Every piece that should be a file. */
  *files(): Generator<{ cid: Cid; piece: number }> {
    const query = this.#db.query<{ cid: Uint8Array; piece: number }, []>(
      "SELECT cid, piece FROM content WHERE data IS NULL",
    );
    for (const row of query.iterate()) yield withId(row);
  }

  /**
   * Pieces that were never read back, then those not read back since `wall`, the longest ago first.
   */
  due(wall: number, limit: number): DuePiece[] {
    // The query does not test `checked`: if none were due, SQLite would scan all of them.
    const query = this.#db.query<Stored<DuePiece> & Pick<ContentRow, "checked">, [number]>(
      `SELECT cid, piece, space, bytes, created, checked FROM content
       WHERE idle IS NULL AND bad = 0 ORDER BY checked LIMIT ?`,
    );
    const first = this.#reading(() => query.all(limit));
    return first.filter(({ checked }) => checked === null || checked < wall).map(withId);
  }

  /** Notes that this very piece was read back and is good. */
  setChecked({ cid, piece, created }: DuePiece, wall: number): void {
    this.#db
      .query("UPDATE content SET checked = ? WHERE cid = ? AND piece = ? AND created = ?")
      .run(wall, Uint8Array.fromHex(cid), piece, created);
  }

  /**
   * Counts: how many pieces there are; how many are damaged; how many were never read back, and
   * when the first of those came; and when the piece was read back that was so longest ago.
   */
  summary(): {
    pieces: number;
    bad: number;
    unread: number;
    unreadSince: number | null;
    oldest: number | null;
  } {
    const valueOf = <T>(sql: string): T =>
      this.#reading(() => this.#db.query<{ n: T }, []>(`SELECT ${sql}`).get())?.n as T;
    const good = "FROM content WHERE idle IS NULL AND bad = 0";
    return {
      pieces: valueOf<number>(`count(*) AS n ${good}`),
      bad: valueOf<number>("count(*) AS n FROM content WHERE bad <> 0 AND idle IS NULL"),
      unread: valueOf<number>(`count(*) AS n ${good} AND checked IS NULL`),
      // Rows are numbered in the order in which they come, and the index keeps rows of equal time
      // in that order.
      unreadSince: valueOf<number | null>(
        `(SELECT created ${good} AND checked IS NULL ORDER BY rowid LIMIT 1) AS n`,
      ),
      oldest: valueOf<number | null>(`min(checked) AS n ${good}`),
    };
  }
}
