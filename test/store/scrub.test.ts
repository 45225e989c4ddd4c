/** The scrub: what is held is read back by and by, and what rots is found. */
import { expect, test } from "bun:test";
import { CHUNK_BYTES } from "../../src/limits.ts";
import { vidOf } from "../harness/arbitraries.ts";
import { flip, heldOf, idOf, inFolder, pattern, upload } from "../harness/folder.ts";

const VID = vidOf(1);
const HOUR_MS = 3_600_000;
const ALL = 100 * CHUNK_BYTES;

test("what was never read back is, once", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    for (const piece of [0, 1, 2]) await upload(store, idOf(VID, piece), pattern(100_000));
    expect(await store.scrub.health()).toMatchObject({
      pieces: 3,
      bad: 0,
      unread: 3,
      oldest: null,
      unreadFor: 0,
    });
    folder.aheadMs = 7000;
    await upload(store, idOf(VID, 3), pattern(1000));
    expect(await store.scrub.health()).toMatchObject({ unread: 4, unreadFor: 7 });
    folder.aheadMs = 0;
    expect(await store.scrub.run(ALL, HOUR_MS)).toBe(false);
    expect((await store.scrub.health()).unreadFor).toBe(null);
    expect(await store.scrub.health()).toMatchObject({ pieces: 4, unread: 0, oldest: 0 });
    folder.aheadMs = HOUR_MS / 2;
    expect(await store.scrub.health()).toMatchObject({ oldest: HOUR_MS / 2000 });
    await store.scrub.run(ALL, HOUR_MS);
    expect(await store.scrub.health()).toMatchObject({ oldest: HOUR_MS / 2000 });
    folder.aheadMs = 2 * HOUR_MS;
    await store.scrub.run(ALL, HOUR_MS);
    expect(await store.scrub.health()).toMatchObject({ oldest: 0 });
  }));

test("a little at a time, going on within a piece", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    await upload(store, idOf(VID, 0), pattern(3 * CHUNK_BYTES + 5));
    for (let i = 0; i < 3; i++) {
      expect(await store.scrub.run(CHUNK_BYTES, HOUR_MS)).toBe(true);
      expect(await store.scrub.health()).toMatchObject({ unread: 1 });
    }
    expect(await store.scrub.run(CHUNK_BYTES, HOUR_MS)).toBe(false);
    expect(await store.scrub.health()).toMatchObject({ unread: 0 });
  }));

test("a rotten piece is found, and held no more", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    for (const piece of [0, 1]) await upload(store, idOf(VID, piece), pattern(400_000));
    flip(folder.file(VID, 0), 300_000);
    await store.scrub.run(ALL, HOUR_MS);
    expect(await store.scrub.health()).toMatchObject({ pieces: 1, bad: 1, unread: 0 });
    expect(heldOf(store, VID)).toEqual([1]);
    // Another copy takes its place, and is read too.
    await upload(store, idOf(VID, 0), pattern(400_000));
    expect(await store.scrub.health()).toMatchObject({ pieces: 2, bad: 0, unread: 1 });
  }));

test("parts that follow one another to the end make a piece verified, others do not", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    const id = idOf(VID, 0);
    await upload(store, id, pattern(3 * CHUNK_BYTES));
    for (const offset of [CHUNK_BYTES, 2 * CHUNK_BYTES])
      await store.scrub.verify(id, offset, CHUNK_BYTES);
    expect(await store.scrub.health()).toMatchObject({ unread: 1 });
    await store.scrub.verify(id, 0, CHUNK_BYTES);
    await store.scrub.verify(id, CHUNK_BYTES, 2 * CHUNK_BYTES);
    expect(await store.scrub.health()).toMatchObject({ unread: 0 });
  }));
