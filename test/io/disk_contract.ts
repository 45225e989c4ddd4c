/** The Disk port's part of the contract. */
import { describe, expect, test } from "bun:test";
import type { Disk } from "../../src/io/ports.ts";
import { errorOf, type Harness, pattern, same } from "./harness.ts";

async function writeFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = await disk.open(path, "create");
  await file.write(bytes, 0);
  await file.close();
}

async function readFile(disk: Disk, path: string): Promise<Uint8Array> {
  const file = await disk.open(path, "read");
  const bytes = new Uint8Array((await disk.stat(path))?.bytes ?? 0);
  expect(await file.read(bytes, 0)).toBe(bytes.length);
  await file.close();
  return bytes;
}

export function diskContract(harness: Harness): void {
  describe(`${harness.name}: disk`, () => {
    test("writes and reads at offsets; a read is short only at the end", () =>
      harness.run(async ({ disk, folder }) => {
        const file = await disk.open(`${folder}/a`, "create");
        await file.write(pattern(1000, 1), 500);
        await file.write(pattern(500, 2), 0);
        await file.write(pattern(10, 3), 700);
        await file.write(pattern(5, 4), 2000);
        await file.write(new Uint8Array(0), 0);
        const want = new Uint8Array(2005);
        want.set(pattern(1000, 1), 500);
        want.set(pattern(500, 2), 0);
        want.set(pattern(10, 3), 700);
        want.set(pattern(5, 4), 2000);
        const got = new Uint8Array(2005);
        expect(await file.read(got, 0)).toBe(2005);
        expect(same(got, want)).toBe(true);
        const tail = new Uint8Array(100).fill(9);
        expect(await file.read(tail, 1995)).toBe(10);
        expect(same(tail.subarray(0, 10), want.subarray(1995))).toBe(true);
        expect(tail[10]).toBe(9);
        expect(await file.read(tail, 2005)).toBe(0);
        expect(await file.read(tail, 9999)).toBe(0);
        await file.sync();
        await file.close();
        expect(same(await readFile(disk, `${folder}/a`), want)).toBe(true);
      }));

    test("a large file, and writes and reads that overlap in time", () =>
      harness.run(async ({ disk, folder }) => {
        const bytes = pattern(3_000_000);
        const file = await disk.open(`${folder}/large`, "create");
        const step = 100_000;
        const places = Array.from({ length: 30 }, (_, i) => i * step);
        await Promise.all(places.map((at) => file.write(bytes.subarray(at, at + step), at)));
        await file.sync();
        const got = new Uint8Array(bytes.length);
        await Promise.all(places.map((at) => file.read(got.subarray(at, at + step), at)));
        expect(same(got, bytes)).toBe(true);
        await file.close();
      }));

    test("create refuses what is there, read what is not; a read handle does not write", () =>
      harness.run(async ({ disk, folder }) => {
        await writeFile(disk, `${folder}/a`, pattern(10));
        await errorOf("failed", disk.open(`${folder}/a`, "create"));
        await errorOf("failed", disk.open(`${folder}/b`, "read"));
        await errorOf("failed", disk.open(`${folder}/absent/b`, "create"));
        const file = await disk.open(`${folder}/a`, "read");
        await errorOf("failed", file.write(pattern(1), 0));
        await file.close();
        expect(same(await readFile(disk, `${folder}/a`), pattern(10))).toBe(true);
      }));

    test("a closed file neither reads nor writes", () =>
      harness.run(async ({ disk, folder }) => {
        const file = await disk.open(`${folder}/a`, "create");
        await file.close();
        await errorOf("failed", file.write(pattern(1), 0));
        await errorOf("failed", file.read(pattern(1), 0));
      }));

    test("a second close, and what comes after the first, meets no other file", () =>
      harness.run(async ({ disk, folder }) => {
        const bytes = pattern(100_000);
        await writeFile(disk, `${folder}/b`, bytes);
        const closed = await disk.open(`${folder}/a`, "create");
        await closed.write(bytes, 0);
        await Promise.all([closed.close(), closed.close()]);
        // The system gives the number of a closed file to the next one.
        const other = await disk.open(`${folder}/c`, "create");
        await other.write(bytes, 0);
        await closed.close();
        await errorOf("failed", closed.write(pattern(bytes.length, 1), 0));
        await errorOf("failed", closed.read(pattern(bytes.length), 0));
        await errorOf("failed", closed.sync());
        await other.sync();
        await other.close();
        expect(same(await readFile(disk, `${folder}/c`), bytes)).toBe(true);
      }));

    test("rename replaces whole, and an open file stays what it was", () =>
      harness.run(async ({ disk, folder }) => {
        await disk.makeFolder(`${folder}/sub`);
        await writeFile(disk, `${folder}/new`, pattern(20, 1));
        await writeFile(disk, `${folder}/sub/old`, pattern(30, 2));
        const old = await disk.open(`${folder}/sub/old`, "read");
        await disk.rename(`${folder}/new`, `${folder}/sub/old`);
        await disk.syncFolder(`${folder}/sub`);
        expect(await disk.stat(`${folder}/new`)).toBeNull();
        expect(same(await readFile(disk, `${folder}/sub/old`), pattern(20, 1))).toBe(true);
        const bytes = new Uint8Array(30);
        expect(await old.read(bytes, 0)).toBe(30);
        expect(same(bytes, pattern(30, 2))).toBe(true);
        await old.close();
        await errorOf("failed", disk.rename(`${folder}/new`, `${folder}/other`));
        await errorOf("failed", disk.rename(`${folder}/sub/old`, `${folder}/absent/x`));
        expect(same(await readFile(disk, `${folder}/sub/old`), pattern(20, 1))).toBe(true);
      }));

    test("remove takes a file away, again does nothing, and an open file can still be read", () =>
      harness.run(async ({ disk, folder }) => {
        await writeFile(disk, `${folder}/a`, pattern(10));
        const file = await disk.open(`${folder}/a`, "read");
        await disk.remove(`${folder}/a`);
        await disk.remove(`${folder}/a`);
        await disk.remove(`${folder}/absent/a`);
        expect(await disk.stat(`${folder}/a`)).toBeNull();
        const bytes = new Uint8Array(10);
        expect(await file.read(bytes, 0)).toBe(10);
        await file.close();
        await writeFile(disk, `${folder}/a`, pattern(5));
        expect(same(await readFile(disk, `${folder}/a`), pattern(5))).toBe(true);
        await disk.makeFolder(`${folder}/sub`);
        await errorOf("failed", disk.remove(`${folder}/sub`));
      }));

    test("folders are made with those above, and listed in order; an absent one is empty", () =>
      harness.run(async ({ disk, folder }) => {
        expect(await disk.list(folder)).toEqual([]);
        expect(await disk.list(`${folder}/absent`)).toEqual([]);
        await disk.makeFolder(`${folder}/x/y/z`);
        await disk.makeFolder(`${folder}/x/y/z`);
        await disk.makeFolder(`${folder}/x`);
        for (const name of ["b", "a10", "a9", "B", "é", ".c"])
          await writeFile(disk, `${folder}/x/${name}`, pattern(1));
        expect(await disk.list(`${folder}/x`)).toEqual([".c", "B", "a10", "a9", "b", "y", "é"]);
        expect(await disk.list(`${folder}/x/y`)).toEqual(["z"]);
        expect(await disk.list(`${folder}/x/y/`)).toEqual(["z"]);
        await errorOf("failed", disk.list(`${folder}/x/b`));
        await errorOf("failed", disk.makeFolder(`${folder}/x/b`));
        await errorOf("failed", disk.makeFolder(`${folder}/x/b/c`));
      }));

    test("stat tells size, kind and time; null where nothing is", () =>
      harness.run(async ({ disk, folder, clock }) => {
        expect(await disk.stat(`${folder}/a`)).toBeNull();
        await writeFile(disk, `${folder}/a`, pattern(1234));
        const info = await disk.stat(`${folder}/a`);
        expect(info).toMatchObject({ bytes: 1234, isFolder: false });
        expect(Math.abs((info?.modified ?? 0) - clock.wall())).toBeLessThan(5000);
        expect(await disk.stat(folder)).toMatchObject({ isFolder: true });
        expect(await disk.stat(`${folder}/`)).toMatchObject({ isFolder: true });
      }));

    test("tells the room there is", () =>
      harness.run(async ({ disk, folder }) => {
        const { bytes, files } = await disk.space(folder);
        expect(bytes?.free).toBeGreaterThan(0);
        expect(bytes?.total).toBeGreaterThanOrEqual(bytes?.free ?? 0);
        if (files) expect(files.total).toBeGreaterThanOrEqual(files.free);
        // Another folder of it is on the same disk.
        await disk.makeFolder(`${folder}/x`);
        const { disk: which } = await disk.space(folder);
        expect((await disk.space(`${folder}/x`)).disk).toBe(which);
      }));

    test("syncs files and folders", () =>
      harness.run(async ({ disk, folder }) => {
        const file = await disk.open(`${folder}/a`, "create");
        await file.sync();
        await file.write(pattern(10), 0);
        await file.sync();
        await file.sync();
        await file.close();
        await disk.syncFolder(folder);
        await errorOf("failed", disk.syncFolder(`${folder}/absent`));
      }));

    test("a database keeps what was committed, and nothing of what was rolled back", () =>
      harness.run(async ({ disk, folder }) => {
        expect(() => disk.database(`${folder}/absent/catalog.sqlite`)).toThrow();
        const path = `${folder}/catalog.sqlite`;
        const first = disk.database(path);
        first.run("PRAGMA locking_mode=EXCLUSIVE");
        expect(first.query("PRAGMA journal_mode=WAL").get()).toEqual({ journal_mode: "wal" });
        first.run("PRAGMA synchronous=FULL");
        first.run("CREATE TABLE t (k TEXT PRIMARY KEY, v BLOB)");
        const put = first.query("INSERT OR REPLACE INTO t VALUES ($k, $v)");
        put.run({ k: "alone", v: pattern(100) });
        first.run("PRAGMA synchronous=NORMAL");
        first.run("BEGIN IMMEDIATE");
        put.run({ k: "kept", v: pattern(200_000) });
        first.run("COMMIT");
        first.run("BEGIN IMMEDIATE");
        expect(first.inTransaction).toBe(true);
        put.run({ k: "undone", v: null });
        first.run("ROLLBACK");
        expect(first.query("PRAGMA wal_checkpoint(TRUNCATE)").get()).toMatchObject({ busy: 0 });
        first.run("PRAGMA user_version=7");
        first.close();
        expect((await disk.stat(path))?.bytes).toBeGreaterThan(200_000);
        expect(await disk.list(folder)).toContain("catalog.sqlite");

        const second = disk.database(path);
        expect(second.query("SELECT k, length(v) AS n FROM t ORDER BY k").all()).toEqual([
          { k: "alone", n: 100 },
          { k: "kept", n: 200_000 },
        ]);
        expect(second.query("PRAGMA user_version").get()).toEqual({ user_version: 7 });
        second.close();
      }));
  });
}
