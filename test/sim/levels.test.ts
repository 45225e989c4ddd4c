/** Levels of names, and lists in parts, in the open and sealed: each is what the names below are. */
import { inStore, named } from "../harness/named.ts";
import { placeAfter } from "../harness/arbitraries.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { describe, expect, test } from "bun:test";
import { entriesIn, list } from "../../src/client/files/list.ts";
import { makeFolder } from "../../src/client/files/put.ts";
import { compareNames, type StoredName } from "../../src/file/names.ts";
import { LIST_PAGE } from "../../src/limits.ts";
import { childOf, tombstone } from "../../src/version.ts";
import { levelOf, textOf } from "./levels.ts";
import { Stage } from "./levels_stage.ts";
import { Rng } from "./random.ts";

const MINUTE = 60_000;

/** A version that these servers accepted, and of which no other one knows. */
const acceptAt = (stage: Stage, name: StoredName, slots: readonly number[]): void =>
  stage.run(async (cluster) => {
    const body = new Uint8Array([1]);
    const vid = "7".repeat(32);
    const ballot = (9n << 64n) | 1n;
    const version = childOf(placeAfter(null), { ...tombstone(vid), deleted: false, body });
    for (const slot of slots) {
      await cluster.call(slot, "prepare", { name, ballot, vid, link: null, inline: [] });
      const { ok } = await cluster.call(slot, "accept", { name, ballot, version });
      expect(ok).toBe(true);
    }
  });

describe.each([
  ["in the open", false],
  ["sealed", true],
])("a folder, %s,", (_, isSealed) => {
  test("is there as long as a name below it is, and not for its deleted ones", () => {
    const stage = new Stage(isSealed);
    stage.put("f/1", "f/2", "f/g/3", "z");
    expect(stage.level()).toBe("f/* z");
    stage.remove("f/1");
    expect(stage.level()).toBe("f/* z");
    stage.remove("f/2", "f/g/3");
    expect(stage.level()).toBe("z");
    expect(stage.entries({ prefix: "f/", delimiter: "/" })).toEqual([]);
    stage.put("f/");
    expect(stage.level()).toBe("f/* z");
  });

  test("is not there for a server that missed the deletion of all that was in it", () => {
    const stage = new Stage(isSealed);
    stage.put("f/1", "f/2", "g/1", "z");
    stage.stop(3);
    stage.remove("f/1", "f/2", "g/1");
    stage.put("g/2");
    stage.start(3);
    for (const away of [0, 1, 2]) {
      stage.stop(away);
      expect(stage.level()).toBe("g/* z");
      stage.start(away);
    }
    expect(stage.level()).toBe("g/* z");
  });

  test("is there though a server begins it with another name, or has none of it", () => {
    const stage = new Stage(isSealed);
    stage.put("f/5", "z");
    stage.stop(3);
    stage.put("f/1", "g/1", "z");
    stage.start(3);
    expect(stage.level()).toBe("f/* g/* z");
    stage.stop(0);
    expect(stage.level()).toBe("f/* g/* z");
  });

  test("is there for a name that was put while a server was away that had deleted it", () => {
    const stage = new Stage(isSealed);
    stage.put("f/1", "z");
    stage.remove("f/1");
    stage.stop(2);
    stage.put("f/1");
    stage.start(2);
    expect(stage.level()).toBe("f/* z");
  });
});

describe("a folder with nothing but what was never chosen", () => {
  test.each([[[0]], [[0, 1]]])("by the servers %j is not there while all answer", (slots) => {
    const stage = new Stage();
    stage.put("z");
    acceptAt(stage, inStore("f/1"), slots);
    expect(stage.level()).toBe("z");
  });

  test("is what the doubt about it is settled to", () => {
    const stage = new Stage();
    stage.put("z");
    acceptAt(stage, inStore("f/1"), [0, 1]);
    stage.stop(3);
    // Two have accepted it and the third that it takes is silent: whoever looks must finish it.
    expect(stage.level()).toBe("f/* z");
  });

  test("does not hide what is beside it", () => {
    const stage = new Stage();
    stage.put("f/2", "z");
    acceptAt(stage, inStore("f/1"), [1]);
    expect(stage.level()).toBe("f/* z");
  });
});

const COMPONENTS = ["", "..", "a", "a-", "a.b", "a0", "b", "é", "\u{10400}"];

/** Names that meet in many ways. */
function drawNames(rng: Rng, count: number): string[] {
  const names = new Set(["a", "a/", "a/b", "a.b", "a-", "a0", "a/b/c"]);
  while (names.size < count) {
    const parts = Array.from({ length: 1 + rng.int(3) }, () => rng.pick(COMPONENTS));
    names.add(parts.join("/") + (rng.chance(0.1) ? "/" : ""));
  }
  return [...names].filter((name) => name !== "");
}

test.each([false, true])(
  "any part of a list is what it is by the names, sealed: %p",
  (isSealed) => {
    const rng = new Rng(5);
    const names = drawNames(rng, 40);
    const stage = new Stage(isSealed);
    stage.put(...names);
    const gone = names.filter(() => rng.chance(0.3));
    stage.remove(...gone);
    const left = names.filter((name) => !gone.includes(name));
    const texts = [...names, "", "a/", "b/a", "a/b/", "zz"];
    const wanted = Array.from({ length: 150 }, () => ({
      prefix: rng.chance(0.4) ? "" : rng.pick(texts),
      delimiter: rng.chance(0.5) ? "" : "/",
      after: rng.chance(0.4) ? "" : rng.pick(texts),
      limit: rng.chance(0.5) ? 1 + rng.int(5) : 1000,
    }));
    const found = stage.run((cluster) =>
      Promise.all(wanted.map((one) => Array.fromAsync(entriesIn(cluster, one), textOf))),
    );
    for (const [i, one] of wanted.entries())
      expect({ ...one, found: found[i] }).toEqual({ ...one, found: levelOf(left, one) });
  },
  MINUTE,
);

test.each([false, true])(
  "a folder of more names than a page has is in order, sealed: %p",
  (isSealed) => {
    const names = Array.from({ length: LIST_PAGE + 200 }, (_, i) => `f/${(i * 7919) % 100_000}`);
    names.push("a/1", "f", "f.", "f/9/x", "g");
    const stage = new Stage(isSealed);
    stage.run(async (cluster) => {
      for (let done = 0; done < names.length; done += 50)
        await Promise.all(
          names
            .slice(done, done + 50)
            .map((name) => makeFolder(cluster, named(`${name}/`), NO_ATTRIBUTES)),
        );
    });
    const folders = names.map((name) => `${name}/`).toSorted(compareNames);
    const all = stage.run((cluster) => Array.fromAsync(list(cluster, ""), ({ name }) => name));
    expect(all).toEqual(folders);
    for (const wanted of [
      { delimiter: "/" },
      { prefix: "f/", delimiter: "/" },
      { after: "f/5", limit: 7 },
      { after: "f/5" },
      { prefix: "f/5", after: "f/55/" },
    ])
      expect(stage.entries(wanted)).toEqual(levelOf(folders, wanted));
  },
  2 * MINUTE,
);

test("a delimiter that no name has makes no folder", () => {
  const stage = new Stage();
  stage.put("a/b", "\u{1f600}");
  for (const delimiter of ["\ud83d", "\n", "x".repeat(30_000)])
    expect(stage.entries({ delimiter })).toEqual(["a/b", "\u{1f600}"]);
});

test.each([false, true])(
  "whatever servers missed, a level is what the names are, sealed: %p",
  (isSealed) => {
    for (let seed = 1; seed <= 8; seed++) {
      const [stage, rng] = [new Stage(isSealed, seed), new Rng(seed)];
      const names = ["a", "f/1", "f/2", "g/1", "g/h/1", "g/h/2"];
      const there = new Set<string>();
      for (let step = 0; step < 12; step++) {
        const away = rng.int(4);
        stage.stop(away);
        const [put1, gone] = [rng.pick(names), rng.pick(names)];
        stage.put(put1);
        there.add(put1);
        if (there.delete(gone)) stage.remove(gone);
        stage.start(away);
        if (rng.chance(0.5)) stage.stop((away + 1) % 4);
        expect(stage.level()).toBe(levelOf([...there], { delimiter: "/" }).join(" "));
        stage.start((away + 1) % 4);
      }
    }
  },
  2 * MINUTE,
);
