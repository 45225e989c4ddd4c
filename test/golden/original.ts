/**
 * Makes an unpacked folder pass for the one that its server left. A server takes it for a copy, for
 * its catalog says when the file of the original was made; and a copy of a folder whose server was
 * killed is another server. Used by test/acceptance/golden.test.ts.
 */
import { Database } from "bun:sqlite";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "../harness/program.ts";

const CATALOG = "catalog.sqlite";
const KEY = "born";

/** Works on folders of format 2, in which each fact has its sum before it. */
export function becomeOriginal(folder: string): void {
  const scratch = join(newFolder(), CATALOG);
  const [catalog, log] = [join(folder, CATALOG), join(folder, `${CATALOG}-wal`)];
  writeFileSync(scratch, readFileSync(catalog));
  if (existsSync(log)) writeFileSync(`${scratch}-wal`, readFileSync(log));
  const born = new TextEncoder().encode(String(statSync(catalog, { bigint: true }).birthtimeNs));
  const sum = Buffer.alloc(8);
  sum.writeBigUInt64BE(Bun.hash.xxHash3(born) ^ Bun.hash.xxHash3(`\0${KEY}`, 1n));
  using db = new Database(scratch);
  // What only the log has stays there.
  db.run("PRAGMA wal_autocheckpoint = 0");
  db.query("UPDATE fact SET value = ? WHERE key = ?").run(Buffer.concat([sum, born]), KEY);
  // Written in place, a file keeps the time at which it was made.
  writeFileSync(catalog, readFileSync(scratch));
  writeFileSync(log, readFileSync(`${scratch}-wal`));
}
