import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { closeCatalog } from "../../src/server/process/private_folder.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

afterAll(removeFolders);

const modeOf = (path: string): number => statSync(path).mode & 0o777;

test("the catalog of a folder that others could read is taken away from them, once, and nothing else is", () => {
  const folder = newFolder();
  const names = ["catalog.sqlite", "catalog.sqlite-wal", "format.json", "users.conf"];
  for (const name of names) {
    writeFileSync(join(folder, name), name);
    chmodSync(join(folder, name), 0o644);
  }
  const victim = join(newFolder(), "victim");
  writeFileSync(victim, "");
  chmodSync(victim, 0o644);
  symlinkSync(victim, join(folder, "catalog.sqlite-shm"));
  mkdirSync(join(folder, "catalog.sqlite-journal"), { mode: 0o755 });
  expect(closeCatalog(folder)).toBe(true);
  expect(names.map((name) => modeOf(join(folder, name)))).toEqual([0o600, 0o600, 0o600, 0o644]);
  expect(modeOf(victim)).toBe(0o644);
  expect(closeCatalog(folder)).toBe(false);
  expect(closeCatalog(join(folder, "none"))).toBe(false);
});
