/** What a start makes of a folder: new, left in a mess, of another format, or in use. */
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BLOCK_BYTES } from "../../src/limits.ts";
import { versionOf } from "../harness/arbitraries.ts";
import { rejectionOf } from "../harness/thrown.ts";
import {
  cut,
  flip,
  type Folder,
  heldOf,
  idOf,
  inFolder,
  pattern,
  same,
  smallPiece,
  SPACE,
  upload,
} from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

const VID = "ab".repeat(16);
const BYTES = BLOCK_BYTES + 1000;
const formatOf = (folder: Folder): string => join(folder.path, "format.json");

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
      expect(await store.prepare(SPACE, inStore("a"), 5n, VID, [])).toMatchObject({ ok: true });
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

describe("a start after a crash", () => {
  test("removes what was on its way", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const incoming = await store.pieces.receive(idOf(VID, 0), BYTES);
      await incoming.append(0, pattern(BLOCK_BYTES));
      const temporary = join(folder.path, "pieces/tmp");
      writeFileSync(join(temporary, "left by nobody"), "x");
      expect((await readdir(temporary)).length).toBe(2);
      const again = await folder.reopen();
      await incoming.abort();
      expect(await readdir(temporary)).toEqual([]);
      expect(heldOf(again, VID)).toEqual([]);
      expect(existsSync(folder.file(VID, 0))).toBe(false);
    }));

  test("adopts a piece's file that the catalog does not know", () =>
    inFolder(async (folder) => {
      const name = inStore("Grüße/😀.txt");
      const data = pattern(BYTES);
      await upload(await folder.open(), idOf(VID, 0, name), data);
      await upload(await folder.reopen(), idOf(VID, 1, name), pattern(0));
      folder.catalog("DELETE FROM piece");
      const store = await folder.open();
      expect(heldOf(store, VID, name)).toEqual([0, 1]);
      expect(store.read(SPACE, name).held[0]?.age).toBeLessThan(600);
      const read = await store.pieces.fetch(idOf(VID, 0, name), 0, BYTES);
      expect(same(read, data)).toBe(true);
      await rejectionOf(
        "noPiece",
        store.pieces.fetch({ ...idOf(VID, 0, name), space: "" }, 0, BYTES),
      );
    }));

  test("removes the file of a piece that the catalog has itself: its upload was cut short", () =>
    inFolder(async (folder) => {
      const small = smallPiece(VID, 0, pattern(100));
      await upload(await folder.open(), idOf(VID, 0), small.data);
      folder.catalog("DELETE FROM piece");
      const file = readFileSync(folder.file(VID, 0));
      rmSync(folder.file(VID, 0));
      await (await folder.open()).prepare(SPACE, inStore("a"), 5n, VID, [small]);
      folder.close();
      // The file has its name, and the row that says so was lost with the crash.
      writeFileSync(folder.file(VID, 0), file);
      const store = await folder.open();
      expect(existsSync(folder.file(VID, 0))).toBe(false);
      expect(heldOf(store, VID)).toEqual([0]);
      expect(same(await store.pieces.fetch(idOf(VID, 0), 0, 100), small.data)).toBe(true);
    }));

  test("drops a row whose file is gone", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      for (const piece of [0, 1]) await upload(store, idOf(VID, piece), pattern(BYTES));
      folder.close();
      rmSync(folder.file(VID, 0));
      const again = await folder.open();
      expect(again.read(SPACE, inStore("a")).held).toMatchObject([{ vid: VID, pieces: [1] }]);
      await rejectionOf("noPiece", again.pieces.fetch(idOf(VID, 0), 0, 1000));
    }));

  test("adopts no file that is damaged where it says what it is, or cut, which goes; nor one not named as it says", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      for (let piece = 0; piece < 6; piece++) await upload(store, idOf(VID, piece), pattern(BYTES));
      folder.catalog("DELETE FROM piece");
      flip(folder.file(VID, 0), -60);
      flip(folder.file(VID, 1), -1);
      cut(folder.file(VID, 2), 5);
      writeFileSync(folder.file(VID, 3), readFileSync(folder.file(VID, 3)).subarray(7));
      renameSync(folder.file(VID, 4), folder.file(VID, 9));
      const again = await folder.open();
      expect(heldOf(again, VID)).toEqual([5]);
      const left = [0, 1, 2, 3, 5, 9].filter((piece) => existsSync(folder.file(VID, piece)));
      expect(left).toEqual([5, 9]);
    }));

  test("adopts no file of whose tail any byte is another one", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await upload(store, idOf(VID, 0), pattern(3));
      // All that follows the bytes and their one sum.
      const tail = readFileSync(folder.file(VID, 0)).length - 3 - 8;
      for (let piece = 1; piece <= tail; piece++) await upload(store, idOf(VID, piece), pattern(3));
      folder.catalog("DELETE FROM piece");
      for (let piece = 1; piece <= tail; piece++) flip(folder.file(VID, piece), -piece);
      expect(heldOf(await folder.open(), VID)).toEqual([0]);
    }));

  test("leaves alone what is not its own", () =>
    inFolder(async (folder) => {
      await upload(await folder.open(), idOf(VID, 0), pattern(BYTES));
      folder.close();
      const strangers = ["pieces/README", "pieces/ab/README", "pieces/ab/empty", "notes.txt"];
      for (const path of strangers)
        writeFileSync(join(folder.path, path), path.includes("empty") ? "" : "text");
      mkdirSync(join(folder.path, "pieces/lost+found"));
      expect(heldOf(await folder.open(), VID)).toEqual([0]);
      for (const path of strangers) expect(existsSync(join(folder.path, path))).toBe(true);
    }));

  test("a folder among the pieces, as some file systems make them, is no reason not to start", () =>
    inFolder(async (folder) => {
      await upload(await folder.open(), idOf(VID, 0), pattern(BYTES));
      folder.close();
      mkdirSync(join(dirname(folder.file(VID, 0)), "@eaDir"));
      expect(heldOf(await folder.open(), VID)).toEqual([0]);
    }));

  test("keeps what is in the trash there", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await upload(store, idOf(VID, 0), pattern(BYTES));
      const value = { ballot: 5n, version: versionOf({ vid: "cd".repeat(16), history: [VID] }) };
      await store.commit(SPACE, inStore("a"), value, true);
      const again = await folder.reopen({ trashGraceMs: 0 });
      expect(heldOf(again, VID)).toEqual([]);
      await again.sweep();
      expect(existsSync(folder.file(VID, 0))).toBe(false);
    }));
});
