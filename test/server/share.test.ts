/** Small pieces come along with an answer to READ, each of them once, whoever of its homes is asked. */
import { expect, test } from "bun:test";
import { CHUNK_BYTES, INLINE_BYTES } from "../../src/limits.ts";
import { shareOf } from "../../src/server/answers/share.ts";
import type { Store } from "../../src/store/store.ts";
import { type Version, NO_BALLOT } from "../../src/version.ts";
import { configOf, ringFrom, versionOf, vidOf } from "../harness/arbitraries.ts";
import { inFolder, pattern, smallPiece } from "../harness/folder.ts";
import { inStore } from "../harness/named.ts";

const SPACE = "u:";
const NAME = inStore("a");
const vid = vidOf(1);
const accepted = (version: Version, ballot = 5n) => ({ ballot, version });
const pairs = versionOf({ vid, pieces: 4, needed: 4, copies: 2, ring: ringFrom(0, 4) });
const parity = versionOf({ vid, pieces: 4, needed: 2, copies: 1, ring: ringFrom(0, 4) });

/** Runs a test with a store that has all four pieces in its catalog. */
const withPieces = (body: (store: Store) => unknown, bytes = 10): Promise<void> =>
  inFolder(async (folder) => {
    const store = await folder.open();
    const all = [0, 1, 2, 3].map((piece) => smallPiece(vid, piece, pattern(bytes)));
    await store.prepare(SPACE, NAME, 5n, { vid, link: vid, inline: all });
    await body(store);
  });

/** The pieces that each of the servers sends, all of which have all. */
function sharesOf(store: Store, version: Version, asked: readonly number[]): number[][] {
  const register = { prom: 5n, acc: accepted(version), com: null };
  return [0, 1, 2, 3].map((slot) =>
    shareOf(store.pieces, { config: configOf(4), slot }, { space: SPACE, register }, asked).map(
      ({ piece, data }) => {
        expect(data).toEqual(pattern(data.length));
        return piece;
      },
    ),
  );
}

test("each piece comes from the first of its homes that is asked", () =>
  withPieces((store) => {
    expect(sharesOf(store, pairs, [0, 1, 2, 3])).toEqual([[0], [1], [2], [3]]);
    expect(sharesOf(store, pairs, [0, 1, 2])).toEqual([[0], [1], [2, 3], []]);
    expect(sharesOf(store, pairs, [1])).toEqual([[], [1, 2], [], []]);
    expect(sharesOf(store, pairs, [])).toEqual([[], [], [], []]);
  }));

test("with parity so many come as it takes", () =>
  withPieces((store) => {
    expect(sharesOf(store, parity, [0, 1, 2, 3])).toEqual([[0], [1], [], []]);
    expect(sharesOf(store, parity, [1, 3])).toEqual([[], [1], [], [3]]);
  }));

test("of what was deleted, is not here, is another's or is a file, nothing comes", () =>
  withPieces(async (store) => {
    const gone = versionOf({ vid, pieces: 0, needed: 0, copies: 0, ring: [], deleted: true });
    expect(sharesOf(store, gone, [0, 1, 2, 3]).flat()).toEqual([]);
    expect(sharesOf(store, { ...pairs, cid: vidOf(2) }, [0, 1, 2, 3]).flat()).toEqual([]);
    const member = { config: configOf(4), slot: 0 };
    const register = { prom: NO_BALLOT, acc: null, com: accepted(pairs) };
    const known = { space: "u:somebody", name: NAME, register };
    expect(shareOf(store.pieces, member, known, [0, 1, 2, 3])).toEqual([]);
  }));

test("the newest version counts, whether it is known to be chosen or not", () =>
  withPieces((store) => {
    const other = { ...pairs, cid: vidOf(2) };
    const known = (acc: Version, com: Version) => ({
      space: SPACE,
      name: NAME,
      register: { prom: 9n, acc: accepted(acc, 7n), com: accepted(com, 6n) },
    });
    const member = { config: configOf(4), slot: 0 };
    expect(shareOf(store.pieces, member, known(pairs, other), [0, 1, 2, 3])).toHaveLength(1);
    expect(shareOf(store.pieces, member, known(other, pairs), [0, 1, 2, 3])).toHaveLength(0);
  }));

test("never more than a chunk", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    const all = Array.from({ length: 20 }, (_, piece) =>
      smallPiece(vid, piece, pattern(INLINE_BYTES)),
    );
    await store.prepare(SPACE, NAME, 5n, { vid, link: vid, inline: all });
    const version = versionOf({ vid, pieces: 20, needed: 20, copies: 1, ring: all.map(() => 0) });
    const register = { prom: 5n, acc: accepted(version), com: null };
    const member = { config: configOf(4), slot: 0 };
    const known = { space: SPACE, register };
    expect(shareOf(store.pieces, member, known, [0])).toHaveLength(CHUNK_BYTES / INLINE_BYTES);
  }));
