/**
 * Brings the catalog of a folder of format 2 to format 3, where contents and what names hold are
 * apart. It goes on where an upgrade was cut short: each lot of rows moves in one durable
 * transaction. Used by store.ts.
 */
import type { Database } from "bun:sqlite";
import { hashSlotOf } from "../file/hash_slot.ts";
import { Reader } from "../cursor.ts";
import { decode, encode } from "../bytes.ts";
import type { Notify } from "../io/ports.ts";
import { isAncestor, type Register, registerCodec } from "../version.ts";
import { REGISTER_SCHEMA } from "./catalog/catalog.ts";
import { CONTENT_SCHEMA } from "./catalog/contents.ts";
import { HOLDING_SCHEMA } from "./catalog/holdings.ts";
import { isWhole, rowSum } from "./catalog/row_sum.ts";
import { oldRegisterCodec } from "./format2.ts";

const LOT_ROWS = 500;

interface OldRegister {
  readonly space: string;
  readonly name: string;
  readonly row: Uint8Array;
  readonly sum: Uint8Array;
}

interface OldPiece {
  readonly id: number;
  readonly vid: string;
  readonly piece: number;
  readonly space: string;
  readonly name: string;
  readonly bytes: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array | null;
  readonly bad: number;
  readonly created: number;
  readonly trashed: number | null;
  readonly checked: number | null;
}

const hasTable = (db: Database, name: string): boolean =>
  db.query("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !== null;

/** Is it the catalog of a folder of format 2, or one whose upgrade was cut short? */
export const isOld = (db: Database): boolean => hasTable(db, "piece");

/** Does the upgrade. What fails leaves a catalog with which the next start goes on. */
export function upgrade(db: Database, notify: Notify): void {
  db.run("PRAGMA synchronous=FULL");
  if (!hasTable(db, "old_register"))
    inTransaction(db, () => {
      db.run("ALTER TABLE register RENAME TO old_register");
      for (const index of ["holding", "trash", "check", "damage", "name"])
        db.run(`DROP INDEX IF EXISTS piece_by_${index}`);
      for (const sql of [REGISTER_SCHEMA, ...CONTENT_SCHEMA, ...HOLDING_SCHEMA]) db.run(sql);
    });
  const [names, pieces] = [moveRegisters(db), movePieces(db)];
  inTransaction(db, () => {
    db.run("DROP TABLE old_register");
    db.run("DROP TABLE piece");
  });
  notify({
    level: "info",
    event: "upgraded",
    line: `the folder has the format of this dfs-tool now: ${names} names, ${pieces} pieces`,
    facts: { names, pieces },
  });
}

function inTransaction(db: Database, work: () => void): void {
  db.run("BEGIN IMMEDIATE");
  try {
    work();
    db.run("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.run("ROLLBACK");
    throw error;
  }
}

function moveRegisters(db: Database): number {
  const next = db.query<OldRegister, [number]>(
    "SELECT space, name, row, sum FROM old_register ORDER BY space, name LIMIT ?",
  );
  const drop = db.query("DELETE FROM old_register WHERE space = ? AND name = ?");
  const put = db.query(
    "INSERT INTO register (space, name, epoch, row, sum) VALUES (?, ?, 0, ?, ?)",
  );
  let moved = 0;
  for (let rows = next.all(LOT_ROWS); rows.length > 0; rows = next.all(LOT_ROWS)) {
    inTransaction(db, () => {
      for (const { space, name, row, sum } of rows) {
        // A damaged row stays one: it keeps its sum, which does not fit.
        if (!isWhole(space, name, row, sum)) put.run(space, name, row, sum);
        else {
          const bytes = encode(registerCodec, oldRegisterCodec.read(new Reader(row)));
          put.run(space, name, bytes, rowSum(space, name, bytes));
        }
        drop.run(space, name);
      }
    });
    moved += rows.length;
  }
  return moved;
}

function movePieces(db: Database): number {
  const next = db.query<OldPiece, [number]>(
    "SELECT rowid AS id, * FROM piece NOT INDEXED ORDER BY rowid LIMIT ?",
  );
  const drop = db.query("DELETE FROM piece WHERE rowid = ?");
  const movePiece = pieceMover(db);
  let moved = 0;
  for (let rows = next.all(LOT_ROWS); rows.length > 0; rows = next.all(LOT_ROWS)) {
    inTransaction(db, () => {
      for (const row of rows) {
        movePiece(row);
        drop.run(row.id);
      }
    });
    moved += rows.length;
  }
  return moved;
}

/** Makes the function that moves one piece of format 2 into the tables of today. */
function pieceMover(db: Database): (row: OldPiece) => void {
  const putContent = db.query(
    `INSERT OR REPLACE INTO content
     (cid, piece, space, slot, bytes, root, data, bad, created, checked, idle)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const putHolding = db.query(
    "INSERT OR REPLACE INTO holding (space, name, cid, piece, bad) VALUES (?, ?, ?, ?, ?)",
  );
  const putEntry = db.query(
    "INSERT OR REPLACE INTO entry (space, name, vid, cid, created) VALUES (?, ?, ?, ?, ?)",
  );
  const register = db.query<Pick<OldRegister, "row" | "sum">, [string, string]>(
    "SELECT row, sum FROM register WHERE space = ? AND name = ?",
  );
  return ({ vid, piece, space, name, bytes, root, data, bad, created, trashed, checked }) => {
    // A record that no program can have written: repair brings its piece again.
    if (!/^[0-9a-f]{32}$/.test(vid)) return;
    const found = register.get(space, name);
    const isSound = found !== null && isWhole(space, name, found.row, found.sum);
    const fate =
      trashed === null ? fateOf(isSound ? decode(registerCodec, found.row) : null, vid) : "idle";
    const id = Uint8Array.fromHex(vid);
    const idle = fate === "idle" ? (trashed ?? created) : null;
    const slot = hashSlotOf(space, name);
    putContent.run(id, piece, space, slot, bytes, root, data, bad, created, checked, idle);
    if (fate === "idle") return;
    putHolding.run(space, name, id, piece, bad);
    if (fate === "pending") putEntry.run(space, name, id, id, created);
  };
}

/** What becomes of the pieces of a version that a folder of format 2 had not thrown away. */
function fateOf(register: Register | null, vid: string): "named" | "pending" | "idle" {
  const { acc = null, com = null } = register ?? {};
  if ([acc, com].some((known) => known?.version.vid === vid)) return "named";
  return com && isAncestor(com.version, vid) ? "idle" : "pending";
}
