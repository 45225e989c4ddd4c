/**
 * A server's catalog: its registers, what names hold, its contents, and a few facts about the
 * server itself. All SQL is in this folder, but for a few statements of the start (identity.ts,
 * recover.ts). Changes go through `write`, which puts many requests into one durable transaction.
 * Used by all of the store.
 */
import type { StoredName } from "../../file/names.ts";
import type { Database } from "bun:sqlite";
import { concat, decode, encode } from "../../bytes.ts";
import { DfsError } from "../../errors.ts";
import type { Clock, Notify } from "../../io/ports.ts";
import { CHECK_ROWS, START_CHECK_MS } from "../../limits.ts";
import { type Cid, type Register, registerCodec } from "../../version.ts";
import { CatalogCheck, checkStructure } from "./catalog_check.ts";
import { CONTENT_SCHEMA, ContentTable } from "./contents.ts";
import { recordDamaged, trouble } from "./findings.ts";
import { FLOOR_SCHEMA, Floors } from "./floors.ts";
import {
  brokenCatalog,
  GroupCommit,
  PULSE_SCHEMA,
  type Reading,
  readingFrom,
} from "./group_commit.ts";
import { HOLDING_SCHEMA, HoldingTable } from "./holdings.ts";
import { isWhole, rowSum, SUM_BYTES } from "./row_sum.ts";

/** `epoch` is that of the configuration by which the server went when it wrote the row. */
export const REGISTER_SCHEMA = `CREATE TABLE IF NOT EXISTS register (space TEXT, name TEXT,
   epoch INTEGER NOT NULL, row BLOB NOT NULL, sum BLOB NOT NULL,
   PRIMARY KEY (space, name)) STRICT, WITHOUT ROWID`;
const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS fact (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
  REGISTER_SCHEMA,
  ...FLOOR_SCHEMA,
  ...CONTENT_SCHEMA,
  ...HOLDING_SCHEMA,
  PULSE_SCHEMA,
];

/**
 * Makes the tables that are missing. A database with other tables than these stays as it is, for a
 * newer program may have made it. Throws DfsError("folder").
 */
function makeTables(db: Database): void {
  db.run("BEGIN IMMEDIATE");
  try {
    for (const sql of SCHEMA) db.run(sql);
    checkStructure(db, SCHEMA);
    db.run("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.run("ROLLBACK");
    throw error;
  }
}

/** A register as stored in its table. */
interface StoredRow {
  readonly row: Uint8Array;
  readonly sum: Uint8Array;
}

/**
 * A name on a page, and its register. The register is null if the server knows only pending
 * versions of the name.
 */
interface PageRow {
  readonly name: StoredName;
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
  readonly contents: ContentTable;
  readonly holdings: HoldingTable;
  readonly floors: Floors;
  readonly check: CatalogCheck;
  #damaged = false;

  /**
   * Opens the catalog in this database, which may be empty. `die` is called after an error that
   * forbids any further answer.
   */
  constructor(db: Database, clock: Clock, die: (error: DfsError) => void, notify: Notify) {
    this.#db = db;
    this.#reading = readingFrom(db, die);
    db.run("PRAGMA locking_mode=EXCLUSIVE");
    db.run("PRAGMA journal_mode=WAL");
    db.run("PRAGMA synchronous=FULL");
    // What the last process wrote must be durable before anything is answered from it.
    this.checkpoint();
    makeTables(db);
    this.#group = new GroupCommit(db, clock, () => this.floors.recall(), die);
    this.#register = db.query<StoredRow, [string, string]>(
      "SELECT row, sum FROM register WHERE space = ? AND name = ?",
    );
    this.#putRegister = db.query(
      "INSERT OR REPLACE INTO register (space, name, epoch, row, sum) VALUES (?, ?, ?, ?, ?)",
    );
    this.#dropRegister = db.query("DELETE FROM register WHERE space = ? AND name = ?");
    // The range has one lower bound. With two bounds SQLite would use the worse one in its index,
    // and would look at all names before the page.
    const range = "space = ?1 AND name >= max(?2, ?3) AND name <> ?2";
    this.#page = db.query<PageRow, [string, string, string, number]>(
      `SELECT name, row, sum FROM register WHERE ${range} ORDER BY name LIMIT ?4`,
    );
    this.#pageOfAll = db.query<PageRow, [string, string, string, number]>(
      `SELECT page.name, row, sum FROM
       (SELECT name FROM register WHERE ${range}
        UNION SELECT name FROM entry WHERE ${range} ORDER BY name LIMIT ?4) AS page
       LEFT JOIN register ON register.space = ?1 AND register.name = page.name ORDER BY page.name`,
    );
    // Each minimum is one step in an index, however many names a space has.
    this.#nextSpace = db.query<{ space: string | null }, [string]>(
      `SELECT min(space) AS space FROM (SELECT min(space) AS space FROM register WHERE space > ?1
       UNION ALL SELECT min(space) FROM entry WHERE space > ?1)`,
    );
    this.contents = new ContentTable(db, this.#reading, notify);
    this.holdings = new HoldingTable(db, this.#reading, () => this.check.restartSoon());
    this.check = new CatalogCheck(db, {
      damagedRegister: () => {
        if (!this.#damaged) notify(recordDamaged);
        this.#damaged = true;
      },
      warn: (line) => notify(trouble("catalog-mended", line)),
    });
    this.#inspect(clock);
    this.floors = new Floors(db, this, (space, floor) => rowSum(space, "", floor));
  }

  /** Runs `work` in the next transaction; see GroupCommit. */
  write<T>(durable: boolean, work: () => T): Promise<T> {
    return this.#group.write(durable, work);
  }

  /** Sets the function that makes room when the disk is full. */
  setRelief(relief: () => Promise<boolean>): void {
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

  /**
   * Was a damaged row seen? It may be the row of any name, so from then on no name is known to be
   * absent.
   */
  get isDamaged(): boolean {
    return this.#damaged;
  }

  /**
   * Reads everything that has a sum, and checks the pieces for a limited time; `check` goes on with
   * the rest later. Throws DfsError("folder") on a database that cannot be served.
   */
  #inspect(clock: Clock): void {
    const rows = this.#db.query<{ space: string; name: StoredName } & StoredRow, []>(
      "SELECT space, name, row, sum FROM register",
    );
    for (const { space, name, row, sum } of rows.iterate())
      if (!isWhole(space, name, row, sum)) this.#damaged = true;
    const until = clock.now() + START_CHECK_MS;
    this.check.begin(CHECK_ROWS, () => clock.now() >= until);
  }

  /**
   * The row of a name, or null if it has none. Throws DfsError("damaged") if that cannot be told.
   */
  register(space: string, name: StoredName): Register | null {
    const found = this.#reading(() => this.#register.get(space, name));
    if (this.#isSound(space, name, found?.row ?? null, found?.sum ?? null))
      return found && decode(registerCodec, found.row);
    throw new DfsError("damaged", `${name}: this server's record of it is damaged`);
  }

  /** Is this row what was stored? Or, without a row: is it certain that there never was one? */
  #isSound(
    space: string,
    name: StoredName,
    row: Uint8Array | null,
    sum: Uint8Array | null,
  ): boolean {
    const isSound = row && sum ? isWhole(space, name, row, sum) : !this.#damaged;
    this.#damaged ||= !isSound;
    return isSound;
  }

  /** `epoch` is the one at which the server writes it. */
  putRegister(space: string, name: StoredName, row: Register, epoch: number): void {
    const bytes = encode(registerCodec, row);
    this.#putRegister.run(space, name, epoch, bytes, rowSum(space, name, bytes));
  }

  dropRegister(space: string, name: StoredName): void {
    this.#dropRegister.run(space, name);
  }

  /**
   * Up to `limit` names of a space, in byte order, after `after` and not before `from`, each with
   * the bytes of its register. With `everything`, also the names that only have pending versions;
   * they have no register.
   */
  page(
    space: string,
    after: string,
    from: string,
    limit: number,
    everything: boolean,
  ): { name: StoredName; register: Uint8Array | "damaged" | null }[] {
    const query = everything ? this.#pageOfAll : this.#page;
    const rows = this.#reading(() => query.all(space, after, from, limit));
    return rows.map(({ name, row, sum }) => ({
      name,
      register: this.#isSound(space, name, row, sum) ? row : "damaged",
    }));
  }

  /** A piece is gone from the disk: nobody holds it any more. To be called in a transaction. */
  dropPiece(cid: Cid, piece: number): void {
    this.contents.drop(cid, piece);
    this.holdings.dropPiece(cid, piece);
  }

  /** Up to `limit` spaces after `after`, in byte order. */
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

  /**
   * Copies the whole log into the database. It does not cut the log: an empty log counts as a lost
   * one (identity.ts).
   */
  checkpoint(): void {
    this.#db.run("PRAGMA wal_checkpoint(FULL)");
  }

  /** Ends in order: a later start finds everything in the database, without the log. */
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
