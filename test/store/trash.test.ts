/** What is condemned stays for a while, for readers that have begun; then it goes. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { bunDisk } from "../../src/io/bun_disk.ts";
import { BLOCK_BYTES } from "../../src/limits.ts";
import type { Store } from "../../src/store/store.ts";
import { versionOf, vidOf, historyOf } from "../harness/arbitraries.ts";
import { rejectionOf } from "../harness/thrown.ts";
import {
  flip,
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
const LARGE = 3 * BLOCK_BYTES + 1000;

describe("the trash", () => {
  /** A file's piece and a small one, both of a version that was then overtaken. */
  async function overtaken(store: Store): Promise<void> {
    await upload(store, idOf(VID, 0), pattern(LARGE));
    await store.prepare(SPACE, inStore("a"), 5n, {
      vid: VID,
      link: VID,
      inline: [smallPiece(VID, 1, pattern(10))],
    });
    expect(await store.collect(SPACE, inStore("a"), 5n, { vid: VID, spare: false })).toEqual({
      ok: true,
    });
  }

  test("keeps pieces for readers until its grace is over, though they are not held any more", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 60_000 });
      await overtaken(store);
      folder.aheadMs = 59_000;
      await store.sweep();
      expect(heldOf(store, VID)).toEqual([]);
      expect(store.pieces.inline(idOf(VID, 1))?.length).toBe(10);
      expect(existsSync(folder.file(VID, 0))).toBe(true);
      folder.aheadMs = 61_000;
      await store.sweep();
      await rejectionOf("noPiece", store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES));
      await rejectionOf("noPiece", store.pieces.fetch(idOf(VID, 1), 0, 10));
      expect(existsSync(folder.file(VID, 0))).toBe(false);
      expect(heldOf(await folder.reopen(), VID)).toEqual([]);
    }));

  test("keeps what somebody reads, or renews, for its grace from then on", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 60_000 });
      await overtaken(store);
      folder.aheadMs = 61_000;
      expect((await store.pieces.fetch(idOf(VID, 1), 0, 10)).length).toBe(10);
      await store.sweep();
      expect((await store.pieces.fetch(idOf(VID, 1), 0, 10)).length).toBe(10);
      expect(store.pieces.renew(SPACE, VID)).toBe(true);
      expect(store.pieces.renew(SPACE, "0".repeat(31).concat("7"))).toBe(false);
      expect(store.pieces.renew("u:other", VID)).toBe(false);
      // After a restart nobody knows who reads, and the time begins where it was noted last.
      const again = await folder.reopen({ trashGraceMs: 60_000 });
      await again.sweep();
      expect(existsSync(folder.file(VID, 0))).toBe(true);
      folder.aheadMs = 200_000;
      await again.sweep();
      expect(existsSync(folder.file(VID, 0))).toBe(false);
    }));

  test("is emptied wholly, however much is in it", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 0 });
      const vids = Array.from({ length: 40 }, (_, n) => vidOf(n + 1));
      const all = (vid: string) =>
        Array.from({ length: 60 }, (_, piece) => smallPiece(vid, piece, pattern(1)));
      await Promise.all(
        vids.map((vid) =>
          store.prepare(SPACE, inStore("a"), 5n, { vid: vid, link: vid, inline: all(vid) }),
        ),
      );
      for (const vid of vids)
        await store.collect(SPACE, inStore("a"), 5n, { vid: vid, spare: false });
      await store.sweep();
      for (const vid of vids) await rejectionOf("noPiece", store.pieces.fetch(idOf(vid, 0), 0, 1));
    }));

  test("a large piece that comes again is out of it", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 0 });
      await overtaken(store);
      await upload(store, idOf(VID, 0), pattern(LARGE));
      expect(heldOf(store, VID)).toEqual([0]);
      await store.sweep();
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES)).length).toBe(BLOCK_BYTES);
    }));

  test("a piece that comes again while the trash is swept stays", () =>
    inFolder(async (folder) => {
      const coming: Promise<void>[] = [];
      const store: Store = await folder.open(
        { trashGraceMs: 0 },
        {
          async remove(path) {
            // It comes just now; or waits until the sweep is done.
            if (path === folder.file(VID, 0))
              coming.push(upload(store, idOf(VID, 0), pattern(LARGE)));
            await Promise.race([...coming, new Promise((resolve) => setTimeout(resolve, 200))]);
            await bunDisk.remove(path);
          },
        },
      );
      await overtaken(store);
      await store.sweep();
      expect(coming.length).toBe(1);
      await Promise.all(coming);
      expect(heldOf(store, VID)).toEqual([0]);
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES)).length).toBe(BLOCK_BYTES);
    }));

  test("a promise for a version takes its pieces out of it, for good", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 60_000 });
      await overtaken(store);
      expect(heldOf(store, VID)).toEqual([]);
      const { ok, held } = await store.prepare(SPACE, inStore("a"), 6n, {
        vid: VID,
        link: VID,
        inline: [],
      });
      expect({ ok, held }).toEqual({ ok: true, held: [0, 1] });
      folder.aheadMs = 3_600_000;
      await store.sweep();
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES)).length).toBe(BLOCK_BYTES);
      expect((await store.pieces.fetch(idOf(VID, 1), 0, 10)).length).toBe(10);
      // Who condemned them did so behind a promise that is not the last one any more.
      expect(await store.collect(SPACE, inStore("a"), 5n, { vid: VID, spare: false })).toEqual({
        ok: false,
      });
      expect(heldOf(await folder.reopen(), VID)).toEqual([0, 1]);
    }));

  test("what comes with a promise for a version that is over is nobody's, and goes", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 60_000 });
      const small = smallPiece(VID, 0, pattern(10));
      const version = versionOf({ vid: vidOf(7), history: historyOf(VID), seq: 2 });
      await store.commit(SPACE, inStore("a"), { ballot: 5n, version }, true);
      await store.prepare(SPACE, inStore("a"), 6n, { vid: VID, link: VID, inline: [small] });
      expect(heldOf(store, VID)).toEqual([]);
      folder.aheadMs = 61_000;
      await store.sweep();
      await rejectionOf("noPiece", store.pieces.fetch(idOf(VID, 0), 0, 10));
    }));

  test("a promise that is refused, or for another user's version, takes nothing out of it", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 0 });
      await overtaken(store);
      expect(
        await store.prepare(SPACE, inStore("a"), 4n, { vid: VID, link: VID, inline: [] }),
      ).toMatchObject({ ok: false, held: [] });
      expect(
        await store.prepare("u:other", inStore("a"), 9n, { vid: VID, link: VID, inline: [] }),
      ).toMatchObject({ ok: true, held: [] });
      await store.sweep();
      await rejectionOf("noPiece", store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES));
      expect(
        await store.prepare(SPACE, inStore("a"), 9n, { vid: VID, link: VID, inline: [] }),
      ).toMatchObject({ ok: true, held: [] });
    }));

  test("what was current once and is so no more stays in it, and so does what is damaged", () =>
    inFolder(async (folder) => {
      const store = await folder.open({ trashGraceMs: 60_000 });
      const version = versionOf({ vid: VID });
      await upload(store, idOf(VID, 0), pattern(LARGE));
      await store.commit(SPACE, inStore("a"), { ballot: 5n, version }, false);
      const next = versionOf({ vid: vidOf(7), seq: 2, history: historyOf(VID) });
      await store.commit(SPACE, inStore("a"), { ballot: 6n, version: next }, false);
      expect(
        await store.prepare(SPACE, inStore("a"), 7n, { vid: VID, link: VID, inline: [] }),
      ).toMatchObject({ ok: true, held: [] });

      const bad = vidOf(8);
      await upload(store, idOf(bad, 0), pattern(LARGE));
      flip(folder.file(bad, 0), 100);
      await rejectionOf("badPiece", store.pieces.fetch(idOf(bad, 0), 0, BLOCK_BYTES));
      await store.collect(SPACE, inStore("a"), 7n, { vid: bad, spare: false });
      expect(
        await store.prepare(SPACE, inStore("a"), 8n, { vid: bad, link: bad, inline: [] }),
      ).toMatchObject({ ok: true, held: [] });
    }));

  test("a promise that comes while the trash is swept takes out what is still there, and no more", () =>
    inFolder(async (folder) => {
      const promises: Promise<{ held: number[] }>[] = [];
      const store: Store = await folder.open(
        { trashGraceMs: 0 },
        {
          async remove(path) {
            if (path === folder.file(VID, 0))
              promises.push(
                store.prepare(SPACE, inStore("a"), 6n, { vid: VID, link: VID, inline: [] }),
              );
            await bunDisk.remove(path);
          },
        },
      );
      await overtaken(store);
      await store.sweep();
      const [promised] = await Promise.all(promises);
      expect(promised?.held).toEqual([]);
      expect(existsSync(folder.file(VID, 0))).toBe(false);
    }));

  /** Opens a server that does this once between the naming of the next piece's file and its row. */
  async function betweenNameAndRow(
    folder: Folder,
    work: (store: Store) => Promise<unknown>,
  ): Promise<Store> {
    let isArmed = false;
    const store: Store = await folder.open(
      { trashGraceMs: 0 },
      {
        async syncFolder(path) {
          const isNow = isArmed && existsSync(folder.file(VID, 0));
          if (isNow) {
            isArmed = false;
            await work(store);
          }
          await bunDisk.syncFolder(path);
        },
      },
    );
    await overtaken(store);
    isArmed = true;
    return store;
  }

  test("a sweep leaves the file of a piece that is just coming again", () =>
    inFolder(async (folder) => {
      const store = await betweenNameAndRow(folder, (busy) => busy.sweep());
      await upload(store, idOf(VID, 0), pattern(LARGE));
      expect(heldOf(store, VID)).toEqual([0]);
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES)).length).toBe(BLOCK_BYTES);
    }));

  test("and does so until the last of its senders is done", () =>
    inFolder(async (folder) => {
      const store = await betweenNameAndRow(folder, async (busy) => {
        await upload(busy, idOf(VID, 0), pattern(LARGE));
        await busy.collect(SPACE, inStore("a"), 5n, { vid: VID, spare: false });
        await busy.sweep();
      });
      await upload(store, idOf(VID, 0), pattern(LARGE));
      expect(heldOf(store, VID)).toEqual([0]);
      expect((await store.pieces.fetch(idOf(VID, 0), 0, BLOCK_BYTES)).length).toBe(BLOCK_BYTES);
    }));
});
