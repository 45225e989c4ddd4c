/** A server's registers on the real disk: what each message does, and that it is there after a restart. */
import { describe, expect, test } from "bun:test";
import { childOf, tombstone, type Version } from "../../src/version.ts";
import { vidOf, historyOf, placeAfter } from "../harness/arbitraries.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { heldOf, inFolder, pattern, smallPiece, SPACE } from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";
import { at, inline, put, version } from "../harness/whole_put.ts";

const A = inStore("a");
describe("a register", () => {
  test("is absent at first", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const register = { prom: 0n, acc: null, com: null };
      expect(store.read(SPACE, A)).toEqual({
        floor: 0n,
        register,
        held: [],
        pending: [],
      });
    }));

  test("goes through a put, and is the same after a restart", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const one = at(5n, version(1));
      expect(
        await store.prepare(SPACE, A, 5n, {
          vid: vidOf(1),
          link: vidOf(1),
          inline: inline(1),
        }),
      ).toEqual({
        ok: true,
        refused: null,
        floor: 0n,
        register: { prom: 5n, acc: null, com: null },
        held: [0, 1],
      });
      expect(store.read(SPACE, A).register).toEqual({ prom: 5n, acc: null, com: null });
      expect(await store.accept(SPACE, A, 5n, one.version)).toMatchObject({
        ok: true,
        refused: null,
        prom: 5n,
      });
      expect(store.read(SPACE, A).register).toEqual({ prom: 5n, acc: one, com: null });
      expect(await store.commit(SPACE, A, one, true)).toMatchObject({ ignored: false });
      const after = { prom: 5n, acc: one, com: one };
      expect(store.read(SPACE, A).register).toEqual(after);
      const again = await folder.reopen();
      expect(again.read(SPACE, A).register).toEqual(after);
      expect(heldOf(again, vidOf(1))).toEqual([0, 1]);
      expect(again.sid).toBe(store.sid);
    }));

  test("refuses lower ballots, and says which it has promised", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await store.prepare(SPACE, A, 5n, { vid: vidOf(1), link: vidOf(1), inline: [] });
      expect(
        await store.prepare(SPACE, A, 4n, {
          vid: vidOf(2),
          link: vidOf(2),
          inline: inline(2),
        }),
      ).toEqual({
        ok: false,
        refused: "low",
        floor: 0n,
        register: { prom: 5n, acc: null, com: null },
        held: [],
      });
      expect(heldOf(store, vidOf(2))).toEqual([]);
      expect(await store.accept(SPACE, A, 4n, version(2))).toMatchObject({
        ok: false,
        refused: "low",
        prom: 5n,
      });
      expect(store.read(SPACE, A).register).toEqual({ prom: 5n, acc: null, com: null });
    }));

  test("is one of its space and its name", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "a", 5n, version(1));
      expect(store.read(SPACE, inStore("A")).register.com).toBeNull();
      expect(store.read("", A).register.com).toBeNull();
      expect(store.read("u:Alice", A).register.com).toBeNull();
    }));

  test("many at once are all answered", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const names = Array.from({ length: 200 }, (_, n) => `n${n}`);
      await Promise.all(names.map((name, n) => put(store, name, 5n, version(n + 1))));
      for (const [n, name] of names.entries())
        expect(store.read(SPACE, inStore(name)).register.com?.version.vid).toBe(vidOf(n + 1));
    }));

  test("a small piece that is not what its root says is refused, and nothing is promised", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const wrong = { ...smallPiece(vidOf(1), 0, pattern(10)), data: pattern(10, 1) };
      await rejectionOf(
        "protocol",
        store.prepare(SPACE, A, 5n, { vid: vidOf(1), link: vidOf(1), inline: [wrong] }),
      );
      expect(store.read(SPACE, A)).toMatchObject({ register: { prom: 0n }, held: [] });
    }));
});

describe("COMMIT", () => {
  test("throws away the pieces of the old version and of its ancestors, and no others", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "b", 5n, version(7));
      await put(store, "a", 5n, version(1));
      // Two that were overtaken: an ancestor that was never committed here, and one that is no ancestor.
      await store.prepare(SPACE, A, 6n, {
        vid: vidOf(2),
        link: vidOf(2),
        inline: inline(2),
      });
      await store.prepare(SPACE, A, 7n, {
        vid: vidOf(3),
        link: vidOf(3),
        inline: inline(3),
      });
      await put(store, "a", 8n, version(4, { seq: 3, history: historyOf(vidOf(2), vidOf(1)) }));
      expect([1, 2, 3, 4].map((n) => heldOf(store, vidOf(n)).length)).toEqual([0, 0, 2, 2]);
      expect(heldOf(store, vidOf(7), "b")).toEqual([0, 1]);
    }));

  test("of a late one, after the name was forgotten, is ignored", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const gone = childOf(placeAfter(version(1)), tombstone(vidOf(2)));
      await put(store, "a", 5n, version(1));
      await put(store, "a", 6n, gone);
      expect(await store.forget(SPACE, A, 6n)).toEqual({ ok: true });
      expect(store.floors.of(SPACE)).toBe(6n);
      expect(await store.commit(SPACE, A, at(5n, version(1)), true)).toMatchObject({
        ignored: true,
      });
      expect(await store.commit(SPACE, A, at(6n, gone), true)).toMatchObject({
        ignored: true,
      });
      const absent = { prom: 6n, acc: null, com: null };
      expect(store.read(SPACE, A).register).toEqual(absent);
      expect(store.read(SPACE, inStore("any other")).register).toEqual(absent);
      // What one user has forgotten is of no concern to others.
      expect(store.read("u:other", A).register.prom).toBe(0n);
      const again = await folder.reopen();
      expect(again.floors.of(SPACE)).toBe(6n);
      expect(again.read(SPACE, A).register).toEqual(absent);
    }));
});

describe("FORGET", () => {
  test("takes only the very tombstone, and leaves the promise as the floor", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "a", 5n, version(1));
      expect(await store.forget(SPACE, A, 5n)).toEqual({ ok: false });
      await put(store, "a", 6n, childOf(placeAfter(version(1)), tombstone(vidOf(2))));
      await store.prepare(SPACE, A, 9n, { vid: vidOf(3), link: vidOf(3), inline: [] });
      expect(await store.forget(SPACE, A, 5n)).toEqual({ ok: false });
      expect(await store.forget(SPACE, A, 9n)).toEqual({ ok: false });
      expect(await store.forget(SPACE, A, 6n)).toEqual({ ok: true });
      expect(store.floors.of(SPACE)).toBe(9n);
      // It never sinks.
      await put(store, "b", 10n, childOf(placeAfter(null, 9n), tombstone(vidOf(4))));
      expect(await store.forget(SPACE, inStore("b"), 10n)).toEqual({ ok: true });
      await store.forget(SPACE, A, 6n);
      expect(store.floors.of(SPACE)).toBe(10n);
    }));

  test("of a name with an older promise leaves the floor where it is", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const grave = (n: number): Version => ({ ...version(n), deleted: true });
      for (const [n, name] of ["a", "b"].entries())
        await put(store, name, BigInt(5 + n), grave(n + 1));
      expect(await store.forget(SPACE, inStore("b"), 6n)).toEqual({ ok: true });
      expect(await store.forget(SPACE, A, 5n)).toEqual({ ok: true });
      expect(store.floors.of(SPACE)).toBe(6n);
      expect((await folder.reopen()).floors.of(SPACE)).toBe(6n);
    }));
});

describe("COLLECT and DROP", () => {
  test("an orphan goes behind the fence at exactly its ballot, and nothing that counts", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "a", 5n, version(1));
      await store.prepare(SPACE, A, 6n, {
        vid: vidOf(2),
        link: vidOf(2),
        inline: inline(2),
      });
      expect(await store.collect(SPACE, A, 5n, { vid: vidOf(2), spare: false })).toEqual({
        ok: false,
      });
      expect(await store.collect(SPACE, A, 6n, { vid: vidOf(1), spare: false })).toEqual({
        ok: false,
      });
      expect(heldOf(store, vidOf(2))).toEqual([0, 1]);
      expect(await store.collect(SPACE, A, 6n, { vid: vidOf(2), spare: false })).toEqual({
        ok: true,
      });
      expect([1, 2].map((n) => heldOf(store, vidOf(n)).length)).toEqual([2, 0]);
    }));

  test("the fence of one name is none for the pieces of another", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "a", 5n, version(1));
      await put(store, "b", 6n, version(2));
      await store.collect(SPACE, inStore("b"), 6n, { vid: vidOf(1), spare: false });
      await store.collect("u:Mallory", inStore("b"), 0n, { vid: vidOf(1), spare: false });
      await store.commit(
        SPACE,
        inStore("b"),
        at(7n, version(3, { history: historyOf(vidOf(2), vidOf(1)) })),
        true,
      );
      expect(heldOf(store, vidOf(1))).toEqual([0, 1]);
    }));

  test("a piece is dropped where it does not belong, if its version is the current one", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "a", 5n, version(1));
      await store.prepare(SPACE, A, 6n, {
        vid: vidOf(2),
        link: vidOf(2),
        inline: inline(2),
      });
      expect(await store.drop(SPACE, A, { cid: vidOf(1), piece: 0 }, () => false)).toEqual({
        ok: false,
      });
      expect(await store.drop(SPACE, A, { cid: vidOf(2), piece: 0 }, () => true)).toEqual({
        ok: false,
      });
      expect(
        await store.drop(SPACE, A, { cid: vidOf(1), piece: 0 }, ({ vid }) => vid === vidOf(1)),
      ).toEqual({
        ok: true,
      });
      expect([1, 2].map((n) => heldOf(store, vidOf(n)))).toEqual([[1], [0, 1]]);
    }));

  test("a piece that was dropped may come again", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "a", 5n, version(1));
      await store.drop(SPACE, A, { cid: vidOf(1), piece: 0 }, () => true);
      const { held } = await store.prepare(SPACE, A, 6n, {
        vid: vidOf(1),
        link: vidOf(1),
        inline: inline(1),
      });
      expect(held).toEqual([0, 1]);
    }));
});
