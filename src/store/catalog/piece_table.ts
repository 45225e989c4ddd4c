/**
 * The catalog's table of pieces: which pieces this server holds, the bytes of the small ones, and
 * when each was last read back. Used by catalog.ts, pieces.ts and scrub.ts.
 */
import type { StoredName } from "../../file/names.ts";
import type { Database } from "bun:sqlite";
import { DfsError } from "../../errors.ts";
import type { Notify } from "../../io/ports.ts";
import type { Vid } from "../../version.ts";
import { pieceDamaged } from "./findings.ts";
import type { Reading } from "./group_commit.ts";

export const PIECE_SCHEMA = [
  `CREATE TABLE IF NOT EXISTS piece (vid TEXT, piece INTEGER, space TEXT NOT NULL, name TEXT NOT NULL,
   bytes INTEGER NOT NULL, root BLOB NOT NULL, data BLOB, bad INTEGER NOT NULL DEFAULT 0,
   created INTEGER NOT NULL, trashed INTEGER, checked INTEGER,
   PRIMARY KEY (vid, piece)) STRICT`,
  "DROP INDEX IF EXISTS piece_by_name",
  // Covers all columns that a list asks for. Without it a list would look up each piece in the
  // table, which consists mostly of their bytes.
  `CREATE INDEX IF NOT EXISTS piece_by_holding ON piece (space, name, vid, piece, bad, created, trashed)`,
  "CREATE INDEX IF NOT EXISTS piece_by_trash ON piece (trashed) WHERE trashed IS NOT NULL",
  "CREATE INDEX IF NOT EXISTS piece_by_check ON piece (checked) WHERE trashed IS NULL AND bad = 0",
  "CREATE INDEX IF NOT EXISTS piece_by_damage ON piece (bad) WHERE bad <> 0",
];

/**
 * Each index of the table: which rows are in it, and which columns of an index entry must equal
 * those of its row, `at`. Used by catalog_check.ts.
 */
export const PIECE_INDEXES: readonly {
  readonly name: string;
  readonly isIn: (row: { readonly bad: number; readonly trashed: number | null }) => boolean;
  readonly match: string;
}[] = [
  {
    name: "sqlite_autoindex_piece_1",
    isIn: () => true,
    match: "entry.vid = at.vid AND entry.piece = at.piece",
  },
  {
    name: "piece_by_holding",
    isIn: () => true,
    match: `entry.space = at.space AND entry.name = at.name AND entry.vid = at.vid AND entry.piece = at.piece
      AND entry.bad = at.bad AND entry.created = at.created AND entry.trashed IS at.trashed`,
  },
  {
    name: "piece_by_trash",
    isIn: ({ trashed }) => trashed !== null,
    match: "entry.trashed = at.trashed AND entry.trashed IS NOT NULL",
  },
  {
    name: "piece_by_check",
    isIn: ({ trashed, bad }) => trashed === null && bad === 0,
    // Both sides are tested, for SQLite does not check whether an entry should be in the index.
    match: `entry.checked IS at.checked AND entry.trashed IS NULL AND entry.bad = 0
      AND at.trashed IS NULL AND at.bad = 0`,
  },
  {
    name: "piece_by_damage",
    isIn: ({ bad }) => bad !== 0,
    match: "entry.bad = at.bad AND entry.bad <> 0",
  },
];

/** A piece that this server holds. `data` is null if the piece is a file. */
export interface PieceRow {
  readonly vid: Vid;
  readonly piece: number;
  readonly space: string;
  readonly name: StoredName;
  readonly bytes: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array | null;
  readonly bad: number;
  /** When it came, in milliseconds since 1970. */
  readonly created: number;
  /** When it went into the trash, in milliseconds since 1970. */
  readonly trashed: number | null;
  /** When it was last read back and found good, in milliseconds since 1970; null: never. */
  readonly checked: number | null;
}

/** The pieces held of one version. */
export interface HeldVersion {
  readonly vid: Vid;
  readonly pieces: number[];
  readonly bad: number[];
  created: number;
}

/** A piece to be read back: what a scrub has to know of it. */
export type DuePiece = Pick<PieceRow, "vid" | "piece" | "space" | "name" | "bytes" | "created">;

export class PieceTable {
  readonly #db: Database;
  readonly #reading: Reading;
  readonly #notify: Notify;
  readonly #onStray: () => void;
  readonly #restore;
  readonly #get;
  readonly #ofVersion;
  readonly #ofNames;

  /** `onStray` is called on a record that this program cannot have written. */
  constructor(db: Database, reading: Reading, notify: Notify, onStray: () => void) {
    this.#db = db;
    this.#reading = reading;
    this.#notify = notify;
    this.#onStray = onStray;
    this.#restore = db.query(
      "UPDATE piece SET trashed = NULL WHERE vid = ? AND space = ? AND name = ? AND bad = 0 AND trashed IS NOT NULL",
    );
    this.#get = db.query<PieceRow, [string, number]>(
      "SELECT * FROM piece WHERE vid = ? AND piece = ?",
    );
    // rule: trash-does-not-count
    this.#ofVersion = db.query<{ piece: number }, [string, string, string]>(
      "SELECT piece FROM piece WHERE vid = ? AND space = ? AND name = ? AND bad = 0 AND trashed IS NULL",
    );
    this.#ofNames = db.query<
      Pick<PieceRow, "name" | "vid" | "piece" | "bad" | "created">,
      [string, string, string]
    >(
      `SELECT name, vid, piece, bad, created FROM piece
       WHERE space = ? AND name BETWEEN ? AND ? AND trashed IS NULL ORDER BY name, vid, piece`,
    );
  }

  get(vid: Vid, piece: number): PieceRow | null {
    return this.#reading(() => this.#get.get(vid, piece));
  }

  /** The good pieces of a version of a name. */
  ofVersion(space: string, name: StoredName, vid: Vid): number[] {
    const rows = this.#reading(() => this.#ofVersion.all(vid, space, name));
    return rows.map((row) => row.piece).sort((a, b) => a - b);
  }

  /**
   * The pieces of all versions of a name that are not in the trash, and when the newest piece of
   * each version came.
   */
  ofName(space: string, name: StoredName): HeldVersion[] {
    return this.ofNames(space, name, name)[0]?.versions ?? [];
  }

  /** The same for each name from `first` to `last` that has pieces, in byte order. */
  ofNames(
    space: string,
    first: StoredName,
    last: StoredName,
  ): { name: StoredName; versions: HeldVersion[] }[] {
    const held: { name: StoredName; versions: HeldVersion[] }[] = [];
    const rows = this.#reading(() => this.#ofNames.all(space, first, last));
    for (const { name, vid, piece, bad, created } of rows) {
      this.#checkVid(name, vid);
      let entry = held.at(-1);
      if (entry?.name !== name) held.push((entry = { name, versions: [] }));
      let version = entry.versions.at(-1);
      if (version?.vid !== vid)
        entry.versions.push((version = { vid, pieces: [], bad: [], created }));
      (bad ? version.bad : version.pieces).push(piece);
      version.created = Math.max(version.created, created);
    }
    return held;
  }

  /** Does the index of all held pieces know this piece? */
  isHeld(space: string, name: StoredName, vid: Vid, piece: number): boolean {
    const query = this.#db.query<unknown, [string, string, string, number]>(
      "SELECT 1 FROM piece INDEXED BY piece_by_holding WHERE space = ? AND name = ? AND vid = ? AND piece = ?",
    );
    return this.#reading(() => query.get(space, name, vid, piece)) !== null;
  }

  /** Throws DfsError("damaged") if `vid` is not an id: it would be sent as one. */
  #checkVid(name: StoredName, vid: string): void {
    if (/^[0-9a-f]{32}$/.test(vid)) return;
    this.#onStray();
    throw new DfsError("damaged", `${name}: this server's record of its pieces is damaged`);
  }

  put(row: Omit<PieceRow, "bad" | "trashed" | "checked">): void {
    this.#db
      .query(
        "INSERT OR REPLACE INTO piece (vid, piece, space, name, bytes, root, data, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
      )
      .run(row.vid, row.piece, row.space, row.name, row.bytes, row.root, row.data, row.created);
  }

  /** Marks this very piece as damaged. A piece that has meanwhile taken its place stays good. */
  markBad({ vid, piece, created }: PieceRow): void {
    const { changes } = this.#db
      .query("UPDATE piece SET bad = 1 WHERE vid = ? AND piece = ? AND created = ? AND bad = 0")
      .run(vid, piece, created);
    if (changes > 0) this.#notify(pieceDamaged(vid, piece));
  }

  drop(vid: Vid, piece: number): void {
    this.#db.query("DELETE FROM piece WHERE vid = ? AND piece = ?").run(vid, piece);
  }

  /** Puts all pieces of a version of a name into the trash. */
  trash(space: string, name: StoredName, vid: Vid, wall: number): void {
    this.#db
      .query(
        "UPDATE piece SET trashed = ? WHERE vid = ? AND space = ? AND name = ? AND trashed IS NULL",
      )
      .run(wall, vid, space, name);
  }

  /** Puts one piece into the trash. */
  trashOne(space: string, name: StoredName, vid: Vid, piece: number, wall: number): void {
    this.#db
      .query(
        "UPDATE piece SET trashed = ? WHERE vid = ? AND piece = ? AND space = ? AND name = ? AND trashed IS NULL",
      )
      .run(wall, vid, piece, space, name);
  }

  /** Takes the good pieces of a version of a name out of the trash. */
  restore(space: string, name: StoredName, vid: Vid): void {
    this.#restore.run(vid, space, name);
  }

  /** Up to 1000 pieces that went into the trash at `wall` or before. */
  trashedUntil(wall: number): { vid: Vid; piece: number; inline: number }[] {
    const query = this.#db.query<{ vid: Vid; piece: number; inline: number }, [number]>(
      "SELECT vid, piece, data IS NOT NULL AS inline FROM piece WHERE trashed <= ? LIMIT 1000",
    );
    return this.#reading(() => query.all(wall));
  }

  /** Every piece that should be a file. */
  *files(): Generator<{ vid: Vid; piece: number }> {
    const query = this.#db.query<{ vid: Vid; piece: number }, []>(
      "SELECT vid, piece FROM piece WHERE data IS NULL",
    );
    yield* query.iterate();
  }

  /**
   * Pieces that were never read back, then those not read back since `wall`, the longest ago first.
   */
  due(wall: number, limit: number): DuePiece[] {
    // The query does not test `checked`: if none were due, SQLite would scan all of them.
    const query = this.#db.query<DuePiece & Pick<PieceRow, "checked">, [number]>(
      `SELECT vid, piece, space, name, bytes, created, checked FROM piece
       WHERE trashed IS NULL AND bad = 0 ORDER BY checked LIMIT ?`,
    );
    const first = this.#reading(() => query.all(limit));
    return first.filter(({ checked }) => checked === null || checked < wall);
  }

  /** Notes that this very piece was read back and is good. */
  setChecked({ vid, piece, created }: DuePiece, wall: number): void {
    this.#db
      .query("UPDATE piece SET checked = ? WHERE vid = ? AND piece = ? AND created = ?")
      .run(wall, vid, piece, created);
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
    const good = "FROM piece WHERE trashed IS NULL AND bad = 0";
    return {
      pieces: valueOf<number>(`count(*) AS n ${good}`),
      bad: valueOf<number>("count(*) AS n FROM piece WHERE bad <> 0 AND trashed IS NULL"),
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
