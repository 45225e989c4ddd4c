/**
 * Checks that the catalog is still what was written. Structure, schema and facts are checked when
 * it is opened. Rows, and the indexes of pieces against their table, are checked a part at a time,
 * again and again while the server runs. Used by catalog.ts; scrub.ts drives it.
 */
import type { Database } from "bun:sqlite";
import { asDfsError } from "../../errors.ts";
import { mayBeStored } from "../../file/names.ts";
import { PIECES_MAX } from "../../limits.ts";
import { brokenCatalog } from "./group_commit.ts";
import { PIECE_INDEXES } from "./piece_table.ts";
import { isWhole, SUM_BYTES } from "./row_sum.ts";

/** What a check reports, besides the errors that it throws. */
interface Findings {
  /** The record of a name does not verify. */
  damagedRegister(): void;
  /** A line for the operator. */
  warn(line: string): void;
}

/**
 * The columns of a piece that the check looks at, besides its indexes. The root of the piece guards
 * the rest.
 */
interface CheckedRow {
  readonly id: number;
  readonly vid: string;
  readonly piece: number;
  readonly space: string;
  readonly name: string;
  readonly bad: number;
  readonly trashed: number | null;
}

interface RegisterRow {
  readonly space: string;
  readonly name: string;
  readonly row: Uint8Array;
  readonly sum: Uint8Array;
}

const MEND_ROWS = 1000;

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
  readonly #indexes;
  /** The last row of the pieces that was checked; and, once all pieces are done, the last name. */
  #row = 0;
  #name: { space: string; name: string } | null = null;
  /** Is there a reason to check now? */
  isUrgent = false;
  /** Were the indexes rebuilt since the last pass over all of them? */
  #isMended = false;

  constructor(db: Database, findings: Findings) {
    this.#db = db;
    this.#findings = findings;
    this.#rows = db.query<CheckedRow, [number, number]>(
      `SELECT rowid AS id, vid, piece, space, name, bad, trashed FROM piece NOT INDEXED
       WHERE rowid > ? ORDER BY rowid LIMIT ?`,
    );
    this.#registers = db.query<RegisterRow, [string, string, number]>(
      `SELECT space, name, row, sum FROM register WHERE (space, name) > (?, ?)
       ORDER BY space, name LIMIT ?`,
    );
    this.#indexes = PIECE_INDEXES.map(({ name, isIn, match }) => ({
      isIn,
      found: db.query<{ n: number }, [number, number]>(
        `SELECT count(*) AS n FROM
         (SELECT rowid AS id, * FROM piece NOT INDEXED WHERE rowid > ?1 ORDER BY rowid LIMIT ?2) AS at
         JOIN piece AS entry INDEXED BY ${name} ON ${match} AND entry.rowid = at.id`,
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
    this.#name = null;
    this.isUrgent = true;
  }

  /** Checks all pieces, until `isOver` says that it takes too long. Throws DfsError("folder"). */
  begin(count: number, isOver: () => boolean): void {
    while (this.#name === null && !isOver()) this.#stepPieces(count);
  }

  #stepPieces(count: number): true {
    const rows = this.#rows.all(this.#row, count);
    const isSound = rows.every(isPiece) && this.#areIndexed(rows, count);
    if (!isSound) this.mend();
    else if (rows.length > 0) this.#row = rows.at(-1)?.id ?? 0;
    else {
      this.#row = 0;
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
   * Rebuilds the indexes from the table, and drops rows that cannot be pieces. Repair handles the
   * loss like that of any missing piece, or of any piece that nobody needs. Throws
   * DfsError("folder") if rebuilding does not help.
   */
  mend(): void {
    if (this.#isMended) throw brokenCatalog("its list of pieces");
    this.#isMended = true;
    let dropped = 0;
    try {
      this.#db.run("BEGIN IMMEDIATE");
      this.#db.run("REINDEX piece");
      const drop = this.#db.query<unknown, [number]>("DELETE FROM piece WHERE rowid = ?");
      for (let at = 0; ;) {
        const rows = this.#rows.all(at, MEND_ROWS);
        for (const row of rows) {
          if (isPiece(row)) continue;
          drop.run(row.id);
          dropped++;
        }
        if (rows.length === 0) break;
        at = rows.at(-1)?.id ?? 0;
      }
      this.#db.run("COMMIT");
    } catch (error) {
      if (this.#db.inTransaction) this.#db.run("ROLLBACK");
      throw brokenCatalog(`its list of pieces; ${asDfsError(error).message}`);
    }
    this.#row = 0;
    this.#findings.warn(
      `the catalog's list of pieces was damaged, and is put right${dropped > 0 ? ` (${dropped} records were lost)` : ""}: see to the disk, and run dfs-tool repair`,
    );
  }
}

/** Can this row have been written by this program? */
const isPiece = ({ vid, piece, space, name, bad }: CheckedRow): boolean =>
  /^[0-9a-f]{32}$/.test(vid) &&
  piece >= 0 &&
  piece < PIECES_MAX &&
  (bad === 0 || bad === 1) &&
  space.startsWith("u:") &&
  mayBeStored(name);
