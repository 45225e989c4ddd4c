/**
 * A server's catalog: all SQL there is. Registers, the pieces held, small pieces themselves, and the server's own
 * few facts. Changes go through `write`, which puts many requests into one durable transaction.
 */
import type { Database } from "bun:sqlite";
import { decode, encode } from "../bytes.ts";
import { asDfsError, DfsError, isDfsError } from "../errors.ts";
import type { Clock } from "../io/ports.ts";
import {
  type Ballot,
  ballotCodec,
  NO_BALLOT,
  type Register,
  registerCodec,
  type Vid,
} from "../version.ts";

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
  `CREATE TABLE IF NOT EXISTS register (space TEXT, name TEXT, row BLOB NOT NULL, sum BLOB NOT NULL,
   PRIMARY KEY (space, name)) WITHOUT ROWID`,
  `CREATE TABLE IF NOT EXISTS piece (vid TEXT, piece INTEGER, space TEXT NOT NULL, name TEXT NOT NULL,
   bytes INTEGER NOT NULL, root BLOB NOT NULL, data BLOB, bad INTEGER NOT NULL DEFAULT 0, trashed INTEGER,
   PRIMARY KEY (vid, piece))`,
  "CREATE INDEX IF NOT EXISTS piece_by_name ON piece (space, name)",
  "CREATE INDEX IF NOT EXISTS piece_by_trash ON piece (trashed) WHERE trashed IS NOT NULL",
];

/** A piece that this server holds; `data` is null where it is a file. */
export interface PieceRow {
  readonly vid: Vid;
  readonly piece: number;
  readonly space: string;
  readonly name: string;
  readonly bytes: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array | null;
  readonly bad: number;
  /** When it went into the trash, in milliseconds since 1970. */
  readonly trashed: number | null;
}

interface Job {
  readonly durable: boolean;
  readonly run: () => () => void;
  readonly fail: (error: DfsError) => void;
}

export class Catalog {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #die: (error: DfsError) => void;
  readonly #register;
  readonly #putRegister;
  readonly #dropRegister;
  readonly #page;
  readonly #piece;
  readonly #piecesOfVid;
  readonly #piecesOfName;
  #jobs: Job[] = [];
  #dead = false;
  #floor: Ballot;

  /** Opens the catalog in this database, empty or not; `die` is told of an error after which nothing may be answered. */
  constructor(db: Database, clock: Clock, die: (error: DfsError) => void) {
    this.#db = db;
    this.#clock = clock;
    this.#die = die;
    db.run("PRAGMA locking_mode=EXCLUSIVE");
    db.run("PRAGMA journal_mode=WAL");
    db.run("PRAGMA synchronous=FULL");
    // What the last process wrote must be durable before anything is answered from it.
    db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    for (const sql of SCHEMA) db.run(sql);
    this.#register = db.query<{ row: Uint8Array; sum: Uint8Array }, [string, string]>(
      "SELECT row, sum FROM register WHERE space = ? AND name = ?",
    );
    this.#putRegister = db.query(
      "INSERT OR REPLACE INTO register (space, name, row, sum) VALUES (?, ?, ?, ?)",
    );
    this.#dropRegister = db.query("DELETE FROM register WHERE space = ? AND name = ?");
    this.#page = db.query<{ name: string }, [string, string, string, number]>(
      "SELECT name FROM register WHERE space = ? AND name > ? AND name >= ? ORDER BY name LIMIT ?",
    );
    this.#piece = db.query<PieceRow, [string, number]>(
      "SELECT * FROM piece WHERE vid = ? AND piece = ?",
    );
    this.#piecesOfVid = db.query<{ piece: number }, [string]>(
      "SELECT piece FROM piece WHERE vid = ? AND bad = 0 AND trashed IS NULL ORDER BY piece",
    );
    this.#piecesOfName = db.query<{ vid: Vid; piece: number }, [string, string]>(
      "SELECT vid, piece FROM piece WHERE space = ? AND name = ? AND bad = 0 AND trashed IS NULL ORDER BY vid, piece",
    );
    const floor = this.fact("floor");
    this.#floor = floor ? decode(ballotCodec, floor) : NO_BALLOT;
  }

  /**
   * Runs `work` in the next transaction, with all others that wait, and resolves to its result once that is durable
   * (`durable` false: once it is done; a crash may undo it). `work` must throw, if at all, before it changes anything.
   */
  write<T>(durable: boolean, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = (): (() => void) => {
        try {
          const value = work();
          return () => resolve(value);
        } catch (error) {
          if (!isDfsError(error)) throw error;
          return () => reject(error);
        }
      };
      this.#jobs.push({ durable, run, fail: reject });
      if (this.#jobs.length === 1) this.#clock.after(0, () => this.#flush());
    });
  }

  #flush(): void {
    const jobs = this.#jobs;
    this.#jobs = [];
    if (this.#dead) return;
    const done: (() => void)[] = [];
    try {
      this.#db.run(`PRAGMA synchronous=${jobs.some((job) => job.durable) ? "FULL" : "NORMAL"}`);
      this.#db.run("BEGIN IMMEDIATE");
      for (const job of jobs) done.push(job.run());
      this.#db.run("COMMIT");
    } catch (error) {
      this.#failed(jobs, error);
      return;
    }
    for (const tell of done) tell();
  }

  /** A full disk undoes the transaction and is said. After any other error nobody knows what is durable. */
  #failed(jobs: readonly Job[], error: unknown): void {
    const code = error instanceof Error ? (error as Error & { code?: string }).code : undefined;
    if (code === "SQLITE_FULL") {
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      this.#floor = this.#readFloor();
      const full = new DfsError("noRoom", "the disk of the catalog is full");
      for (const job of jobs) job.fail(full);
      return;
    }
    this.#dead = true;
    this.#die(
      new DfsError("failed", `the catalog cannot be written: ${asDfsError(error).message}`),
    );
  }

  #readFloor(): Ballot {
    const floor = this.fact("floor");
    return floor ? decode(ballotCodec, floor) : NO_BALLOT;
  }

  fact(key: string): Uint8Array | null {
    const query = this.#db.query<{ value: Uint8Array }, [string]>(
      "SELECT value FROM fact WHERE key = ?",
    );
    return query.get(key)?.value ?? null;
  }

  setFact(key: string, value: Uint8Array): void {
    this.#db.query("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)").run(key, value);
  }

  /** No ballot up to this one counts for a name that has no row. */
  get floor(): Ballot {
    return this.#floor;
  }

  raiseFloor(to: Ballot): void {
    if (to <= this.#floor) return;
    this.#floor = to;
    this.setFact("floor", encode(ballotCodec, to));
  }

  /** The row of a name, null when there is none; throws DfsError("damaged") on one that does not verify. */
  register(space: string, name: string): Register | null {
    const found = this.#register.get(space, name);
    if (!found) return null;
    if (Buffer.compare(rowSum(space, name, found.row), found.sum) !== 0)
      throw new DfsError("damaged", `${name}: this server's record of it is damaged`);
    return decode(registerCodec, found.row);
  }

  putRegister(space: string, name: string, row: Register): void {
    const bytes = encode(registerCodec, row);
    this.#putRegister.run(space, name, bytes, rowSum(space, name, bytes));
  }

  dropRegister(space: string, name: string): void {
    this.#dropRegister.run(space, name);
  }

  /** Up to `limit` names of a space that come after `after` and not before `from`, in byte order. */
  namesAfter(space: string, after: string, from: string, limit: number): string[] {
    return this.#page.all(space, after, from, limit).map((row) => row.name);
  }

  piece(vid: Vid, piece: number): PieceRow | null {
    return this.#piece.get(vid, piece);
  }

  /** The good pieces of a version. */
  piecesOf(vid: Vid): number[] {
    return this.#piecesOfVid.all(vid).map((row) => row.piece);
  }

  /** The good pieces of all versions of a name that are not in the trash. */
  piecesOfName(space: string, name: string): { vid: Vid; pieces: number[] }[] {
    const held: { vid: Vid; pieces: number[] }[] = [];
    for (const { vid, piece } of this.#piecesOfName.all(space, name)) {
      const last = held.at(-1);
      if (last?.vid === vid) last.pieces.push(piece);
      else held.push({ vid, pieces: [piece] });
    }
    return held;
  }

  putPiece(row: Omit<PieceRow, "bad" | "trashed">): void {
    this.#db
      .query(
        "INSERT OR REPLACE INTO piece (vid, piece, space, name, bytes, root, data) VALUES (?, ?, ?, ?, ?, ?, ?)",
      )
      .run(row.vid, row.piece, row.space, row.name, row.bytes, row.root, row.data);
  }

  markBad(vid: Vid, piece: number): void {
    this.#db.query("UPDATE piece SET bad = 1 WHERE vid = ? AND piece = ?").run(vid, piece);
  }

  dropPiece(vid: Vid, piece: number): void {
    this.#db.query("DELETE FROM piece WHERE vid = ? AND piece = ?").run(vid, piece);
  }

  /** Puts all pieces of a version into the trash. */
  trash(vid: Vid, wall: number): void {
    this.#db.query("UPDATE piece SET trashed = ? WHERE vid = ? AND trashed IS NULL").run(wall, vid);
  }

  /** Pieces that went into the trash at `wall` or before. */
  trashedUntil(wall: number): { vid: Vid; piece: number; inline: number }[] {
    return this.#db
      .query<{ vid: Vid; piece: number; inline: number }, [number]>(
        "SELECT vid, piece, data IS NOT NULL AS inline FROM piece WHERE trashed <= ? LIMIT 1000",
      )
      .all(wall);
  }

  /** Every piece that should be a file. */
  *filePieces(): Generator<{ vid: Vid; piece: number }> {
    const query = this.#db.query<{ vid: Vid; piece: number }, []>(
      "SELECT vid, piece FROM piece WHERE data IS NULL",
    );
    yield* query.iterate();
  }

  close(): void {
    this.#dead = true;
    this.#db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#db.close();
  }
}

/** Guards a register's row against bit rot, and against standing under another name. */
function rowSum(space: string, name: string, row: Uint8Array): Uint8Array {
  const sum = new Uint8Array(8);
  const mixed = Bun.hash.xxHash3(row) ^ Bun.hash.xxHash3(`${space}\0${name}`, 1n);
  new DataView(sum.buffer).setBigUint64(0, mixed);
  return sum;
}
