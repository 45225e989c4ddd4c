/** What a server tells of names: READ, and the pages of lists. */
import { inStore } from "../harness/named.ts";
import { describe, expect, test } from "bun:test";
import { versionOf, vidOf } from "../harness/arbitraries.ts";
import { idOf, heldOf, inFolder, pattern, smallPiece, SPACE } from "../harness/folder.ts";
import { at, put, version } from "../harness/whole_put.ts";

describe("READ", () => {
  test("tells the pieces of what is current or pending, however many orphans there are", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const current = versionOf({ vid: "f".repeat(32), pieces: 1, needed: 1 });
      await store.prepare(SPACE, inStore("a"), 5n, {
        vid: current.vid,
        link: current.vid,
        inline: [smallPiece(current.vid, 0, pattern(9))],
      });
      await store.commit(SPACE, inStore("a"), at(5n, current), true);
      const orphans = Array.from({ length: 300 }, (_, n) => n + 1);
      await Promise.all(
        orphans.map((n) =>
          store.prepare(SPACE, inStore("a"), 6n, {
            vid: vidOf(n),
            link: vidOf(n),
            inline: [smallPiece(vidOf(n), 0, pattern(9))],
          }),
        ),
      );
      expect(store.read(SPACE, inStore("a")).held.length).toBeLessThanOrEqual(128);
      expect(heldOf(store, current.vid)).toEqual([0]);
      // So are those of what is accepted.
      const pending = versionOf({ vid: "e".repeat(32), pieces: 1, needed: 1 });
      await store.prepare(SPACE, inStore("a"), 7n, {
        vid: pending.vid,
        link: pending.vid,
        inline: [smallPiece(pending.vid, 0, pattern(9))],
      });
      await store.accept(SPACE, inStore("a"), 7n, pending);
      const { held } = store.read(SPACE, inStore("a"));
      expect(held.length).toBe(128);
      expect(held.slice(0, 2).map(({ cid }) => cid)).toEqual([pending.vid, current.vid]);
    }));
});

describe("LIST", () => {
  test("goes through the names in the order of their bytes, from after one, and from one on", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const names = ["a", "a/b", "a/c", "b", "z", "ä", "\uFFFD", "😀"];
      for (const name of names.toReversed())
        await store.prepare(SPACE, inStore(name), 5n, {
          vid: vidOf(1),
          link: vidOf(1),
          inline: [],
        });
      await store.prepare("u:other", inStore("aa"), 5n, {
        vid: vidOf(1),
        link: vidOf(1),
        inline: [],
      });
      const page = (after: string, from: string, limit: number, everything = false) =>
        store.page(SPACE, after, from, limit, everything).map(({ name }): string => name);
      expect(page("", "", 100)).toEqual(names);
      expect(page("", "", 3)).toEqual(names.slice(0, 3));
      expect(page("a/c", "", 100)).toEqual(names.slice(3));
      expect(page("", "a/", 2)).toEqual(["a/b", "a/c"]);
      expect(page("a/b", "a/", 2)).toEqual(["a/c", "b"]);
      expect(page("", "", 100, true)).toEqual(names);
    }));

  test("tells of names that there are only pieces of when everything is asked for", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await put(store, "b", 5n, version(1));
      await store.pieces.putFile(idOf(vidOf(2), 0), smallPiece(vidOf(2), 0, pattern(5)));
      expect<string[]>(store.page(SPACE, "", "", 9, false).map(({ name }) => name)).toEqual(["b"]);
      const all = store.page(SPACE, "", "", 9, true);
      expect<string[]>(all.map(({ name }) => name)).toEqual(["a", "b"]);
      expect(all[0]?.register).toBeNull();
    }));
});
