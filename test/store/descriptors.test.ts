/** A process that has too many files open: what needed one more fails, the server goes on, and nothing is lost or left. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DfsError } from "../../src/errors.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import type { Disk } from "../../src/io/ports.ts";
import { BLOCK_BYTES, BALLAST_BYTES } from "../../src/limits.ts";
import type { Store } from "../../src/store/store.ts";
import { rejectionOf } from "../harness/thrown.ts";
import {
  type Folder,
  heldOf,
  idOf,
  inFolder,
  pattern,
  smallPiece,
  upload,
} from "../harness/folder.ts";

const VID = "ab".repeat(16);
const LARGE = 3 * BLOCK_BYTES + 1000;

/** The real disk, whose opens fail from `exhaust` on until `release`; with `after`, only those of folders. */
function exhaustible() {
  let isExhausted = false;
  let foldersOnly = false;
  const refuse = (path: string, isFolder: boolean): void => {
    if (isExhausted && (isFolder || !foldersOnly))
      throw new DfsError("failed", `${path}: too many open files`);
  };
  const disk: Partial<Disk> = {
    async open(path, mode) {
      refuse(path, false);
      return bunDisk.open(path, mode);
    },
    async syncFolder(path) {
      refuse(path, true);
      return bunDisk.syncFolder(path);
    },
  };
  const exhaust = (only: "folders" | "all"): void => {
    isExhausted = true;
    foldersOnly = only === "folders";
  };
  return { disk, exhaust, release: () => void (isExhausted = false) };
}

const filesOf = (folder: Folder): string[] =>
  readdirSync(join(folder.path, "pieces"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => name);

describe("too many open files", () => {
  test.each(["folders", "all"] as const)(
    "when a piece comes (%s): it is refused, nothing of it stays, and it can come again",
    (only) =>
      inFolder(async (folder) => {
        const { disk, exhaust, release } = exhaustible();
        const store = await folder.open({}, disk);
        exhaust(only);
        const small = smallPiece(VID, 0, pattern(LARGE));
        const { message } = await rejectionOf("failed", store.pieces.putFile(idOf(VID, 0), small));
        expect(message).toContain("too many open files");
        expect(folder.deaths).toEqual([]);
        expect(heldOf(store, VID)).toEqual([]);
        expect(filesOf(folder)).toEqual([]);
        release();
        await upload(store, idOf(VID, 0), pattern(LARGE));
        expect(heldOf(store, VID)).toEqual([0]);
      }),
  );

  test("when pieces are read, read back, or swept away: it is tried again later", () =>
    inFolder(async (folder) => {
      const { disk, exhaust, release } = exhaustible();
      const store = await folder.open({ trashGraceMs: 0 }, disk);
      await upload(store, idOf(VID, 0), pattern(LARGE));
      exhaust("all");
      await rejectionOf("failed", store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES));
      await rejectionOf("failed", store.scrub.run(LARGE, 0));
      await store.sweep();
      // It was not read, and so it is not bad.
      expect(heldOf(store, VID)).toEqual([0]);
      release();
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES)).length).toBe(BLOCK_BYTES);
      for (let i = 0; i < 3; i++) await store.scrub.run(LARGE, 0);
      expect((await store.scrub.health()).unread).toBe(0);
      expect(folder.deaths).toEqual([]);
    }));

  test("when the ballast is loaded: it is loaded later", () =>
    inFolder(async (folder) => {
      const { disk, exhaust, release } = exhaustible();
      const store = await folder.open({}, disk);
      await store.pieces.ballast.drop();
      exhaust("all");
      await rejectionOf("failed", store.pieces.ballast.load());
      release();
      await store.pieces.ballast.load();
      expect((await bunDisk.stat(join(folder.path, "ballast")))?.bytes).toBe(BALLAST_BYTES);
      expect(folder.deaths).toEqual([]);
    }));
});

test("a piece that two senders bring stays where that of the first is refused after it has its name", () =>
  inFolder(async (folder) => {
    const coming: Promise<void>[] = [];
    const named = Promise.withResolvers<void>();
    const store: Store = await folder.open(
      {},
      {
        async rename(from, to) {
          await bunDisk.rename(from, to);
          if (coming.length > 0) named.resolve();
        },
        async syncFolder(path) {
          if (!path.endsWith("/ab") || coming.length > 0) return bunDisk.syncFolder(path);
          coming.push(upload(store, idOf(VID, 0), pattern(LARGE)));
          await named.promise;
          throw new DfsError("failed", `${path}: too many open files`);
        },
      },
    );
    await rejectionOf("failed", upload(store, idOf(VID, 0), pattern(LARGE)));
    await Promise.all(coming);
    expect(heldOf(store, VID)).toEqual([0]);
    expect(existsSync(folder.file(VID, 0))).toBe(true);
    expect((await store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES)).length).toBe(BLOCK_BYTES);
  }));
