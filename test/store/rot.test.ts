/** A bit of the catalog's file that turns while the server is down: it is told of, or put right, or does no harm. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDfsError } from "../../src/errors.ts";
import type { Store } from "../../src/store/store.ts";
import { versionOf } from "../harness/arbitraries.ts";
import { Rng } from "../sim/random.ts";
import { rejectionOf } from "../harness/thrown.ts";
import {
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

const FILES = 12;
const BYTES = 20_000;
/** Bits of each seed. */
const TRIALS = 60;
const vidOf = (n: number): string => n.toString(16).padStart(2, "0").repeat(16);
const nameOf = (n: number): string => `folder/file ${n}`;
const valueOf = (n: number) => ({
  ballot: 5n,
  version: versionOf({ vid: vidOf(n + 1), pieces: 2 }),
});
const GONE = { ballot: 5n, version: { ...versionOf({ vid: vidOf(99) }), deleted: true } };

const catalogOf = (folder: Folder): string => join(folder.path, "catalog.sqlite");

/** Names with a piece as a file, and one in the catalog; one in the trash; one that was forgotten. */
async function fill(folder: Folder): Promise<Buffer> {
  const store = await folder.open();
  await store.membership.join("1".repeat(32));
  for (let n = 0; n < FILES; n++) {
    const vid = vidOf(n + 1);
    await upload(store, idOf(vid, 0, nameOf(n)), pattern(BYTES, n));
    const small = [smallPiece(vid, 1, pattern(700, n))];
    await store.prepare(SPACE, inStore(nameOf(n)), 4n, { vid: vid, link: vid, inline: small });
    await store.commit(SPACE, inStore(nameOf(n)), valueOf(n), true);
  }
  await store.prepare(SPACE, inStore("orphan"), 4n, {
    vid: vidOf(50),
    link: vidOf(50),
    inline: [smallPiece(vidOf(50), 1, pattern(100))],
  });
  expect(
    await store.collect(SPACE, inStore("orphan"), 4n, { vid: vidOf(50), spare: false }),
  ).toEqual({
    ok: true,
  });
  await store.commit(SPACE, inStore("gone"), GONE, true);
  expect(await store.forget(SPACE, inStore("gone"), 5n)).toEqual({ ok: true });
  folder.close();
  return readFileSync(catalogOf(folder));
}

/** The catalog as it was, but for one bit; null where the folder is not served any more, and says why in a line. */
async function openWith(folder: Folder, sound: Buffer, offset: number, bit: number) {
  rmSync(`${catalogOf(folder)}-wal`, { force: true });
  const bytes = Buffer.from(sound);
  bytes[offset]! ^= 1 << bit;
  writeFileSync(catalogOf(folder), bytes);
  try {
    return await folder.open();
  } catch (error) {
    if (!isDfsError(error, "folder")) throw error;
    expect(error.message).toMatch(
      /catalog is damaged \(.+\): move this folder away, and replace the server$|cannot be opened: |has been lost: /,
    );
    return null;
  }
}

/** What it says is so, or it says that it cannot tell. */
async function judge(store: Store): Promise<void> {
  for (let n = 0; n < FILES; n++) {
    const told = orDamaged(() => store.read(SPACE, inStore(nameOf(n))));
    if (told === "damaged") continue;
    expect(told.register).toMatchObject({ acc: valueOf(n), com: valueOf(n) });
    for (const piece of heldOf(store, vidOf(n + 1), nameOf(n))) {
      const [bytes, salt] = piece === 0 ? [BYTES, n] : [700, n];
      try {
        const data = await store.pieces.fetch(idOf(vidOf(n + 1), piece, nameOf(n)), 0, bytes);
        expect(same(data, pattern(bytes, salt))).toBe(true);
      } catch (error) {
        if (!isDfsError(error, "badPiece")) throw error;
        // From now on it says so by itself.
        expect(heldOf(store, vidOf(n + 1), nameOf(n))).not.toContain(piece);
      }
    }
  }
  for (const name of ["gone", "never there"]) {
    const told = orDamaged(() => store.read(SPACE, inStore(name)));
    if (told !== "damaged") expect(told.register).toEqual({ prom: 5n, acc: null, com: null });
  }
  expect(store.floors.of(SPACE)).toBe(5n);
  expect(store.membership.cluster).toBe("1".repeat(32));
}

function orDamaged<T>(work: () => T): T | "damaged" {
  try {
    return work();
  } catch (error) {
    if (isDfsError(error, "damaged")) return "damaged";
    throw error;
  }
}

/** Its indexes say what its tables say. */
function checkIndexes(folder: Folder): void {
  const db = new Database(catalogOf(folder));
  try {
    expect(db.query("PRAGMA integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  } finally {
    db.close();
  }
}

const pageOf = (folder: Folder, index: string): number => {
  const db = new Database(catalogOf(folder), { readonly: true });
  try {
    const found = db
      .query<{ rootpage: number }, [string]>("SELECT rootpage FROM sqlite_schema WHERE name = ?")
      .get(index);
    return (found?.rootpage ?? 0) - 1;
  } finally {
    db.close();
  }
};

describe("one bit in an index of the pieces", () => {
  test.each(["holding_by_content", "sqlite_autoindex_content_1"])(
    "%s: it is made anew at the start, and the operator is told",
    (index) =>
      inFolder(async (folder) => {
        const sound = await fill(folder);
        const page = pageOf(folder, index);
        const at = sound.indexOf(Buffer.from(vidOf(12), "hex"), page * 4096);
        expect(Math.floor(at / 4096)).toBe(page);
        const lines: string[] = [];
        const bytes = Buffer.from(sound);
        // Another id.
        bytes[at] = 0x34;
        writeFileSync(catalogOf(folder), bytes);
        const store = await folder.open({ notify: ({ line }) => lines.push(line) });
        expect(lines).toEqual([expect.stringContaining("run dfs-tool repair")]);
        for (let n = 0; n < FILES; n++)
          expect(heldOf(store, vidOf(n + 1), nameOf(n))).toEqual([0, 1]);
        expect((await store.scrub.health()).pieces).toBe(2 * FILES);
        await judge(store);
        folder.close();
        checkIndexes(folder);
      }),
  );

  test("while the server runs: what it cannot tell is damaged, and the next look puts it right", () =>
    inFolder(async (folder) => {
      await fill(folder);
      const lines: string[] = [];
      const databases: Database[] = [];
      const store = await folder.open(
        { notify: ({ line }) => lines.push(line) },
        {
          database: (path) => {
            const database = new Database(path, { create: true, strict: true });
            databases.push(database);
            return database;
          },
        },
      );
      // An id that is none, in all of the catalog, as damage on the disk would leave it.
      const id = Uint8Array.fromHex(vidOf(4));
      for (const table of ["content", "holding"])
        databases[0]?.run(`UPDATE ${table} SET cid = x'70' WHERE cid = ?`, [id]);
      const read = async (): Promise<unknown> => store.read(SPACE, inStore(nameOf(3)));
      await rejectionOf("damaged", read());
      expect(store.read(SPACE, inStore(nameOf(4))).held).toMatchObject([{ pieces: [0, 1] }]);
      while (await store.scrub.run(1e6, 0)) if (lines.length > 0) break;
      expect(lines).toEqual([expect.stringContaining("4 records were lost")]);
      expect(store.read(SPACE, inStore(nameOf(3))).held).toEqual([]);
    }));
});

test("an entry of an index that leads to a row that should not be in it makes up for none that is missing", () =>
  inFolder(async (folder) => {
    const sound = await fill(folder);
    // The last entry of those that are to be read back is that of the last row but one; the last is in the trash.
    const last = 2 * FILES;
    const page = pageOf(folder, "content_by_check");
    const entry = Buffer.from([4, 3, 0, 1, last]);
    const at = sound.indexOf(entry, page * 4096);
    expect(Math.floor(at / 4096)).toBe(page);
    expect(await openWith(folder, sound, at + 4, 0)).not.toBeNull();
    folder.close();
    checkIndexes(folder);
  }));

describe("any bit of the catalog", () => {
  test.each([1, 2, 3, 10])("is told of or harmless (%d)", (seed) =>
    inFolder(async (folder) => {
      const sound = await fill(folder);
      const rng = new Rng(seed);
      // Where nothing is, nothing happens.
      const used = [...sound.keys()].filter((at) => sound[at] !== 0);
      for (let i = 0; i < TRIALS; i++) {
        const offset = rng.chance(0.9) ? rng.pick(used) : rng.int(sound.length);
        const bit = rng.int(8);
        const store = await openWith(folder, sound, offset, bit);
        if (!store) continue;
        try {
          await judge(store);
        } catch (error) {
          throw new Error(`bit ${bit} of byte ${offset}`, { cause: error });
        }
        const isDamaged = store.isDamaged;
        folder.close();
        if (!isDamaged) checkIndexes(folder);
      }
    }),
  );
});
