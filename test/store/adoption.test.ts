/** What a start makes of the files of pieces after a crash. */
import { inStore } from "../harness/named.ts";
import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BLOCK_BYTES } from "../../src/limits.ts";
import { versionOf, historyOf } from "../harness/arbitraries.ts";
import { rejectionOf } from "../harness/thrown.ts";
import {
  cut,
  flip,
  heldOf,
  idOf,
  inFolder,
  pattern,
  same,
  smallPiece,
  SPACE,
  upload,
} from "../harness/folder.ts";

const VID = "ab".repeat(16);
const BYTES = BLOCK_BYTES + 1000;

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

  test("adopts a piece's file whose content the catalog does not know, for who holds it", () =>
    inFolder(async (folder) => {
      const name = "Grüße/😀.txt";
      const data = pattern(BYTES);
      await upload(await folder.open(), idOf(VID, 0, name), data);
      await upload(await folder.reopen(), idOf(VID, 1, name), pattern(0));
      folder.catalog("DELETE FROM content");
      const store = await folder.open();
      expect(heldOf(store, VID, name)).toEqual([0, 1]);
      const read = await store.pieces.fetch(idOf(VID, 0, name), 0, BYTES);
      expect(same(read, data)).toBe(true);
      await rejectionOf(
        "noPiece",
        store.pieces.fetch({ ...idOf(VID, 0, name), space: "" }, 0, BYTES),
      );
    }));

  test("adopts a file that nothing knows as one that nobody holds, and a link finds it", () =>
    inFolder(async (folder) => {
      await upload(await folder.open(), idOf(VID, 0), pattern(BYTES));
      for (const table of ["content", "holding", "entry"]) folder.catalog(`DELETE FROM ${table}`);
      const store = await folder.open();
      expect(store.read(SPACE, inStore("a"))).toMatchObject({ held: [], pending: [] });
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BYTES)).length).toBe(BYTES);
      expect(await store.link(SPACE, inStore("b"), VID, VID)).toEqual({ held: [0] });
      folder.aheadMs = 3_600_000;
      await store.sweep();
      expect(heldOf(store, VID, "b")).toEqual([0]);
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BYTES)).length).toBe(BYTES);
    }));

  test("removes the file of a piece that the catalog has itself: its upload was cut short", () =>
    inFolder(async (folder) => {
      const small = smallPiece(VID, 0, pattern(100));
      await upload(await folder.open(), idOf(VID, 0), small.data);
      folder.catalog("DELETE FROM content");
      const file = readFileSync(folder.file(VID, 0));
      rmSync(folder.file(VID, 0));
      await (
        await folder.open()
      ).prepare(SPACE, inStore("a"), 5n, { vid: VID, link: VID, inline: [small] });
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
      expect(again.read(SPACE, inStore("a")).held).toMatchObject([{ cid: VID, pieces: [1] }]);
      await rejectionOf("noPiece", again.pieces.fetch(idOf(VID, 0), 0, 1000));
    }));

  test("adopts no file that is damaged where it says what it is, or cut, which goes; nor one not named as it says", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      for (let piece = 0; piece < 6; piece++) await upload(store, idOf(VID, piece), pattern(BYTES));
      folder.catalog("DELETE FROM content");
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
      folder.catalog("DELETE FROM content");
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
      const value = {
        ballot: 5n,
        version: versionOf({ vid: "cd".repeat(16), history: historyOf(VID) }),
      };
      await store.commit(SPACE, inStore("a"), value, true);
      const again = await folder.reopen({ trashGraceMs: 0 });
      expect(heldOf(again, VID)).toEqual([]);
      await again.sweep();
      expect(existsSync(folder.file(VID, 0))).toBe(false);
    }));
});
