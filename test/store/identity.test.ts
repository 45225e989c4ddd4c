/** Who a server is after its folder was copied, put back, or robbed of its log; and the lives that it remembers. */
import { expect, test } from "bun:test";
import { cpSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Database } from "bun:sqlite";
import type { Config } from "../../src/membership.ts";
import type { Store } from "../../src/store/store.ts";
import { type Folder, idOf, inFolder, pattern, upload } from "../harness/folder.ts";
import { configOf } from "../harness/arbitraries.ts";
import { rejectionOf } from "../harness/thrown.ts";

const VID = "0".repeat(32);
const OTHER = "e".repeat(32);
const MARK = "0123456789abcdef";
const NEXT = "fedcba9876543210";

/** Opens a copy of the folder as it is now, and removes it in the end. */
async function withCopy(
  folder: Folder,
  work: (copy: { folder: string; catalogFolder: string }) => Promise<void>,
): Promise<void> {
  const path = `${folder.path}-copy`;
  cpSync(folder.path, path, { recursive: true });
  try {
    await work({ folder: path, catalogFolder: path });
  } finally {
    folder.close();
    rmSync(path, { recursive: true });
  }
}

/** Ends the server as kill -9 does: nothing of it is put in order. What it left lies in the copy that is returned. */
async function killed(folder: Folder): Promise<void> {
  const { path } = folder;
  cpSync(path, `${path}-killed`, { recursive: true });
  folder.close();
  for (const name of ["catalog.sqlite", "catalog.sqlite-wal"])
    writeFileSync(join(path, name), await Bun.file(join(`${path}-killed`, name)).bytes());
  rmSync(`${path}-killed`, { recursive: true });
}

const seated = (sid: string): Config =>
  configOf(1, {
    seats: [{ sid, name: "S", host: "127.0.0.1", port: 1, heir: null, weight: 1, zone: "" }],
  });

const knownTo = (store: Store) => store.lives.known.map(({ sid, mark }) => [sid, mark]);

test("each start is a life more, with a mark of its own, and all are remembered", () =>
  inFolder(async (folder) => {
    const first = (await folder.open()).lives.now;
    await killed(folder);
    const second = (await folder.open()).lives.now;
    const store = await folder.reopen();
    expect([first.life, second.life, store.lives.now.life]).toEqual([1, 2, 3]);
    for (const life of [first, second, store.lives.now]) expect(store.lives.isOwn(life)).toBe(true);
    for (const life of [
      { life: 2, mark: first.mark },
      { life: 1, mark: MARK },
      { life: 4, mark: MARK },
    ])
      expect(store.lives.isOwn(life)).toBe(false);
  }));

test("what is known of another moves on only from the very life that is known, and stays", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    const { lives } = store;
    const config = seated(OTHER);
    await lives.record([{ sid: OTHER, from: null, life: 1, mark: MARK }], config);
    const { revision } = lives;
    await lives.record([{ sid: OTHER, from: null, life: 7, mark: NEXT }], config);
    await lives.record([{ sid: OTHER, from: NEXT, life: 7, mark: "7".repeat(16) }], config);
    await lives.record([{ sid: VID, from: null, life: 1, mark: MARK }], config);
    expect([knownTo(store), lives.revision]).toEqual([[[OTHER, MARK]], revision]);
    await lives.record([{ sid: OTHER, from: MARK, life: 2, mark: NEXT }], config);
    expect(knownTo(store)).toEqual([[OTHER, NEXT]]);
    expect(lives.revision).toBeGreaterThan(revision);
    expect(knownTo(await folder.reopen())).toEqual([[OTHER, NEXT]]);
  }));

test("a copy of one that was stopped in order is the same server, and unsettled until it is told otherwise", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    await upload(store, idOf(VID, 0), pattern(90_000));
    expect([store.origin, store.lives.isUnsettled]).toEqual(["new", false]);
    folder.close();
    await withCopy(folder, async (copy) => {
      const other = await folder.open(copy);
      expect([other.sid, other.origin, other.lives.isUnsettled]).toEqual([store.sid, "copy", true]);
      const again = await folder.reopen(copy);
      expect([again.origin, again.lives.isUnsettled]).toEqual(["usual", true]);
      await again.lives.settle();
      expect(again.lives.isUnsettled).toBe(false);
      expect((await folder.reopen(copy)).lives.isUnsettled).toBe(false);
      expect((await folder.reopen()).sid).toBe(store.sid);
    });
  }));

test("a copy of one that was not stopped in order is another server, and says whose copy it is", () =>
  inFolder(async (folder) => {
    const { sid } = await folder.open();
    await withCopy(folder, async (copy) => {
      const other = await folder.open(copy);
      expect([other.origin, other.was]).toEqual(["torn", sid]);
      expect(other.sid).not.toBe(sid);
      const again = await folder.reopen(copy);
      expect([again.sid, again.origin, again.was]).toEqual([other.sid, "usual", sid]);
    });
  }));

test.each([
  ["removed", (log: string) => rmSync(log)],
  ["cut to nothing", (log: string) => truncateSync(log)],
])("a log that was %s after a crash is noticed, each time", (_, lose) =>
  inFolder(async (folder) => {
    await upload(await folder.open(), idOf(VID, 0), pattern(20));
    await folder.reopen();
    await killed(folder);
    lose(join(folder.path, "catalog.sqlite-wal"));
    for (let i = 0; i < 2; i++) {
      const { message } = await rejectionOf("folder", folder.open());
      expect(message).toContain("the log of the last run, is gone");
      expect(message).not.toContain("empty folder");
    }
  }),
);

test("a log that is there after a crash, or gone after an orderly stop, is as it must be", () =>
  inFolder(async (folder) => {
    const { sid } = await folder.open();
    await killed(folder);
    expect((await folder.open()).sid).toBe(sid);
    folder.close();
    const log = join(folder.path, "catalog.sqlite-wal");
    expect(statSync(log).size).toBe(0);
    rmSync(log);
    expect((await folder.open()).sid).toBe(sid);
  }));

test("a start that fails after a crash leaves the log", () =>
  inFolder(async (folder) => {
    const { sid } = await folder.open();
    await killed(folder);
    const list = () => Promise.reject(new Error("too many open files"));
    expect(await folder.open({}, { list }).catch((error: Error) => error.message)).toContain(
      "too many",
    );
    expect((await folder.open()).sid).toBe(sid);
    await killed(folder);
    const stat = () => Promise.reject(new Error("too many open files"));
    expect(await folder.open({}, { stat }).catch((error: Error) => error.message)).toContain(
      "too many",
    );
    expect((await folder.open()).sid).toBe(sid);
  }));

test.each([1, 2])(
  "a folder of format %d goes on as its server, and becomes one of today's",
  (format) =>
    inFolder(async (folder) => {
      const { sid } = await folder.open();
      folder.close();
      writeFileSync(join(folder.path, "format.json"), JSON.stringify({ format, sid }));
      expect((await folder.open()).sid).toBe(sid);
      expect(await Bun.file(join(folder.path, "format.json")).json()).toEqual({ format: 3, sid });
    }),
);

test("a folder of format 1 goes on in its first life that is told apart", () =>
  inFolder(async (folder) => {
    const { sid } = await folder.open();
    folder.close();
    const db = new Database(join(folder.path, "catalog.sqlite"), { strict: true });
    db.run("DELETE FROM fact WHERE key NOT IN ('sid', 'born', 'floor', 'membership')");
    db.close();
    writeFileSync(join(folder.path, "format.json"), JSON.stringify({ format: 1, sid }));
    const store = await folder.open();
    expect([store.sid, store.origin, store.lives.now.life]).toEqual([sid, "usual", 1]);
    expect(await Bun.file(join(folder.path, "format.json")).json()).toEqual({ format: 3, sid });
  }));
