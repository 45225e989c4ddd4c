/**
 * A server's catalog, with `piece_table.ts` all SQL there is: registers, the pieces held, and the server's own few facts.
 * Changes go through `write`, which puts many requests into one durable transaction.
 */
import type { Database } from "bun:sqlite";
import { concat, decode, encode } from "../../bytes.ts";
import { DfsError } from "../../errors.ts";
import type { Clock, Tell } from "../../io/ports.ts";
import { CHECK_ROWS, START_CHECK_MS } from "../../limits.ts";
import { type Register, registerCodec } from "../../version.ts";
import { CatalogCheck, checkStructure } from "./catalog_check.ts";
import { recordDamaged, trouble } from "./findings.ts";
import { FLOOR_SCHEMA, Floors } from "./floors.ts";
import {
  brokenCatalog,
  GroupCommit,
  PULSE_SCHEMA,
  type Reading,
  readingFrom,
} from "./group_commit.ts";
import { PIECE_SCHEMA, PieceTable } from "./piece_table.ts";
import { isWhole, rowSum, SUM_BYTES } from "./row_sum.ts";

const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
  `CREATE TABLE IF NOT EXISTS register (space TEXT, name TEXT, row BLOB NOT NULL, sum BLOB NOT NULL,
   PRIMARY KEY (space, name)) STRICT, WITHOUT ROWID`,
];

/** A register as it lies in its table. */
interface StoredRow {
  readonly row: Uint8Array;
  readonly sum: Uint8Array;
}

/** A name of a page, and its register; none: there are only pieces of it. */
interface PageRow {
  readonly name: string;
  readonly row: Uint8Array | null;
  readonly sum: Uint8Array | null;
}

export class Catalog {
  readonly #db: Database;
  readonly #group: GroupCommit;
  readonly #reading: Reading;
  readonly #register;
  readonly #putRegister;
  readonly #dropRegister;
  readonly #page;
  readonly #pageOfAll;
  readonly #nextSpace;
  readonly pieces: PieceTable;
  readonly floors: Floors;
  readonly check: CatalogCheck;
  #damaged = false;

  /** Opens the catalog in this database, empty or not; `die` is told of an error after which nothing may be answered. */
  constructor(db: Database, clock: Clock, die: (error: DfsError) => void, tell: Tell) {
    this.#db = db;
    this.#reading = readingFrom(db, die);
    this.#group = new GroupCommit(db, clock, () => this.floors.recall(), die);
    db.run("PRAGMA locking_mode=EXCLUSIVE");
    db.run("PRAGMA journal_mode=WAL");
    db.run("PRAGMA synchronous=FULL");
    // What the last process wrote must be durable before anything is answered from it.
    this.checkpoint();
    for (const sql of [...SCHEMA, ...FLOOR_SCHEMA, ...PIECE_SCHEMA]) db.run(sql);
    this.#register = db.query<StoredRow, [string, string]>(
      "SELECT row, sum FROM register WHERE space = ? AND name = ?",
    );
    this.#putRegister = db.query(
      "INSERT OR REPLACE INTO register (space, name, row, sum) VALUES (?, ?, ?, ?)",
    );
    this.#dropRegister = db.query("DELETE FROM register WHERE space = ? AND name = ?");
    // One bound, for of two an index uses the worse one, and looks at all names before a page.
    const range = "space = ?1 AND name >= max(?2, ?3) AND name <> ?2";
    this.#page = db.query<PageRow, [string, string, string, number]>(
      `SELECT name, row, sum FROM register WHERE ${range} ORDER BY name LIMIT ?4`,
    );
    this.#pageOfAll = db.query<PageRow, [string, string, string, number]>(
      `SELECT page.name, row, sum FROM
       (SELECT name FROM register WHERE ${range}
        UNION SELECT name FROM piece WHERE ${range} AND trashed IS NULL ORDER BY name LIMIT ?4) AS page
       LEFT JOIN register ON register.space = ?1 AND register.name = page.name ORDER BY page.name`,
    );
    // Each is one step in an index, however many names a space has.
    this.#nextSpace = db.query<{ space: string | null }, [string]>(
      `SELECT min(space) AS space FROM (SELECT min(space) AS space FROM register WHERE space > ?1
       UNION ALL SELECT min(space) FROM piece WHERE space > ?1)`,
    );
    this.pieces = new PieceTable(db, this.#reading, tell, () => this.check.hurry());
    this.check = new CatalogCheck(db, {
      damagedRegister: () => {
        if (!this.#damaged) tell(recordDamaged);
        this.#damaged = true;
      },
      warn: (line) => tell(trouble("catalog-mended", line)),
    });
    this.#inspect(clock);
    this.floors = new Floors(db, this, (space, floor) => rowSum(space, "", floor));
  }

  /** Runs `work` in the next transaction; see GroupCommit. */
  write<T>(durable: boolean, work: () => T): Promise<T> {
    return this.#group.write(durable, work);
  }

  /** Says what makes room where the disk is full. */
  relieveBy(relief: () => Promise<boolean>): void {
    this.#group.relief = relief;
  }

  fact(key: string): Uint8Array | null {
    const query = this.#db.query<{ value: Uint8Array }, [string]>(
      "SELECT value FROM fact WHERE key = ?",
    );
    const found = this.#reading(() => query.get(key))?.value;
    if (!found) return null;
    const value = found.subarray(SUM_BYTES);
    if (!isWhole("", key, value, found.subarray(0, SUM_BYTES)))
      throw brokenCatalog(`its record of "${key}" does not verify`);
    return value;
  }

  setFact(key: string, value: Uint8Array): void {
    this.#db
      .query("INSERT OR REPLACE INTO fact (key, value) VALUES (?, ?)")
      .run(key, concat([rowSum("", key, value), value]));
  }

  dropFact(key: string): void {
    this.#db.query("DELETE FROM fact WHERE key = ?").run(key);
  }

  /** Was a damaged row seen? It may stand for any name, so that no name is known to be absent. */
  get isDamaged(): boolean {
    return this.#damaged;
  }

  /**
   * Reads all that is guarded, and looks at the pieces for a while: what is left of them `check` has its turn at. Throws DfsError("folder")
   * on a database that cannot be served.
   */
  #inspect(clock: Clock): void {
    checkStructure(this.#db, [...SCHEMA, ...FLOOR_SCHEMA, ...PIECE_SCHEMA, PULSE_SCHEMA]);
    const rows = this.#db.query<{ space: string; name: string } & StoredRow, []>(
      "SELECT * FROM register",
    );
    for (const { space, name, row, sum } of rows.iterate())
      if (!isWhole(space, name, row, sum)) this.#damaged = true;
    const until = clock.now() + START_CHECK_MS;
    this.check.begin(CHECK_ROWS, () => clock.now() >= until);
  }

  /** The row of a name, null when there is none; throws DfsError("damaged") where that cannot be told. */
  register(space: string, name: string): Register | null {
    const found = this.#reading(() => this.#register.get(space, name));
    if (this.#isSound(space, name, found?.row ?? null, found?.sum ?? null))
      return found && decode(registerCodec, found.row);
    throw new DfsError("damaged", `${name}: this server's record of it is damaged`);
  }

  /** Is that what was stored? Or if there is none, was there never one? */
  #isSound(space: string, name: string, row: Uint8Array | null, sum: Uint8Array | null): boolean {
    const isSound = row && sum ? isWhole(space, name, row, sum) : !this.#damaged;
    this.#damaged ||= !isSound;
    return isSound;
  }

  putRegister(space: string, name: string, row: Register): void {
    const bytes = encode(registerCodec, row);
    this.#putRegister.run(space, name, bytes, rowSum(space, name, bytes));
  }

  dropRegister(space: string, name: string): void {
    this.#dropRegister.run(space, name);
  }

  /**
   * Up to `limit` names of a space after `after` and not before `from`, in byte order, each with the bytes of its register; with
   * `everything` those of mere pieces too, which have none.
   */
  page(
    space: string,
    after: string,
    from: string,
    limit: number,
    everything: boolean,
  ): { name: string; register: Uint8Array | "damaged" | null }[] {
    const query = everything ? this.#pageOfAll : this.#page;
    const rows = this.#reading(() => query.all(space, after, from, limit));
    return rows.map(({ name, row, sum }) => ({
      name,
      register: this.#isSound(space, name, row, sum) ? row : "damaged",
    }));
  }

  /** Up to `limit` spaces after one, in byte order. */
  spacesAfter(after: string, limit: number): string[] {
    const spaces: string[] = [];
    while (spaces.length < limit) {
      const last = spaces.at(-1) ?? after;
      const space = this.#reading(() => this.#nextSpace.get(last))?.space;
      if (space === null || space === undefined) break;
      spaces.push(space);
    }
    return spaces;
  }

  /** Brings all that stands in the log into the database. The log is not cut: one that is empty is one that was lost (identity.ts). */
  checkpoint(): void {
    this.#db.run("PRAGMA wal_checkpoint(FULL)");
  }

  /** An orderly end: whoever opens it finds all there is, without the log. */
  close(): void {
    this.#group.close();
    this.checkpoint();
    this.#db.run("PRAGMA synchronous=FULL");
    this.#db.run("BEGIN IMMEDIATE");
    this.dropFact("inUse");
    this.#db.run("COMMIT");
    this.#db.run("PRAGMA wal_checkpoint(TRUNCATE)");
    this.#db.close();
  }
}
