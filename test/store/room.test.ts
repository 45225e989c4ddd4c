/** A disk that fills up, or fails: what is refused, what still works, and when a server gives up. */
import { describe, expect, test } from "bun:test";
import type { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { DfsError } from "../../src/errors.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import type { Space } from "../../src/io/ports.ts";
import { BLOCK_BYTES, MIB, RESERVE_BYTES_MAX } from "../../src/limits.ts";
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
const BYTES = 100_000;
const value = (n: number) => ({
  ballot: BigInt(n),
  version: versionOf({ vid: vidOf(n), body: pattern(2000) }),
});

const bytesOf = (free: number, total: number): Space => ({ bytes: { free, total }, files: null });

describe("a disk with no room for pieces", () => {
  /** 10 GB, of which a reserve of 2 % would be 200 MB. */
  const total = 10_000_000_000;

  test.each([
    ["just enough", 200_000_000 + BYTES, true],
    ["a byte too few", 200_000_000 + BYTES - 1, false],
    ["nothing", 0, false],
  ])("has %s: the reserve stays free", (_, free, fits) =>
    inFolder(async (folder) => {
      const store = await folder.open({}, { space: async () => bytesOf(free, total) });
      const sent = upload(store, idOf(VID, 0), pattern(BYTES));
      await (fits ? sent : rejectionOf("noRoom", sent));
      expect(heldOf(store, VID)).toEqual(fits ? [0] : []);
    }),
  );

  test("of a large disk no more than so much stays free", () =>
    inFolder(async (folder) => {
      let free = RESERVE_BYTES_MAX + BYTES;
      const space = async () => bytesOf(free, 1_000_000 * MIB);
      const store = await folder.open({}, { space });
      await upload(store, idOf(VID, 0), pattern(BYTES));
      free--;
      await rejectionOf("noRoom", upload(store, idOf(VID, 1), pattern(BYTES)));
    }));

  test("still promises, accepts, commits and deletes; only small pieces are not taken with a promise", () =>
    inFolder(async (folder) => {
      const store = await folder.open({}, { space: async () => bytesOf(1, total) });
      const small = [smallPiece(VID, 0, pattern(10))];
      expect(
        await store.prepare(SPACE, inStore("a"), 5n, { vid: VID, link: VID, inline: small }),
      ).toMatchObject({ ok: true, held: [] });
      expect(store.read(SPACE, inStore("a"))).toMatchObject({ register: { prom: 5n }, held: [] });
      expect(await store.accept(SPACE, inStore("a"), 5n, value(5).version)).toMatchObject({
        ok: true,
      });
      expect(await store.commit(SPACE, inStore("a"), value(5), true)).toMatchObject({
        ignored: false,
      });
    }));

  const readOn = (store: Store) => store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES);
  test.each([
    ["gives up what was read while a name had it", null],
    ["keeps what is read since then", readOn],
    ["and what a reader has renewed", async (store: Store) => store.pieces.renew(SPACE, VID)],
  ])("%s", (_, goOn) =>
    inFolder(async (folder) => {
      const path = folder.file(VID, 0);
      const space = async () => bytesOf(existsSync(path) ? 0 : total, total);
      const store = await folder.open({ trashGraceMs: 1e9 }, { space });
      await upload(store, idOf(VID, 0), pattern(BYTES));
      await readOn(store);
      await condemn(store);
      await goOn?.(store);
      const another = upload(store, idOf(vidOf(7), 1), pattern(BYTES));
      await (goOn ? rejectionOf("noRoom", another) : another);
      expect(existsSync(path)).toBe(goOn !== null);
    }),
  );

  test("gives up its trash for a new piece", () =>
    inFolder(async (folder) => {
      const path = folder.file(VID, 0);
      const store = await folder.open(
        { trashGraceMs: 1e9 },
        {
          space: async () => bytesOf(existsSync(path) ? 0 : total, total),
        },
      );
      await upload(store, idOf(VID, 0), pattern(BYTES));
      await rejectionOf("noRoom", upload(store, idOf(VID, 1), pattern(BYTES)));
      await condemn(store);
      await upload(store, idOf(vidOf(7), 1), pattern(BYTES));
      expect(existsSync(path)).toBe(false);
      expect(heldOf(store, vidOf(7))).toEqual([1]);
    }));

  test("that fills up while a piece arrives leaves nothing of it", () =>
    inFolder(async (folder) => {
      const full = new DfsError("noRoom", "the disk is full");
      const store = await folder.open(
        {},
        {
          open: async (path, mode) => {
            const file = await bunDisk.open(path, mode);
            return mode === "create" && path.includes("/pieces/tmp/")
              ? { ...file, write: () => Promise.reject(full) }
              : file;
          },
        },
      );
      const large = { ...smallPiece(VID, 0, pattern(BYTES)) };
      await rejectionOf("noRoom", store.pieces.putFile(idOf(VID, 0), large));
      expect(await readdir(join(folder.path, "pieces/tmp"))).toEqual([]);
      expect(heldOf(store, VID)).toEqual([]);
      // It was no error after which nobody knows what is durable.
      expect(
        await store.prepare(SPACE, inStore("a"), 5n, { vid: VID, link: VID, inline: [] }),
      ).toMatchObject({ ok: true });
    }));
});

/** Puts the piece of a into the trash. */
const condemn = (store: Store): Promise<unknown> =>
  store.commit(
    SPACE,
    inStore("a"),
    { ballot: 6n, version: versionOf({ vid: vidOf(6), history: historyOf(VID) }) },
    true,
  );

/** A server, and the database behind its back. */
async function withDatabase(folder: Folder): Promise<{ store: Store; database: Database }> {
  const databases: Database[] = [];
  const store = await folder.open(
    {},
    {
      database(path) {
        const database = bunDisk.database(path);
        databases.push(database);
        return database;
      },
    },
  );
  return { store, database: databases[0]! };
}

/** A server whose catalog may not grow beyond what it has, once `fill` is called; or again as much as it likes. */
async function withLimit(folder: Folder) {
  const { store, database } = await withDatabase(folder);
  const limit = (pages: number): void => void database.run(`PRAGMA max_page_count=${pages}`);
  const pageCount = (): number =>
    database.query<{ page_count: number }, []>("PRAGMA page_count").get()?.page_count ?? 0;
  return { store, fill: () => limit(pageCount()), makeRoom: () => limit(1_000_000) };
}

describe("a catalog with no room", () => {
  test("refuses what does not fit, all that came with it, and is as it was before", () =>
    inFolder(async (folder) => {
      const { store, fill, makeRoom } = await withLimit(folder);
      await store.commit(SPACE, inStore("a"), value(5), true);
      fill();
      const many = Array.from({ length: 60 }, (_, n) =>
        store.commit(SPACE, inStore(`n${n}`), value(6), true),
      );
      for (const one of many) await rejectionOf("noRoom", one);
      expect(store.read(SPACE, inStore("a")).register.com).toEqual(value(5));
      expect(store.read(SPACE, inStore("n1")).register).toEqual({ prom: 0n, acc: null, com: null });
      makeRoom();
      expect(await store.commit(SPACE, inStore("n1"), value(6), true)).toMatchObject({
        ignored: false,
      });
      expect(store.read(SPACE, inStore("n1")).register.com).toEqual(value(6));
      const again = await folder.reopen();
      expect(again.read(SPACE, inStore("n1")).register.com).toEqual(value(6));
      expect(again.read(SPACE, inStore("n2")).register.com).toBeNull();
    }));

  test("takes back the floor that was raised in a transaction that was undone", () =>
    inFolder(async (folder) => {
      const { store, fill, makeRoom } = await withLimit(folder);
      const gone = { ballot: 5n, version: { ...versionOf({ vid: VID }), deleted: true } };
      await store.commit(SPACE, inStore("a"), gone, true);
      fill();
      const forgotten = store.forget(SPACE, inStore("a"), 5n);
      const many = Array.from({ length: 60 }, (_, n) =>
        store.commit(SPACE, inStore(`n${n}`), value(6), true),
      );
      await Promise.all([...many, forgotten].map((one) => rejectionOf("noRoom", one)));
      expect(store.floors.of(SPACE)).toBe(0n);
      expect(store.read(SPACE, inStore("a")).register.com).toEqual(gone);
      makeRoom();
      expect(await store.forget(SPACE, inStore("a"), 5n)).toEqual({ ok: true });
      expect(store.floors.of(SPACE)).toBe(5n);
    }));
});

describe("a disk that fails", () => {
  const failure = new DfsError("unsynced", "the disk reports an error");

  test.each(["file", "folder"])(
    "in a sync of a %s: the server gives up, and the piece is not acknowledged",
    (kind) =>
      inFolder(async (folder) => {
        let failing: string | null = null;
        const orFail = (what: string, sync: () => Promise<void>) =>
          what === failing ? Promise.reject(failure) : sync();
        const store = await folder.open(
          {},
          {
            open: async (path, mode) => {
              const file = await bunDisk.open(path, mode);
              return { ...file, sync: () => orFail("file", () => file.sync()) };
            },
            syncFolder: (path) => orFail("folder", () => bunDisk.syncFolder(path)),
          },
        );
        failing = kind;
        await rejectionOf(
          "unsynced",
          store.pieces.putFile(idOf(VID, 0), smallPiece(VID, 0, pattern(BYTES))),
        );
        expect(folder.deaths.splice(0)).toEqual([failure]);
        expect(heldOf(store, VID)).toEqual([]);
      }),
  );

  test("in the catalog: the server gives up, and answers nothing more", () =>
    inFolder(async (folder) => {
      const { store, database } = await withDatabase(folder);
      database.run("DROP TABLE entry");
      const answers: string[] = [];
      const hear = (answer: Promise<unknown>): void =>
        void answer.then(
          () => answers.push("yes"),
          () => answers.push("no"),
        );
      const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));
      hear(store.collect(SPACE, inStore("a"), 0n, { vid: VID, spare: false }));
      hear(store.commit(SPACE, inStore("b"), value(5), true));
      await turn();
      hear(store.commit(SPACE, inStore("c"), value(6), true));
      await turn();
      expect(answers).toEqual([]);
      expect(folder.deaths.splice(0).map(({ message }) => message)).toEqual([
        expect.stringContaining("the catalog cannot be written"),
      ]);
      database.run("ROLLBACK");
    }));
});
