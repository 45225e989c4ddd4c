/** What a server takes for a version of a name, and what it refuses, whoever sends it. */
import { describe, expect, test } from "bun:test";
import { encode } from "../../src/bytes.ts";
import { FILE_BYTES_MAX } from "../../src/limits.ts";
import { configCodec } from "../../src/membership.ts";
import { checkVersion } from "../../src/server/answers/version_check.ts";
import type { Store } from "../../src/store/store.ts";
import { childOf, tombstone, type Version } from "../../src/version.ts";
import { unsoundness } from "../../src/soundness.ts";
import {
  configOf,
  ringFrom,
  versionOf,
  vidOf,
  historyOf,
  placeAfter,
} from "../harness/arbitraries.ts";
import { inFolder } from "../harness/folder.ts";
import { errorOf } from "../harness/thrown.ts";
import { inStore } from "../harness/named.ts";

const body = new Uint8Array([1]);
const vid = vidOf(1);
const pairs = (y: number, some: Partial<Version> = {}): Version =>
  versionOf({
    vid,
    pieces: y,
    needed: y,
    copies: Math.min(2, y),
    ring: ringFrom(1, y),
    size: 9,
    body,
    ...some,
  });
const parity = (k: number, m: number, some: Partial<Version> = {}): Version =>
  pairs(k + m, { needed: k, copies: 1, ...some });
const folder = (some: Partial<Version> = {}): Version => versionOf({ vid, body, ...some });
const parent = pairs(4);

describe("sound is", () => {
  test.each([
    ["a file on four servers", pairs(4)],
    ["a file on one", pairs(1)],
    ["a file on the most", pairs(30)],
    ["an empty file", pairs(4, { size: 0 })],
    ["the largest file", pairs(4, { size: FILE_BYTES_MAX })],
    ["a file with parity", parity(2, 2)],
    ["a file on each of three servers", parity(1, 2)],
    ["a file with the most parity", parity(16, 8)],
    ["a file of servers that came late", pairs(3, { ring: [119, 4, 77] })],
    ["a folder, or a record", folder()],
    ["a deletion", childOf(placeAfter(parent), tombstone(vidOf(2)))],
    [
      "a deletion of nothing, signed",
      childOf(placeAfter(null, 9n), { ...tombstone(vidOf(2)), body }),
    ],
    [
      "a file after many",
      pairs(4, {
        seq: 99,
        history: historyOf(...Array.from({ length: 16 }, (_, i) => vidOf(i + 2))),
      }),
    ],
  ])("%s", (_, version) => {
    expect(unsoundness(version)).toBeNull();
  });
});

test("whatever came before, a deletion of it is sound", () => {
  const madeUp: Partial<Version>[] = [
    { seq: 0, history: historyOf(vidOf(5), vidOf(6)) },
    { seq: 2 ** 53 - 1, needed: 0 },
    { seq: 3, history: historyOf(...Array.from({ length: 16 }, (_, i) => vidOf(i + 2))) },
  ];
  for (const some of madeUp) {
    const odd = pairs(3, some);
    expect(unsoundness(odd)).not.toBeNull();
    expect(unsoundness(childOf(placeAfter(odd), tombstone(vidOf(40))))).toBeNull();
  }
});

describe("not sound is", () => {
  test.each<[string, Version]>([
    ["more pieces than servers", pairs(3, { pieces: 255, needed: 3 })],
    ["fewer pieces than servers", pairs(3, { pieces: 2, needed: 2 })],
    ["a server twice", pairs(3, { ring: [0, 1, 1] })],
    ["a server beyond all", pairs(3, { ring: [0, 1, 120] })],
    ["a file of nothing", pairs(3, { needed: 0 })],
    ["more needed than there are", pairs(3, { needed: 4 })],
    ["no copies", pairs(3, { copies: 0 })],
    ["pairs with one copy", pairs(3, { copies: 1 })],
    ["three copies", pairs(3, { copies: 3 })],
    ["parity in two copies", parity(2, 1, { copies: 2 })],
    ["too much parity", parity(1, 9)],
    ["parity without stripes", parity(2, 1, { striped: false })],
    ["too many data pieces", parity(17, 1)],
    ["more than a file can have", pairs(3, { size: 2 ** 53 - 1 })],
    ["a file that nothing describes", pairs(3, { body: new Uint8Array() })],
    ["a folder that nothing describes", folder({ body: new Uint8Array() })],
    ["a folder in stripes", folder({ striped: true })],
    ["a folder with a size", folder({ size: 1 })],
    ["a folder with a server", folder({ ring: [0] })],
    ["a folder that needs pieces", folder({ needed: 1 })],
    ["a deletion with pieces", pairs(3, { deleted: true })],
    ["a deletion with a size", folder({ deleted: true, size: 1 })],
    ["a first version with ancestors", pairs(3, { history: historyOf(vidOf(2)) })],
    ["one after more than there can be", pairs(3, { seq: 2 ** 48 + 1 })],
    ["none at all", pairs(3, { seq: 0 })],
    ["its own ancestor", pairs(3, { seq: 2, history: historyOf(vid) })],
  ])("%s", (_, version) => {
    expect(unsoundness(version)).not.toBeNull();
  });
});

describe("a server refuses", () => {
  const config = configOf(4);
  const configured = folder({ body: encode(configCodec, config) });
  const gone = childOf(placeAfter(configured), tombstone(vidOf(2)));

  const withStore = (work: (store: Store) => Promise<void>): Promise<void> =>
    inFolder(async (at) => {
      const store = await at.open();
      await store.membership.join(vidOf(9));
      await store.membership.install(config, 0n);
      await work(store);
    });
  const refusalOf = (store: Store, space: string, name: string, version: Version) =>
    errorOf("protocol", () => checkVersion(store, space, inStore(name), version)).message;

  test("what is not sound, and what names servers that there never were", () =>
    withStore(async (store) => {
      checkVersion(store, "u:", inStore("a"), pairs(4));
      expect(refusalOf(store, "u:", "a", pairs(4, { needed: 0 }))).toContain("no layout");
      expect(refusalOf(store, "u:", "a", pairs(3, { ring: [0, 1, 4] }))).toContain("never had");
    }));

  test("not what it has already, from before it looked", () =>
    withStore(async (store) => {
      const old = pairs(4, { needed: 0 });
      await store.commit("u:", inStore("a"), { ballot: 5n, version: old }, true);
      checkVersion(store, "u:", inStore("a"), old);
      expect(refusalOf(store, "u:", "b", old)).toContain("no layout");
    }));

  test("under the reserved name all but configurations, and the deletion of one", () =>
    withStore(async (store) => {
      checkVersion(store, "", inStore(""), configured);
      checkVersion(store, "", inStore(""), gone);
      for (const version of [folder(), pairs(4)])
        expect(refusalOf(store, "", "", version)).toContain("the configuration's");
      await store.commit("", inStore(""), { ballot: 5n, version: configured }, true);
      expect(refusalOf(store, "", "", gone)).toContain("the configuration's");
      checkVersion(store, "", inStore(""), configured);
    }));
});
