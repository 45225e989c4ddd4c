/** What was seen is a safeguard: that it cannot be written fails nothing. */
import { Database } from "bun:sqlite";
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { openSeen } from "../../src/cli/seen.ts";
import { newFolder, removeFolders } from "./program.ts";

afterAll(removeFolders);

const seen = { birthFloor: 1n, seq: 1, ballot: 2n, vid: "1".repeat(32) };

test("one that cannot be written is warned of once, and is remembered until the command ends", () => {
  const config = join(newFolder(), "dfc.conf");
  const warnings: string[] = [];
  const file = openSeen(config, (line) => warnings.push(line));
  file.note("first", seen);
  // A disk that is full, as SQLite sees it.
  const other = new Database(`${config}.seen`);
  for (const table of ["seen", "fact", "user"]) other.run(`DROP TABLE ${table}`);
  other.close();
  for (let i = 0; i < 1000; i++) file.note(`name ${i}`, seen);
  file.noteFact("fact", new Uint8Array(1));
  file.noteKey("Alice", { fingerprint: new Uint8Array(1), record: new Uint8Array(1) });
  expect(file.recall("name 999")).toEqual(seen);
  file.close();
  expect(warnings.length).toBe(1);
  expect(warnings[0]).toContain("what was just seen is not remembered");
});
