/**
 * Checks that the catalog is still what was written. Structure, schema and facts are checked when
 * it is opened. Rows, and the indexes of contents and of holdings against their tables, are checked
 * a part at a time, again and again while the server runs. Used by catalog.ts; scrub.ts drives it.
 */
import type { Database } from "bun:sqlite";
import { asDfsError } from "../../errors.ts";
import { mayBeStored } from "../../file/names.ts";
import { PIECES_MAX } from "../../limits.ts";
import { brokenCatalog } from "./group_commit.ts";
import { CONTENT_INDEXES } from "./contents.ts";
import { isWhole, SUM_BYTES } from "./row_sum.ts";

/** What a check reports, besides the errors that it throws. */
interface Findings {
  /** The record of a name does not verify. */
  damagedRegister(): void;
  /** A line for the operator. */
  warn(line: string): void;
}

/**
 * The columns of a content that the check looks at, besides its indexes. The root of a piece guards
 * the rest.
 */
interface CheckedRow {
  readonly id: number;
  readonly cid: Uint8Array;
  readonly piece: number;
  readonly space: string;
  readonly bad: number;
  readonly idle: number | null;
}

/** Where the check of the holdings is, and a row of them. */
interface HoldingKey {
  readonly space: string;
  readonly name: string;
  readonly cid: Uint8Array;
  readonly piece: number;
}
type HoldingRow = HoldingKey & { readonly bad: number };
/** It comes before all others. */
const FIRST_HOLDING: HoldingKey = { space: "", name: "", cid: new Uint8Array(), piece: -1 };

interface RegisterRow {
  readonly space: string;
  readonly name: string;
  readonly row: Uint8Array;
  readonly sum: Uint8Array;
}

const MEND_ROWS = 1000;
const ID_BYTES = 16;

/**
 * Throws DfsError("folder") on a database with a broken structure, with other tables than these, or
 * with a fact that does not verify.
 */
export function checkStructure(db: Database, schema: readonly string[]): void {
  const verdict = db.query<{ quick_check: string }, []>("PRAGMA quick_check(1)").get();
  // The first line only names the database.
  const why = verdict?.quick_check.replace(/^\*\*\*.*\n/, "").split("\n", 1)[0] ?? "no answer";
  if (why !== "ok") throw brokenCatalog(why);
  const known = new Set(schema.map((sql) => sql.replace(" IF NOT EXISTS", "")));
  const tables = db.query<{ name: string; sql: string | null }, []>(
    "SELECT name, sql FROM sqlite_schema",
  );
  for (const { name, sql } of tables.all())
    if (sql !== null && !known.has(sql))
      throw brokenCatalog(`its table or index ${name}, unless a newer dfs-tool made it`);
  const facts = db.query<{ key: string; value: Uint8Array }, []>("SELECT key, value FROM fact");
  for (const { key, value } of facts.all())
    if (!isWhole("", key, value.subarray(SUM_BYTES), value.subarray(0, SUM_BYTES)))
      throw brokenCatalog(`its record of "${key}" does not verify`);
}

export class CatalogCheck {
  readonly #db: Database;
  readonly #findings: Findings;
  readonly #rows;
  readonly #registers;
  readonly #holdings;
  readonly #heldIndex;
  /** Drops holdings of what is not here: else the server would tell of it, and nobody repair it. */
  readonly #dropUnfounded;
  readonly #indexes;
  /**
   * The last row of the contents that was checked; once they are done, the last holding; and once
   * these are done, the last name.
   */
  #row = 0;
  #holding: HoldingKey | null = null;
  #name: { space: string; name: string } | null = null;
  /** Is there a reason to check now? */
  isUrgent = false;
  /** At the start a file may be there whose content row is lost: it is adopted after the check. */
  #isStarting = true;
  /** Were the indexes rebuilt since the last pass over all of them? */
  #isMended = false;
  #wasMended = false;

  constructor(db: Database, findings: Findings) {
    this.#db = db;
    this.#findings = findings;
    this.#rows = db.query<CheckedRow, [number, number]>(
      `SELECT rowid AS id, cid, piece, space, bad, idle FROM content NOT INDEXED
       WHERE rowid > ? ORDER BY rowid LIMIT ?`,
    );
    this.#registers = db.query<RegisterRow, [string, string, number]>(
      `SELECT space, name, row, sum FROM register WHERE (space, name) > (?, ?)
       ORDER BY space, name LIMIT ?`,
    );
    const range = "(space, name, cid, piece) > (?1, ?2, ?3, ?4)";
    const order = "ORDER BY space, name, cid, piece LIMIT ?5";
    this.#holdings = db.query<HoldingRow, [string, string, Uint8Array, number, number]>(
      `SELECT space, name, cid, piece, bad FROM holding WHERE ${range} ${order}`,
    );
    // A damaged entry may match beside the right one, so rows are counted and not matches.
    this.#heldIndex = db.query<{ n: number }, [string, string, Uint8Array, number, number]>(
      `SELECT count(*) AS n FROM
       (SELECT space, name, cid, piece FROM holding WHERE ${range} ${order}) AS at
       WHERE EXISTS (SELECT 1 FROM holding AS entry INDEXED BY holding_by_content
       WHERE entry.cid = at.cid AND entry.piece = at.piece
       AND entry.space = at.space AND entry.name = at.name)`,
    );
    this.#dropUnfounded = db.query(
      `DELETE FROM holding WHERE cid = ?1 AND piece = ?2 AND NOT EXISTS
       (SELECT 1 FROM content WHERE cid = ?1 AND piece = ?2)`,
    );
    this.#indexes = CONTENT_INDEXES.map(({ name, isIn, match }) => ({
      isIn,
      found: db.query<{ n: number }, [number, number]>(
        `SELECT count(*) AS n FROM
         (SELECT rowid AS id, * FROM content NOT INDEXED WHERE rowid > ?1 ORDER BY rowid LIMIT ?2) AS at
         JOIN content AS entry INDEXED BY ${name} ON ${match} AND entry.rowid = at.id`,
      ),
    }));
  }

  /**
   * Checks the next `count` rows. Returns false after the last of all rows; the next call begins
   * again. Throws DfsError("folder").
   */
  step(count: number): boolean {
    if (this.#name === null) return this.#stepPieces(count);
    const rows = this.#registers.all(this.#name.space, this.#name.name, count);
    for (const { space, name, row, sum } of rows)
      if (!isWhole(space, name, row, sum)) this.#findings.damagedRegister();
    this.#name = rows.at(-1) ?? null;
    if (this.#name === null) this.isUrgent = false;
    return this.#name !== null;
  }

  /** Makes the check begin again, soon. */
  restartSoon(): void {
    this.#row = 0;
    this.#holding = null;
    this.#name = null;
    this.isUrgent = true;
  }

  /** Checks all pieces, until `isOver` says that it takes too long. Throws DfsError("folder"). */
  begin(count: number, isOver: () => boolean): void {
    while (this.#name === null && !isOver()) this.#stepPieces(count);
  }

  /**
   * The start is over, and what lies on the disk is known. With `isSuspect`, or where something was
   * put right, holdings of what is not here end.
   */
  endStart(isSuspect: boolean): void {
    this.#isStarting = false;
    if (!isSuspect && !this.#wasMended) return;
    this.#db.run(
      `DELETE FROM holding WHERE NOT EXISTS
       (SELECT 1 FROM content WHERE content.cid = holding.cid AND content.piece = holding.piece)`,
    );
  }

  #stepPieces(count: number): true {
    if (this.#holding !== null) return this.#stepHoldings(this.#holding, count);
    const rows = this.#rows.all(this.#row, count);
    const isSound = rows.every(isPiece) && this.#areIndexed(rows, count);
    if (!isSound) this.mend();
    else if (rows.length > 0) this.#row = rows.at(-1)?.id ?? 0;
    else this.#holding = FIRST_HOLDING;
    return true;
  }

  #stepHoldings({ space, name, cid, piece }: HoldingKey, count: number): true {
    const rows = this.#holdings.all(space, name, cid, piece, count);
    const found = this.#heldIndex.get(space, name, cid, piece, count)?.n ?? 0;
    if (found !== rows.length || !rows.every(isHolding)) this.mend();
    else if (rows.length > 0) {
      if (!this.#isStarting) for (const row of rows) this.#dropUnfounded.run(row.cid, row.piece);
      this.#holding = rows.at(-1) ?? FIRST_HOLDING;
    } else {
      this.#row = 0;
      this.#holding = null;
      this.#isMended = false;
      // The first of all names: that of the configuration.
      this.#name = { space: "", name: "" };
    }
    return true;
  }

  /** Is each of these rows found through each index that should contain it? */
  #areIndexed(rows: readonly CheckedRow[], count: number): boolean {
    return this.#indexes.every(
      ({ isIn, found }) => (found.get(this.#row, count)?.n ?? 0) === rows.filter(isIn).length,
    );
  }

  /**
   * Rebuilds the indexes from their tables, and drops rows that this program cannot have written.
   * Repair handles the loss like that of any missing piece, or of
   * any piece that nobody needs. Throws DfsError("folder") if rebuilding does not help.
   */
  mend(): void {
    if (this.#isMended) throw brokenCatalog("its list of pieces");
    this.#isMended = true;
    this.#wasMended = true;
    let dropped = 0;
    try {
      this.#db.run("BEGIN IMMEDIATE");
      this.#db.run("REINDEX content");
      this.#db.run("REINDEX holding");
      dropped = this.#dropStrayContents() + this.#dropStrayHoldings();
      this.#db.run("COMMIT");
    } catch (error) {
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      throw brokenCatalog(`its list of pieces; ${asDfsError(error).message}`);
    }
    this.#row = 0;
    this.#holding = null;
    this.#findings.warn(
      `the catalog's list of pieces was damaged, and is put right${dropped > 0 ? ` (${dropped} records were lost)` : ""}: see to the disk, and run dfs-tool repair`,
    );
  }

  #dropStrayContents(): number {
    const drop = this.#db.query<unknown, [number]>("DELETE FROM content WHERE rowid = ?");
    let dropped = 0;
    for (let at = 0; ;) {
      const rows = this.#rows.all(at, MEND_ROWS);
      for (const row of rows.filter((one) => !isPiece(one))) {
        drop.run(row.id);
        dropped++;
      }
      if (rows.length === 0) return dropped;
      at = rows.at(-1)?.id ?? 0;
    }
  }

  #dropStrayHoldings(): number {
    const drop = this.#db.query<unknown, [string, string, Uint8Array, number]>(
      "DELETE FROM holding WHERE space = ? AND name = ? AND cid = ? AND piece = ?",
    );
    let dropped = 0;
    for (let at = FIRST_HOLDING; ;) {
      const rows = this.#holdings.all(at.space, at.name, at.cid, at.piece, MEND_ROWS);
      for (const row of rows.filter((one) => !isHolding(one))) {
        drop.run(row.space, row.name, row.cid, row.piece);
        dropped++;
      }
      const last = rows.at(-1);
      if (!last) return dropped;
      at = last;
    }
  }
}

/** Can this row have been written by this program? */
const isHolding = (row: HoldingRow): boolean => isPiece(row) && mayBeStored(row.name);

const isPiece = ({ cid, piece, space, bad }: Omit<HoldingRow, "name">): boolean =>
  // Damage may have made a text of it.
  cid instanceof Uint8Array &&
  cid.length === ID_BYTES &&
  piece >= 0 &&
  piece < PIECES_MAX &&
  (bad === 0 || bad === 1) &&
  space.startsWith("u:");
