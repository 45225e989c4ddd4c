/** A disk that runs out of inodes before it runs out of bytes; one that tells no sizes; one that cannot be written. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DfsError } from "../../src/errors.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import type { Disk, Space } from "../../src/io/ports.ts";
import { RESERVE_FILES } from "../../src/limits.ts";
import type { Store } from "../../src/store/store.ts";
import { versionOf, vidOf, historyOf } from "../harness/arbitraries.ts";
import { rejectionOf } from "../harness/thrown.ts";
import {
  type Folder,
  heldOf,
  idOf,
  inFolder,
  pattern,
  smallPiece,
  SPACE,
  upload,
} from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

const VID = "ab".repeat(16);
const OTHER = "cd".repeat(16);
const BYTES = 100_000;
const filesOf = (free: number): Space => ({ bytes: null, files: { free, total: 1000 } });

/** Puts the piece of a into the trash. */
const condemn = (store: Store): Promise<unknown> =>
  store.commit(
    SPACE,
    inStore("a"),
    { ballot: 6n, version: versionOf({ vid: vidOf(6), history: historyOf(VID) }) },
    true,
  );

describe("a disk with no inodes for pieces", () => {
  test.each([
    ["a file and its folder", RESERVE_FILES + 2, true],
    ["one too few", RESERVE_FILES + 1, false],
    ["none", 0, false],
  ])("has %s to spare", (_, free, fits) =>
    inFolder(async (folder) => {
      const store = await folder.open({}, { space: async () => filesOf(free) });
      const sent = upload(store, idOf(VID, 0), pattern(BYTES));
      if (fits) await sent;
      else expect((await rejectionOf("noRoom", sent)).message).toContain("inodes");
      expect(await store.scrub.health()).toMatchObject({ short: fits ? "" : "inodes" });
      // What lies in the catalog takes none.
      const small = [smallPiece(vidOf(1), 1, pattern(10))];
      expect(
        await store.prepare(SPACE, inStore("b"), 5n, {
          vid: vidOf(1),
          link: vidOf(1),
          inline: small,
        }),
      ).toMatchObject({
        held: [1],
      });
    }),
  );

  test("gives up its trash for a new piece", () =>
    inFolder(async (folder) => {
      const path = folder.file(VID, 0);
      const space = async () => filesOf(existsSync(path) ? 0 : 1000);
      const store = await folder.open({ trashGraceMs: 1e9 }, { space });
      await upload(store, idOf(VID, 0), pattern(BYTES));
      await rejectionOf("noRoom", upload(store, idOf(VID, 1), pattern(BYTES)));
      await condemn(store);
      await upload(store, idOf(VID, 1), pattern(BYTES));
      expect(existsSync(path)).toBe(false);
    }));

  /** ENOSPC while one piece is there, whatever the disk said a moment ago. */
  const orFull = async <T>(folder: Folder, work: () => Promise<T>): Promise<T> => {
    if (existsSync(folder.file(VID, 0))) throw new DfsError("noRoom", "the disk is full");
    return work();
  };
  const isTemporary = (path: string): boolean => path.includes("/pieces/tmp/");

  test.each<[string, (folder: Folder) => Partial<Disk>]>([
    [
      "open",
      (folder) => ({
        open: (path, mode) =>
          mode === "create" && isTemporary(path)
            ? orFull(folder, () => bunDisk.open(path, mode))
            : bunDisk.open(path, mode),
      }),
    ],
    [
      "rename",
      (folder) => ({
        rename: (from, to) =>
          isTemporary(from)
            ? orFull(folder, () => bunDisk.rename(from, to))
            : bunDisk.rename(from, to),
      }),
    ],
    [
      "makeFolder",
      (folder) => ({ makeFolder: (path) => orFull(folder, () => bunDisk.makeFolder(path)) }),
    ],
    [
      "write",
      (folder) => ({
        open: async (path, mode) => {
          const file = await bunDisk.open(path, mode);
          return isTemporary(path)
            ? { ...file, write: (bytes, at) => orFull(folder, () => file.write(bytes, at)) }
            : file;
        },
      }),
    ],
  ])("or where %s says so only then", (_, diskOf) =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 1e9 }, diskOf(folder));
      await upload(store, idOf(VID, 0), pattern(BYTES));
      await rejectionOf(
        "noRoom",
        store.pieces.putFile(idOf(OTHER, 0), smallPiece(OTHER, 0, pattern(BYTES))),
      );
      expect(await readdir(join(folder.path, "pieces/tmp"))).toEqual([]);
      await condemn(store);
      await store.pieces.putFile(idOf(OTHER, 0), smallPiece(OTHER, 0, pattern(BYTES)));
      expect(heldOf(store, OTHER)).toEqual([0]);
    }),
  );
});

test("a disk that tells no sizes is not full", () =>
  inFolder(async (folder) => {
    const store = await folder.open({}, { space: async () => ({ bytes: null, files: null }) });
    await upload(store, idOf(VID, 0), pattern(BYTES));
    const small = [smallPiece(VID, 1, pattern(10))];
    expect(
      await store.prepare(SPACE, inStore("a"), 5n, { vid: VID, link: VID, inline: small }),
    ).toMatchObject({ held: [0, 1] });
    expect(await store.scrub.health()).toMatchObject({ free: null, total: null, short: "" });
    expect(existsSync(join(folder.path, "ballast"))).toBe(true);
  }));

test("a disk that is read-only is said to be so, whatever SQLite makes of it", () =>
  inFolder(async (folder) => {
    const opened = folder.open(
      {},
      {
        database: () => {
          throw new Error("disk I/O error");
        },
        open: async (path, mode) => {
          if (mode === "create") throw new DfsError("failed", `${path}: the disk is read-only`);
          return bunDisk.open(path, mode);
        },
      },
    );
    const { message } = await rejectionOf("folder", opened);
    expect(message).toContain(folder.path);
    expect(message).toEndWith(": the disk is read-only");
  }));
