/** Requests that fit the layouts of the messages, and yet are not within the protocol. */
import { describe, expect, test } from "bun:test";
import { CHUNK_BYTES, PIECES_MAX, VERIFY_BYTES } from "../../src/limits.ts";
import { answer, type Context } from "../../src/server/answer.ts";
import { Uploads } from "../../src/server/uploads.ts";
import type { Store } from "../../src/store/store.ts";
import { type Ballot, BALLOT_MAX } from "../../src/version.ts";
import type { Address, AddressedKind, BodyOf } from "../../src/wire/messages.ts";
import { versionOf, vidOf } from "../arbitraries.ts";
import { idOf, inFolder, pattern, smallPiece, upload } from "../store/folder.ts";
import { rejectionOf } from "../thrown.ts";

const CLUSTER = "1".repeat(32);
const vid = vidOf(1);
const name = "a";

type Ask = <K extends AddressedKind>(
  kind: K,
  body: BodyOf<K>,
  to?: Partial<Address>,
) => Promise<unknown>;

/** Runs a test with a member of a cluster that answers what it is asked. */
const withMember = (body: (ask: Ask, store: Store) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const store = await folder.open();
    await store.join(CLUSTER, 4);
    const context: Context = { store, uploads: new Uploads(store), user: "" };
    const address = { cluster: CLUSTER, epoch: 1, sid: store.sid };
    const ask: Ask = async (kind, request, to = {}) =>
      answer(context, kind, { ...request, to: { ...address, ...to } } as never);
    await body(ask, store);
    await context.uploads.close();
  });

describe("a piece that no file can have", () => {
  const data = pattern(10);
  const ways: [string, (ask: Ask, piece: number) => Promise<unknown>][] = [
    [
      "upload",
      (ask, piece) => {
        const { root } = smallPiece(vid, piece, data);
        return ask("upload", { name, vid, piece, size: data.length, offset: 0, root, data });
      },
    ],
    [
      "prepare",
      (ask, piece) =>
        ask("prepare", { name, ballot: 5n, vid, inline: [smallPiece(vid, piece, data)] }),
    ],
    ["drop", (ask, piece) => ask("drop", { name, vid, piece })],
    ["fetch", (ask, piece) => ask("fetch", { name, vid, piece, offset: 0, length: data.length })],
    ["sums", (ask, piece) => ask("sums", { name, vid, piece, offset: 0, length: 8 })],
    ["verify", (ask, piece) => ask("verify", { name, vid, piece, offset: 0, length: data.length })],
  ];

  test.each(ways)("in %s", (_, send) =>
    withMember(async (ask, store) => {
      const last = PIECES_MAX - 1;
      await upload(store, idOf(vid, last), data);
      await send(ask, last);
      for (const piece of [PIECES_MAX, 255]) {
        const { message } = await rejectionOf("protocol", send(ask, piece));
        // People count from 1.
        expect(message).toContain(`no piece ${piece + 1}`);
      }
      expect(store.read("u:", name)).toMatchObject({ held: [{ pieces: [last], bad: [] }] });
    }),
  );
});

describe("a ballot above which there is hardly another one", () => {
  const version = versionOf({ vid });
  const ways: [string, (ask: Ask, ballot: Ballot) => Promise<unknown>][] = [
    ["prepare", (ask, ballot) => ask("prepare", { name, ballot, vid, inline: [] })],
    ["accept", (ask, ballot) => ask("accept", { name, ballot, version })],
    ["commit", (ask, ballot) => ask("commit", { name, accepted: { ballot, version }, sync: true })],
    ["forget", (ask, ballot) => ask("forget", { name, ballot })],
    ["collect", (ask, ballot) => ask("collect", { name, vid, ballot })],
  ];

  test.each(ways)("in %s", (_, send) =>
    withMember(async (ask, store) => {
      const before = store.read("u:", name);
      for (const ballot of [BALLOT_MAX + 1n, (1n << 128n) - 1n])
        await rejectionOf("protocol", send(ask, ballot));
      expect(store.read("u:", name)).toEqual(before);
      await send(ask, BALLOT_MAX);
    }),
  );
});

test("more bytes at once than a chunk", () =>
  withMember(async (ask, store) => {
    await upload(store, idOf(vid, 0), pattern(CHUNK_BYTES + 1));
    const where = { name, vid, piece: 0, offset: 0 };
    for (const kind of ["fetch", "sums"] as const)
      await rejectionOf("protocol", ask(kind, { ...where, length: CHUNK_BYTES + 1 }));
    await ask("fetch", { ...where, length: CHUNK_BYTES });
    await rejectionOf("protocol", ask("verify", { ...where, length: VERIFY_BYTES + 1 }));
    await ask("verify", { ...where, length: CHUNK_BYTES + 1 });
  }));

test("what is for another server is not looked at", () =>
  withMember(async (ask) => {
    const wrong = { name, ballot: BALLOT_MAX + 1n, vid, inline: [] };
    for (const to of [{ cluster: vidOf(9) }, { sid: vidOf(9) }, { epoch: 2 }])
      await rejectionOf("identity", ask("prepare", wrong, to));
  }));
