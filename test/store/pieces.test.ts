/** Pieces on the real disk: how they come, lie there, and are read. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { concat } from "../../src/bytes.ts";
import { DfsError } from "../../src/errors.ts";
import { rootOf, tableAndRoot } from "../../src/file/checksum.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import { BLOCK_BYTES, CHUNK_BYTES, INLINE_BYTES } from "../../src/limits.ts";
import type { Store } from "../../src/store/store.ts";
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

const VID = "ab".repeat(16);
const LARGE = 2 * CHUNK_BYTES + BLOCK_BYTES + 1000;

/** All of a piece, in fetches of a chunk each. */
async function fetchAll(
  store: Store,
  id: ReturnType<typeof idOf>,
  bytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [new Uint8Array()];
  for (let at = 0; at < bytes; at += CHUNK_BYTES)
    parts.push(await store.pieces.fetch(id, at, Math.min(CHUNK_BYTES, bytes - at)));
  return concat(parts);
}

const temporaries = (folder: Folder): Promise<string[]> => readdir(join(folder.path, "pieces/tmp"));

/** A server as it runs, and once more after a restart. */
async function* beforeAndAfter(folder: Folder, store: Store): AsyncGenerator<Store> {
  yield store;
  yield await folder.reopen();
}

describe("a piece in a file", () => {
  test.each([
    ["of several chunks", LARGE],
    ["of one block", BLOCK_BYTES],
    ["of a block and a byte", BLOCK_BYTES + 1],
    ["of one byte", 1],
    ["of nothing", 0],
  ])("%s is read as it was sent, before and after a restart", (_, bytes) =>
    inFolder(async (folder) => {
      const data = pattern(bytes);
      const id = idOf(VID, 3);
      const store = await folder.open();
      await upload(store, id, data);
      expect(heldOf(store, VID)).toEqual([3]);
      expect(await temporaries(folder)).toEqual([]);
      for await (const opened of beforeAndAfter(folder, store)) {
        expect(same(await fetchAll(opened, id, bytes), data)).toBe(true);
        const { table } = tableAndRoot(VID, 3, data);
        expect(same(await opened.pieces.sums(id, 0, table.length), table)).toBe(true);
        expect(heldOf(opened, VID)).toEqual([3]);
      }
    }),
  );

  test("begins with its bytes, and its name says what it is", () =>
    inFolder(async (folder) => {
      const data = pattern(BLOCK_BYTES + 5);
      await upload(await folder.open(), idOf(VID, 3), data);
      const file = readFileSync(join(folder.path, "pieces/ab", `${VID}.3`));
      expect(same(file.subarray(0, data.length), data)).toBe(true);
      const { table, root } = tableAndRoot(VID, 3, data);
      expect(same(file.subarray(data.length, data.length + table.length), table)).toBe(true);
      // src/store/README.md: the footer, its sum and its length, and the magic.
      const text = (value: string): string =>
        value.length.toString(16).padStart(8, "0") + Buffer.from(value).toString("hex");
      const footer = [
        text(SPACE),
        // The first 16 bits of the SHA-256 of "u:", a zero byte, and "a".
        "6c61",
        VID,
        "03",
        data.length.toString(16).padStart(16, "0"),
        Buffer.from(root).toString("hex"),
      ].join("");
      const tail = file.subarray(data.length + table.length);
      expect(tail.toString("hex").startsWith(footer)).toBe(true);
      const end = tail.subarray(footer.length / 2);
      expect(end.readBigUInt64BE(0)).toBe(Bun.hash.xxHash3(Buffer.from(footer, "hex")));
      expect(end.readUInt32BE(8)).toBe(footer.length / 2);
      expect(end.subarray(12).toString()).toBe("dfs piece 2\n");
    }));

  test("is acknowledged once its name is durable, and that of its folder", () =>
    inFolder(async (folder) => {
      const synced: string[] = [];
      const store = await folder.open(
        {},
        {
          syncFolder(path) {
            synced.push(path.slice(folder.path.length));
            return bunDisk.syncFolder(path);
          },
        },
      );
      synced.length = 0;
      await upload(store, idOf(VID, 0), pattern(10));
      expect(synced).toEqual(["/pieces", "/pieces/ab"]);
      synced.length = 0;
      await upload(store, idOf(VID, 1), pattern(10));
      expect(synced).toEqual(["/pieces/ab"]);
    }));

  test("parts of it are read from a block's begin on", () =>
    inFolder(async (folder) => {
      const data = pattern(LARGE);
      const id = idOf(VID, 0);
      const store = await folder.open();
      await upload(store, id, data);
      for (const [from, bytes] of [
        [0, BLOCK_BYTES],
        [BLOCK_BYTES, 2 * BLOCK_BYTES],
        [LARGE - 1000, 1000],
      ] as const)
        expect(
          same(await store.pieces.fetch(id, from, bytes), data.subarray(from, from + bytes)),
        ).toBe(true);
      await rejectionOf("protocol", store.pieces.fetch(id, 0, LARGE + 1));
      await rejectionOf(
        "protocol",
        store.pieces.sums(id, 0, tableAndRoot(VID, 0, data).table.length + 1),
      );
      expect(heldOf(store, VID)).toEqual([0]);
    }));

  test("a request for a part of a block does not condemn the piece", () =>
    inFolder(async (folder) => {
      const id = idOf(VID, 0);
      const store = await folder.open();
      await upload(store, id, pattern(LARGE));
      await rejectionOf("protocol", store.pieces.fetch(id, 0, 100));
      await rejectionOf("protocol", store.pieces.fetch(id, 100, 100));
      expect(heldOf(store, VID)).toEqual([0]);
    }));

  test("a file that cannot be opened for now is not a damaged one", () =>
    inFolder(async (folder) => {
      const id = idOf(VID, 0);
      await upload(await folder.open(), id, pattern(LARGE));
      folder.close();
      let isBusy = true;
      const store = await folder.open(
        {},
        {
          open: (path, mode) =>
            isBusy && path.endsWith(".0")
              ? Promise.reject(new DfsError("failed", `${path}: too many open files`))
              : bunDisk.open(path, mode),
        },
      );
      await rejectionOf("failed", store.pieces.fetch(id, 0, BLOCK_BYTES));
      isBusy = false;
      expect(heldOf(store, VID)).toEqual([0]);
    }));

  test("is nobody's but the space's that sent it", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await upload(store, idOf(VID, 0), pattern(100));
      const other = { ...idOf(VID, 0), space: "u:Mallory" };
      await rejectionOf("noPiece", store.pieces.fetch(other, 0, 100));
      await rejectionOf("noPiece", store.pieces.sums(other, 0, 8));
      await rejectionOf("noPiece", store.pieces.fetch(idOf(VID, 1), 0, 100));
    }));
});

describe("what arrives", () => {
  const data = pattern(CHUNK_BYTES + 10);
  const id = idOf(VID, 0);
  const root = tableAndRoot(VID, 0, data).root;

  test("must come in order, without gaps, and be no more than was said", () =>
    inFolder(async (folder) => {
      const { pieces } = await folder.open();
      const incoming = await pieces.receive(id, data.length);
      await rejectionOf("protocol", incoming.append(BLOCK_BYTES, data.subarray(0, 10)));
      await incoming.append(0, data.subarray(0, CHUNK_BYTES));
      await rejectionOf("protocol", incoming.append(0, data.subarray(0, CHUNK_BYTES)));
      await rejectionOf("protocol", incoming.append(CHUNK_BYTES, new Uint8Array(11)));
      await rejectionOf("protocol", incoming.append(CHUNK_BYTES + BLOCK_BYTES, new Uint8Array(1)));
      await incoming.append(CHUNK_BYTES, data.subarray(CHUNK_BYTES));
      await pieces.received(incoming, id, data.length, root);
      expect(same(await pieces.fetch(id, 0, CHUNK_BYTES), data.subarray(0, CHUNK_BYTES))).toBe(
        true,
      );
    }));

  test("must end where it said, and be what its root says; else nothing is held, and nothing stays", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const { pieces } = store;
      const short = await pieces.receive(id, data.length);
      await short.append(0, data.subarray(0, CHUNK_BYTES));
      await rejectionOf("protocol", pieces.received(short, id, data.length, root));
      // Nor does a root help that fits the part that came.
      const { table } = tableAndRoot(VID, 0, data.subarray(0, CHUNK_BYTES));
      const cut = rootOf(VID, 0, data.length, table);
      await rejectionOf("protocol", pieces.received(short, id, data.length, cut));
      const wrong = await pieces.receive(id, data.length);
      await wrong.append(0, pattern(CHUNK_BYTES, 1));
      await wrong.append(CHUNK_BYTES, data.subarray(CHUNK_BYTES));
      await rejectionOf("protocol", pieces.received(wrong, id, data.length, root));
      expect((await temporaries(folder)).length).toBe(2);
      await short.abort();
      await wrong.abort();
      expect(await temporaries(folder)).toEqual([]);
      expect(existsSync(folder.file(VID, 0))).toBe(false);
      expect(heldOf(store, VID)).toEqual([]);
    }));

  test("of several senders of one piece does not mix", () =>
    inFolder(async (folder) => {
      const { pieces } = await folder.open();
      const [one, two] = [
        await pieces.receive(id, data.length),
        await pieces.receive(id, data.length),
      ];
      for (const at of [0, CHUNK_BYTES])
        for (const incoming of [one, two])
          await incoming.append(at, data.subarray(at, at + CHUNK_BYTES));
      await Promise.all([
        pieces.received(one, id, data.length, root),
        pieces.received(two, id, data.length, root),
      ]);
      expect(same(await pieces.fetch(id, CHUNK_BYTES, 10), data.subarray(CHUNK_BYTES))).toBe(true);
      expect(await temporaries(folder)).toEqual([]);
    }));
});

describe("a small piece", () => {
  const data = pattern(INLINE_BYTES);

  test("lies in the catalog, and is read as any other", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await store.prepare(SPACE, inStore("a"), 5n, {
        vid: VID,
        link: VID,
        inline: [smallPiece(VID, 2, data), smallPiece(VID, 3, new Uint8Array())],
      });
      expect(existsSync(folder.file(VID, 2))).toBe(false);
      for await (const opened of beforeAndAfter(folder, store)) {
        expect(heldOf(opened, VID)).toEqual([2, 3]);
        expect(same(await opened.pieces.fetch(idOf(VID, 2), 0, data.length), data)).toBe(true);
        expect((await opened.pieces.fetch(idOf(VID, 3), 0, 0)).length).toBe(0);
        const sums = await opened.pieces.sums(idOf(VID, 2), 0, 8);
        expect(same(sums, tableAndRoot(VID, 2, data).table)).toBe(true);
        await rejectionOf("protocol", opened.pieces.fetch(idOf(VID, 2), 1, data.length));
        await rejectionOf("protocol", opened.pieces.fetch(idOf(VID, 2), 0, 7));
        expect(heldOf(opened, VID)).toEqual([2, 3]);
      }
    }));

  test("of several blocks is read in parts of its own", () =>
    inFolder(async (folder) => {
      const long = pattern(BLOCK_BYTES + 7);
      const store = await folder.open({ inlineBytes: long.length });
      await store.prepare(SPACE, inStore("a"), 5n, {
        vid: VID,
        link: VID,
        inline: [smallPiece(VID, 2, long)],
      });
      expect(existsSync(folder.file(VID, 2))).toBe(false);
      const part = async (from: number, to: number): Promise<boolean> =>
        same(await store.pieces.fetch(idOf(VID, 2), from, to - from), long.subarray(from, to));
      expect(await part(0, BLOCK_BYTES)).toBe(true);
      expect(await part(BLOCK_BYTES, long.length)).toBe(true);
      expect(await part(0, long.length)).toBe(true);
    }));

  test("is a file where the catalog is not to hold it", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ inlineBytes: 0 });
      await store.prepare(SPACE, inStore("a"), 5n, {
        vid: VID,
        link: VID,
        inline: [smallPiece(VID, 2, data)],
      });
      expect(existsSync(folder.file(VID, 2))).toBe(true);
      expect(heldOf(store, VID)).toEqual([2]);
      expect(same(await store.pieces.fetch(idOf(VID, 2), 0, data.length), data)).toBe(true);
    }));
});
