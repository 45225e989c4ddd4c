/** One whole put of two small pieces to one server, as tests of what it stores make it. */
import { expect } from "bun:test";
import type { Store } from "../../src/store/store.ts";
import type { Accepted, Ballot, Version } from "../../src/version.ts";
import { versionOf, vidOf } from "./arbitraries.ts";
import { pattern, smallPiece, SPACE } from "./folder.ts";
import { inStore } from "./named.ts";

/** The version with the id `n`, of two pieces. */
export const version = (n: number, some: Partial<Version> = {}): Version =>
  versionOf({ ...some, vid: vidOf(n), pieces: 2, needed: 2, copies: 2 });

export const at = (ballot: Ballot, value: Version): Accepted => ({ ballot, version: value });

/** The pieces of version `n`. */
export const inline = (n: number) => [
  smallPiece(vidOf(n), 0, pattern(100, n)),
  smallPiece(vidOf(n), 1, pattern(99, n)),
];

/** Promises, accepts and commits. */
export async function put(
  store: Store,
  name: string,
  ballot: Ballot,
  value: Version,
): Promise<void> {
  const n = Number(`0x${value.vid}`);
  expect(
    await store.prepare(SPACE, inStore(name), ballot, {
      vid: value.vid,
      link: value.vid,
      inline: inline(n),
    }),
  ).toMatchObject({
    ok: true,
  });
  expect(await store.accept(SPACE, inStore(name), ballot, value)).toMatchObject({
    ok: true,
    refused: null,
    prom: ballot,
  });
  expect(await store.commit(SPACE, inStore(name), at(ballot, value), false)).toMatchObject({
    ignored: false,
  });
}
