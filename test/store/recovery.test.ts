/** What a start makes of a folder: new, left in a mess, of another format, or in use. */
import { describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BLOCK_BYTES } from "../../src/limits.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { type Folder, heldOf, idOf, inFolder, pattern, SPACE, upload } from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

const VID = "ab".repeat(16);
const BYTES = BLOCK_BYTES + 1000;
const formatOf = (folder: Folder): string => join(folder.path, "format.json");

function tablesOf(folder: Folder): unknown[] {
  using db = new Database(join(folder.path, "catalog.sqlite"));
  return db.query("SELECT name, sql FROM sqlite_schema ORDER BY name").all();
}

describe("a new folder", () => {
  test("is made, with all above it", () =>
    inFolder(async (folder) => {
      const path = join(folder.path, "new/and/deep");
      const store = await folder.open({ folder: path, catalogFolder: path });
      const format = JSON.parse(readFileSync(join(path, "format.json"), "utf8"));
      expect(format).toEqual({ format: 3, sid: store.sid });
      expect(store.sid).toMatch(/^[0-9a-f]{32}$/);
      expect((await readdir(path)).toSorted()).toEqual([
        "ballast",
        "catalog.sqlite",
        "catalog.sqlite-wal",
        "format.json",
        "pieces",
      ]);
    }));

  test("has an id that no other has, and keeps it", () =>
    inFolder(async (folder) => {
      const other = join(folder.path, "other");
      const two = await folder.open({ folder: other, catalogFolder: other });
      const { sid } = await folder.open();
      expect(sid).not.toBe(two.sid);
      expect((await folder.reopen()).sid).toBe(sid);
    }));

  test("has nothing but pieces where the catalog is elsewhere", () =>
    inFolder(async (folder) => {
      const [path, catalogFolder] = [join(folder.path, "pieces here"), join(folder.path, "fast")];
      const options = { folder: path, catalogFolder, inlineBytes: 0 };
      const store = await folder.open(options);
      await upload(store, idOf(VID, 0), pattern(BYTES));
      expect(await readdir(path)).toEqual(["pieces"]);
      expect((await readdir(catalogFolder)).toSorted()).toEqual([
        "ballast",
        "catalog.sqlite",
        "catalog.sqlite-wal",
        "format.json",
      ]);
      const again = await folder.reopen(options);
      expect([again.sid, heldOf(again, VID)]).toEqual([store.sid, [0]]);
    }));
});

describe("a folder that cannot be served", () => {
  test("because a server has it", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      expect((await rejectionOf("folder", folder.open())).message).toContain("in use");
      // The first one goes on undisturbed.
      expect(
        await store.prepare(SPACE, inStore("a"), 5n, { vid: VID, link: VID, inline: [] }),
      ).toMatchObject({ ok: true });
      await folder.reopen();
    }));

  test.each([
    [
      "because it is of a newer format",
      (text: string) => text.replace('"format":3', '"format":4'),
      "upgrade",
    ],
    ["because its format is no JSON", () => "{", "does not read"],
    ["because its format is empty", () => "", "does not read"],
    ["because its format is nothing", () => "null", "does not read"],
    ["because its id is none", () => '{"format":1,"sid":"x"}', "does not read"],
    [
      "because it has no format",
      () => '{"sid":"00000000000000000000000000000000"}',
      "does not read",
    ],
  ])("%s", (_, change, why) =>
    inFolder(async (folder) => {
      await folder.open();
      folder.close();
      const before = readFileSync(formatOf(folder), "utf8");
      writeFileSync(formatOf(folder), change(before));
      expect((await rejectionOf("folder", folder.open())).message).toContain(why);
      // Nothing was changed: the right program can still open it, and this one once the file is put right.
      writeFileSync(formatOf(folder), before);
      await folder.open();
    }),
  );

  test("because a newer program has made its tables, though format.json does not say so", () =>
    inFolder(async (folder) => {
      await folder.open();
      folder.catalog("ALTER TABLE content RENAME TO blob");
      folder.catalog("DROP TABLE pulse");
      const before = tablesOf(folder);
      const { message } = await rejectionOf("folder", folder.open());
      expect(message).toContain("its table or index");
      // The newer program finds the tables that it left.
      expect(tablesOf(folder)).toEqual(before);
    }));

  test("because its catalog was lost: that it knows of nothing would be a lie", () =>
    inFolder(async (folder) => {
      await upload(await folder.open(), idOf(VID, 0), pattern(BYTES));
      folder.close();
      rmSync(join(folder.path, "catalog.sqlite"));
      const { message } = await rejectionOf("folder", folder.open());
      expect(message).toContain("lost");
    }));

  test("is let go of by the start that failed", () =>
    inFolder(async (folder) => {
      await folder.open();
      folder.close();
      rmSync(join(folder.path, "catalog.sqlite"));
      await rejectionOf("folder", folder.open());
      expect((await rejectionOf("folder", folder.open())).message).not.toContain("in use");
    }));

  test("because it is no folder", () =>
    inFolder(async (folder) => {
      const path = join(folder.path, "file");
      writeFileSync(path, "");
      await folder.open({ folder: path, catalogFolder: path }).then(
        () => expect.unreachable(),
        (error: Error) => expect(error.message).toContain(path),
      );
    }));
});

test("a folder that was moved is the same server", () =>
  inFolder(async (folder) => {
    const { sid } = await folder.open();
    folder.close();
    const [here, there] = [join(folder.path, "catalog.sqlite"), join(folder.path, "moved")];
    mkdirSync(there);
    for (const name of ["catalog.sqlite", "format.json"])
      renameSync(join(folder.path, name), join(there, name));
    expect(existsSync(here)).toBe(false);
    expect((await folder.open({ catalogFolder: there })).sid).toBe(sid);
  }));

test("a format.json that is gone is written again, with the same id", () =>
  inFolder(async (folder) => {
    const { sid } = await folder.open();
    folder.close();
    rmSync(formatOf(folder));
    expect((await folder.open()).sid).toBe(sid);
    expect(JSON.parse(readFileSync(formatOf(folder), "utf8"))).toEqual({ format: 3, sid });
  }));
