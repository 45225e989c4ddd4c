/** Bytes that change on the disk: what is damaged is never served, never counted, and never taken for absent. */
import { describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../../src/bytes.ts";
import { tableBytes } from "../../src/file/checksum.ts";
import { BLOCK_BYTES } from "../../src/limits.ts";
import type { Store } from "../../src/store/store.ts";
import { registerCodec } from "../../src/version.ts";
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
const OTHER = "ac".repeat(16);
/** Three blocks, the last of them short. */
const BYTES = 2 * BLOCK_BYTES + 1000;
const TABLE = tableBytes(BYTES);

/** Every block of a piece. */
async function readAll(store: Store, piece = 0): Promise<void> {
  for (let at = 0; at < BYTES; at += BLOCK_BYTES)
    await store.pieces.fetch(idOf(VID, piece), at, Math.min(BLOCK_BYTES, BYTES - at));
}

/** A server that holds pieces 0 and 1 of a version in files, damaged while it is down. */
async function damaged(folder: Folder, damage: () => void): Promise<Store> {
  const store = await folder.open();
  for (const piece of [0, 1]) await upload(store, idOf(VID, piece), pattern(BYTES, piece));
  folder.close();
  damage();
  return folder.open();
}

describe("a piece's file", () => {
  test.each([
    ["its first byte is another one", (path: string) => flip(path, 0)],
    ["a byte of its second block is another one", (path: string) => flip(path, BLOCK_BYTES + 5)],
    ["its last byte is another one", (path: string) => flip(path, BYTES - 1)],
    ["the first sum is another one", (path: string) => flip(path, BYTES)],
    ["the last sum is another one", (path: string) => flip(path, BYTES + TABLE - 1)],
    [
      "it ends in the middle of its bytes",
      (path: string) => writeFileSync(path, readFileSync(path).subarray(0, BLOCK_BYTES + 7)),
    ],
    [
      "it ends in the middle of its sums",
      (path: string) => writeFileSync(path, readFileSync(path).subarray(0, BYTES + TABLE - 1)),
    ],
    ["it is empty", (path: string) => writeFileSync(path, "")],
  ])("when %s: it is damaged, and not held any more, not even after a restart", (_, damage) =>
    inFolder(async (folder) => {
      const store = await damaged(folder, () => damage(folder.file(VID, 0)));
      expect(heldOf(store, VID)).toEqual([0, 1]);
      await rejectionOf("badPiece", readAll(store));
      expect(heldOf(store, VID)).toEqual([1]);
      expect(store.held(SPACE, inStore("a"), VID)).toEqual([1]);
      expect(store.read(SPACE, inStore("a")).held).toMatchObject([
        { cid: VID, pieces: [1], bad: [0] },
      ]);
      await rejectionOf("badPiece", readAll(store));
      await readAll(store, 1);
      expect(heldOf(await folder.reopen(), VID)).toEqual([1]);
    }),
  );

  test("when two files are swapped, neither passes for the other", () =>
    inFolder(async (folder) => {
      const [one, two] = [folder.file(VID, 0), folder.file(VID, 1)];
      const store = await damaged(folder, () => {
        renameSync(one, `${one}.away`);
        renameSync(two, one);
        renameSync(`${one}.away`, two);
      });
      await rejectionOf("badPiece", readAll(store, 0));
      await rejectionOf("badPiece", readAll(store, 1));
      expect(heldOf(store, VID)).toEqual([]);
    }));

  test("when another version's piece lies in its place", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await upload(store, idOf(VID, 0), pattern(BYTES));
      await upload(store, idOf(OTHER, 0), pattern(BYTES));
      renameSync(folder.file(OTHER, 0), folder.file(VID, 0));
      await rejectionOf("badPiece", readAll(store));
      expect(heldOf(store, VID)).toEqual([]);
    }));

  test("when it goes while the server runs", () =>
    inFolder(async (folder) => {
      const store = await damaged(folder, () => {});
      rmSync(folder.file(VID, 0));
      await rejectionOf("badPiece", readAll(store));
      expect(heldOf(store, VID)).toEqual([1]);
    }));

  test("when only its footer is another one its bytes are good, and are served", () =>
    inFolder(async (folder) => {
      const store = await damaged(folder, () => flip(folder.file(VID, 0), -40));
      await readAll(store);
      expect(heldOf(store, VID)).toEqual([0, 1]);
    }));

  test("when it comes again, it is good again", () =>
    inFolder(async (folder) => {
      const store = await damaged(folder, () => cut(folder.file(VID, 0), 300));
      await rejectionOf("badPiece", readAll(store));
      await upload(store, idOf(VID, 0), pattern(BYTES));
      await readAll(store);
      expect(heldOf(store, VID)).toEqual([0, 1]);
    }));
});

describe("a piece in the catalog", () => {
  test.each([
    ["its bytes are others", "data = zeroblob(100)"],
    ["its root is another one", "root = zeroblob(32)"],
    ["it is cut", "data = substr(data, 1, 50)"],
    ["its length is a smaller one", "bytes = 99"],
    ["its length is a larger one", "bytes = 100 + 65536"],
  ])("when %s: it is damaged, and not held any more", (_, change) =>
    inFolder(async (folder) => {
      const small = [0, 1].map((piece) => smallPiece(VID, piece, pattern(100, piece)));
      await (
        await folder.open()
      ).prepare(SPACE, inStore("a"), 5n, { vid: VID, link: VID, inline: small });
      folder.catalog(`UPDATE content SET ${change} WHERE piece = 0`);
      const store = await folder.open();
      await rejectionOf("badPiece", store.pieces.fetch(idOf(VID, 0), 0, 100));
      expect(heldOf(store, VID)).toEqual([1]);
      await store.pieces.fetch(idOf(VID, 1), 0, 100);
      // A PREPARE brings it again.
      expect(
        await store.prepare(SPACE, inStore("a"), 6n, { vid: VID, link: VID, inline: small }),
      ).toMatchObject({ held: [0, 1] });
      expect(same(await store.pieces.fetch(idOf(VID, 0), 0, 100), pattern(100))).toBe(true);
    }),
  );
});

describe("a register's row", () => {
  const value = { ballot: 5n, version: versionOf({ vid: VID }) };

  /** A server with the names a and b, whose row of a was changed while it was down. */
  async function withDamage(folder: Folder, change: string): Promise<Store> {
    const store = await folder.open();
    for (const name of ["a", "b"]) await store.commit(SPACE, inStore(name), value, true);
    folder.catalog(`UPDATE register SET ${change} WHERE name = 'a'`);
    return folder.open();
  }

  const CHANGES: [string, string][] = [
    ["its bytes are others", "row = CAST(substr(row, 1, 40) || x'77' || substr(row, 42) AS BLOB)"],
    ["it is that of another name", "name = 'c'"],
    ["it is that of another space", "space = 'u:Alice'"],
    ["its sum is another one", "sum = zeroblob(8)"],
    ["it is cut", "row = substr(row, 1, 30)"],
    ["it is empty", "row = x''"],
  ];

  test.each(CHANGES)(
    "when %s: no name is absent any more, and others are as they were",
    (_, change) =>
      inFolder(async (folder) => {
        const store = await withDamage(folder, change);
        expect(store.isDamaged).toBe(true);
        expect(store.read(SPACE, inStore("b")).register.com).toEqual(value);
        for (const name of ["a", "never put"]) {
          const read = async (): Promise<unknown> => store.read(SPACE, inStore(name));
          await rejectionOf("damaged", read());
          await rejectionOf(
            "damaged",
            store.prepare(SPACE, inStore(name), 9n, { vid: VID, link: VID, inline: [] }),
          );
          await rejectionOf("damaged", store.accept(SPACE, inStore(name), 9n, value.version));
          await rejectionOf(
            "damaged",
            store.commit(SPACE, inStore(name), { ...value, ballot: 9n }, true),
          );
          await rejectionOf("damaged", store.forget(SPACE, inStore(name), 5n));
          await rejectionOf(
            "damaged",
            store.collect(SPACE, inStore(name), 5n, { vid: VID, spare: false }),
          );
        }
        expect(
          await store.prepare(SPACE, inStore("b"), 9n, { vid: VID, link: VID, inline: [] }),
        ).toMatchObject({ ok: true });
      }),
  );

  test("a list names it as damaged, and says that it is not complete", () =>
    inFolder(async (folder) => {
      const store = await withDamage(folder, "sum = zeroblob(8)");
      expect(store.isDamaged).toBe(true);
      const page = store.page(SPACE, "", "", 10, false);
      expect<string[]>(page.map(({ name }) => name)).toEqual(["a", "b"]);
      expect(page[0]?.register).toBe("damaged");
      const whole = page[1]?.register as Uint8Array;
      expect(decode(registerCodec, whole)).toMatchObject({ com: value });
    }));

  test("no damage, no alarm", () =>
    inFolder(async (folder) => {
      const store = await withDamage(folder, "name = name");
      expect(store.isDamaged).toBe(false);
      expect(store.read(SPACE, inStore("never put")).register.com).toBeNull();
    }));
});

describe("the catalog as a whole", () => {
  const open = async (folder: Folder, damage: (path: string) => void): Promise<string> => {
    const store = await folder.open();
    await store.membership.join("1".repeat(32));
    for (let n = 0; n < 200; n++)
      void store.commit(
        SPACE,
        inStore(`n${n}`),
        { ballot: 5n, version: versionOf({ vid: VID, body: pattern(2000) }) },
        false,
      );
    await store.commit(
      SPACE,
      inStore("last"),
      { ballot: 5n, version: versionOf({ vid: VID }) },
      true,
    );
    folder.close();
    damage(join(folder.path, "catalog.sqlite"));
    return (await rejectionOf("folder", folder.open())).message;
  };
  const overwrite = (path: string, from: number, bytes: number): void => {
    const all = readFileSync(path);
    all.fill(0x5a, from, from + bytes);
    writeFileSync(path, all);
  };

  test.each([
    ["its header is overwritten", (path: string) => overwrite(path, 0, 100)],
    ["its schema is overwritten", (path: string) => overwrite(path, 100, 3000)],
    ["a page in the middle is overwritten", (path: string) => overwrite(path, 40 * 4096, 4096)],
    ["it is cut", (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 30 * 4096))],
    ["it is gone", (path: string) => rmSync(path)],
  ])("when %s: the folder is not served, and a line says why", (_, damage) =>
    inFolder(async (folder) => {
      expect(await open(folder, damage)).toMatch(/catalog/);
    }),
  );

  test.each(["membership", "sid"])("when its record of the %s is another one", (key) =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await store.membership.join("1".repeat(32));
      folder.catalog(
        "UPDATE fact SET value = CAST(substr(value, 1, 10) || x'77' || substr(value, 12) AS BLOB) WHERE key = ?",
        key,
      );
      expect((await rejectionOf("folder", folder.open())).message).toContain(key);
    }),
  );

  test.each([
    "UPDATE floor SET floor = CAST(substr(floor, 1, 10) || x'77' || substr(floor, 12) AS BLOB)",
    "UPDATE floor SET space = 'u:other'",
  ])("when a floor is another one: %s", (change) =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const gone = { ballot: 5n, version: { ...versionOf({ vid: VID }), deleted: true } };
      await store.commit(SPACE, inStore("a"), gone, true);
      await store.forget(SPACE, inStore("a"), 5n);
      folder.catalog(change);
      expect((await rejectionOf("folder", folder.open())).message).toContain("a floor");
    }),
  );
});
