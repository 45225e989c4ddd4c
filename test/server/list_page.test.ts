/** Pages of a list from one server: all names of a range in order, and of each common prefix one. */
import { inStore } from "../harness/named.ts";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decode } from "../../src/bytes.ts";
import { compareNames } from "../../src/file/names.ts";
import { LIST_PAGE_BYTES, MANIFEST_BYTES } from "../../src/limits.ts";
import { listPage } from "../../src/server/answers/list_page.ts";
import type { Store } from "../../src/store/store.ts";
import { outlinesCodec } from "../../src/outline.ts";
import { valuesCodec } from "../../src/version.ts";
import { folderOf } from "../../src/wire/levels.ts";
import type { RequestOf } from "../../src/wire/messages.ts";
import { versionOf, vidOf } from "../harness/arbitraries.ts";
import { inFolder, pattern, smallPiece, SPACE } from "../harness/folder.ts";
import { forAll } from "../harness/property.ts";

type Asked = Partial<Omit<RequestOf<"list">, "to">>;

const pageOf = (store: Store, asked: Asked) => {
  const all = { after: "", prefix: "", delimiter: "", limit: 1000 };
  return listPage(store, SPACE, { ...all, facts: false, everything: false, ...asked } as never);
};

const promise = async (store: Store, names: readonly string[]): Promise<void> => {
  await Promise.all(
    names.map((name) =>
      store.prepare(SPACE, inStore(name), 5n, { vid: vidOf(1), link: null, inline: [] }),
    ),
  );
};

/** All names that pages of a list have, and how often the last one was asked for. */
function walk(store: Store, asked: Asked): string[] {
  const names: string[] = [];
  for (let after = asked.after ?? ""; ;) {
    const { entries, done } = pageOf(store, { ...asked, after });
    names.push(...entries.map(({ name }) => name));
    if (done) return names;
    expect(entries.length).toBeGreaterThan(0);
    after = names.at(-1) ?? "";
  }
}

/** The same, by looking at each name. */
function expected(names: readonly string[], { after = "", prefix = "", delimiter = "" }: Asked) {
  const level = { prefix, delimiter };
  const first = new Map<string, string>();
  const listed = folderOf(after, level);
  for (const name of names.toSorted(compareNames)) {
    const place = folderOf(name, level) ?? name;
    const isIn = name.startsWith(prefix) && compareNames(name, after) > 0 && place !== listed;
    if (isIn && !first.has(place)) first.set(place, name);
  }
  return [...first.values()];
}

const parts = fc.constantFrom("a", "b", "a.b", "a-", "\u{10ffff}", "é");
const names = fc.array(parts, { minLength: 1, maxLength: 4 }).map((all) => all.join("/"));

describe("a page of a list", () => {
  test("has of each common prefix the first name, whatever is asked for", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const all = [...new Set(fc.sample(names, { seed: 1, numRuns: 150 })), "a/", "b/a/"];
      await promise(store, all);
      const beginnings = fc.oneof(fc.constant(""), names, parts, fc.constantFrom("a/", "b/a/"));
      const delimiters = fc.constantFrom("", "/", ".", "/a", "\u{10ffff}");
      forAll(
        [beginnings, beginnings, delimiters, fc.integer({ min: 1, max: 9 })],
        (prefix, after, delimiter, limit) => {
          const asked = { prefix, after, delimiter, limit };
          expect(walk(store, asked)).toEqual(expected(all, asked));
        },
        2000,
      );
    }));

  test("goes on after a common prefix, too", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await promise(store, ["a/1", "a/2", "a0", "b/1"]);
      const asked = { delimiter: "/", limit: 1 };
      const namesOf = (after: string): string[] =>
        pageOf(store, { ...asked, after }).entries.map(({ name }) => name);
      expect([namesOf(""), namesOf("a/"), namesOf("a/1"), namesOf("a0")]).toEqual([
        ["a/1"],
        ["a0"],
        ["a0"],
        ["b/1"],
      ]);
    }));

  test("looks at few names of a common prefix that has many", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const many = Array.from({ length: 2000 }, (_, i) => `${"abcd"[i % 4]}/${i}`);
      await promise(store, many);
      let seen = 0;
      const counting = new Proxy(store, {
        get: (of, key) =>
          key === "page"
            ? (...asked: Parameters<Store["page"]>) => {
                const page = of.page(...asked);
                seen += page.length;
                return page;
              }
            : Reflect.get(of, key, of),
      });
      const found = walk(counting, { delimiter: "/" });
      expect(found.map((name) => name.slice(0, 2))).toEqual(["a/", "b/", "c/", "d/"]);
      expect(seen).toBeLessThan(20);
    }));

  test("tells versions whole where facts are asked for, but not of a common prefix", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const one = { pieces: 1, needed: 1, ring: [0], body: pattern(40) };
      for (const [i, name] of ["a", "b/c", "d"].entries()) {
        const version = versionOf({ ...one, vid: vidOf(i + 1) });
        const piece = smallPiece(version.vid, 0, pattern(9));
        const { vid } = version;
        await store.prepare(SPACE, inStore(name), 5n, { vid, link: vid, inline: [piece] });
        await store.accept(SPACE, inStore(name), 5n, version);
        if (name === "a") await store.commit(SPACE, inStore(name), { ballot: 5n, version }, true);
      }
      const { entries } = pageOf(store, { delimiter: "/", facts: true });
      expect(entries.map(({ name, here }) => [name as string, here[0]?.held])).toEqual([
        ["a", [0]],
        ["b/c", [0]],
        ["d", [0]],
      ]);
      const [a, b, d] = entries.map(({ values }) => values);
      const version = versionOf({ ...one, vid: vidOf(1) });
      const value = { ballot: 5n, version };
      expect(decode(valuesCodec, a!)).toEqual({ acc: value, com: value });
      expect(decode(outlinesCodec, b!)).toMatchObject({ acc: { vid: vidOf(2) }, com: null });
      expect(decode(valuesCodec, d!)).toMatchObject({ acc: { version: { body: pattern(40) } } });
    }));

  test("ends early where its bodies are large", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const body = pattern(MANIFEST_BYTES);
      for (let i = 0; i < 20; i++) {
        const version = versionOf({ vid: vidOf(i + 1), body });
        await store.accept(SPACE, inStore(`${i}`), 5n, version);
      }
      const { entries, done } = pageOf(store, { facts: true });
      expect(done).toBe(false);
      expect(entries.length).toBe(Math.floor(LIST_PAGE_BYTES / MANIFEST_BYTES) - 1);
      expect(walk(store, { facts: true }).length).toBe(20);
      expect(pageOf(store, {})).toMatchObject({ done: true });
    }));
});
