/** What a computer remembers lies in a file of its user's, whoever made the folder and whatever waits there. */
import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import { openSeen } from "../../src/api/config/seen.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

afterAll(removeFolders);

const fail = (line: string): never => {
  throw new Error(`a warning: ${line}`);
};
const modeOf = (path: string): number => statSync(path).mode & 0o777;
const configIn = (folder: string): string => join(folder, "dfc.conf");

/** Opens the memory beside a configuration; returns what was warned of, once something was noted in it. */
function warningsOf(folder: string): string[] {
  const warnings: string[] = [];
  const seen = openSeen(configIn(folder), (line) => warnings.push(line));
  seen.noteFact("a", new Uint8Array([1]));
  expect(seen.factOf("a")).toEqual(new Uint8Array([1]));
  seen.close();
  return warnings;
}

describe("dfc.conf.seen", () => {
  test("is for its user's eyes, and remembers", () => {
    const folder = newFolder();
    expect(warningsOf(folder)).toEqual([]);
    const path = join(folder, "dfc.conf.seen");
    expect(modeOf(path)).toBe(0o600);
    chmodSync(path, 0o644);
    const seen = openSeen(configIn(folder), fail);
    expect(seen.factOf("a")).toEqual(new Uint8Array([1]));
    seen.close();
    expect(modeOf(path)).toBe(0o600);
  });

  test("is beside a configuration in a folder that a link leads to", () => {
    const folder = newFolder();
    const link = join(newFolder(), "link");
    symlinkSync(folder, link);
    expect(warningsOf(link)).toEqual([]);
    expect(existsSync(join(folder, "dfc.conf.seen"))).toBe(true);
  });

  test.each(["text", "a database", "nothing"])("follows no link, to %s", (what) => {
    const victim = join(newFolder(), "victim");
    if (what === "text") writeFileSync(victim, "text", { mode: 0o644 });
    else if (what === "a database") new Database(victim).run("CREATE TABLE a (b)");
    if (what !== "nothing") chmodSync(victim, 0o644);
    const before = existsSync(victim) ? readFileSync(victim) : null;
    const folder = newFolder();
    symlinkSync(victim, join(folder, "dfc.conf.seen"));
    expect(warningsOf(folder)).toEqual([
      expect.stringContaining("is a link, which is not followed"),
    ]);
    expect(existsSync(victim) ? readFileSync(victim) : null).toEqual(before);
    if (before) expect(modeOf(victim)).toBe(0o644);
  });

  test("is no other name of a file, and no folder", () => {
    const victim = join(newFolder(), "victim");
    writeFileSync(victim, "", { mode: 0o644 });
    const folder = newFolder();
    linkSync(victim, join(folder, "dfc.conf.seen"));
    expect(warningsOf(folder)).toEqual([expect.stringContaining("is no file of yours alone")]);
    expect([modeOf(victim), readFileSync(victim).length]).toEqual([0o644, 0]);
    const other = newFolder();
    mkdirSync(join(other, "dfc.conf.seen"));
    expect(warningsOf(other)).toEqual([expect.stringContaining("is no file of yours alone")]);
  });

  test.each(["-journal", "-wal"])("is not used where its %s leads elsewhere", (beside) => {
    const folder = newFolder();
    const target = join(newFolder(), "target");
    symlinkSync(target, join(folder, `dfc.conf.seen${beside}`));
    expect(warningsOf(folder)).toEqual([
      expect.stringContaining(`dfc.conf.seen${beside} is a link`),
    ]);
    expect(existsSync(target)).toBe(false);
  });

  test.skipIf(process.getuid?.() !== 0)("is no file of another user", () => {
    const folder = newFolder();
    const path = join(folder, "dfc.conf.seen");
    writeFileSync(path, "", { mode: 0o666 });
    chownSync(path, 65_534, 65_534);
    expect(warningsOf(folder)).toEqual([expect.stringContaining("is no file of yours alone")]);
    expect(readFileSync(path).length).toBe(0);
  });
});

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
