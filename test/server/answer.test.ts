/** Requests that fit the layouts of the messages, and yet are not within the protocol. */
import { describe, expect, test } from "bun:test";
import { encode } from "../../src/bytes.ts";
import { bunClock } from "../../src/io/bun.ts";
import { CHUNK_BYTES, PIECES_MAX, VERIFY_BYTES } from "../../src/limits.ts";
import { configCodec } from "../../src/membership.ts";
import { answer, type Context } from "../../src/server/answers/answer.ts";
import { greeting } from "../../src/server/answers/cluster_answers.ts";
import { UploadShares } from "../../src/server/bounds/upload_shares.ts";
import { Uploads } from "../../src/server/answers/uploads.ts";
import type { Store } from "../../src/store/store.ts";
import { type Ballot, BALLOT_MAX, type Version, type Vid } from "../../src/version.ts";
import type { AddressedKind, BodyOf } from "../../src/wire/messages.ts";
import type { Address } from "../../src/wire/values.ts";
import { configOf, ringFrom, versionOf, vidOf } from "../harness/arbitraries.ts";
import { heldOf, idOf, inFolder, pattern, smallPiece, upload } from "../harness/folder.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { inStore } from "../harness/named.ts";

const CLUSTER = "1".repeat(32);
const ANYBODY = { user: "", isOperator: true };
const vid = vidOf(1);
const name = inStore("a");
const EVERYTHING = {
  after: "",
  prefix: "",
  delimiter: "",
  limit: 9,
  facts: false,
  everything: true,
};

/** A version that a server takes. */
const soundOf = (some: Partial<Version> & { vid: Vid }): Version =>
  versionOf({ body: pattern(8), ...some });

const uploadsInto = (store: Store): Uploads =>
  new Uploads(store, new UploadShares(bunClock, 100), () => "");

type Ask = <K extends AddressedKind>(
  kind: K,
  body: BodyOf<K>,
  to?: Partial<Address>,
) => Promise<unknown>;

/** Runs a test with a member of a cluster that answers what it is asked. */
const withMember = (body: (ask: Ask, store: Store) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const store = await folder.open();
    await store.membership.join(CLUSTER);
    await store.membership.install(configOf(4), 0n);
    const context: Context = { store, uploads: uploadsInto(store) };
    const address = { cluster: CLUSTER, epoch: 1, sid: store.sid, user: "" };
    const ask: Ask = async (kind, request, to = {}) =>
      answer(context, ANYBODY, kind, { ...request, to: { ...address, ...to } } as never);
    await body(ask, store);
    await context.uploads.close();
  });

describe("a greeting", () => {
  const next = versionOf({ vid, body: encode(configCodec, configOf(4, { epoch: 2 })) });

  test("tells the configuration that comes next, where that is accepted", () =>
    withMember(async (_, store) => {
      expect((await greeting(store, "")).register.acc).toBeNull();
      await store.accept("", inStore(""), 5n, next);
      expect((await greeting(store, "")).register.acc?.version).toEqual(next);
    }));

  test("comes from a server with a damaged record too", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      await store.membership.join(CLUSTER);
      await store.membership.install(configOf(4), 7n);
      await store.commit("", name, { ballot: 5n, version: soundOf({ vid }) }, true);
      folder.catalog("UPDATE register SET sum = zeroblob(8)");
      const told = await greeting(await folder.open(), "");
      expect([told.config, told.register]).toEqual([
        configOf(4),
        { prom: 7n, acc: null, com: null },
      ]);
    }));
});

describe("a piece that no file can have", () => {
  const data = pattern(10);
  const ways: [string, (ask: Ask, piece: number) => Promise<unknown>][] = [
    [
      "upload",
      (ask, piece) => {
        const { root } = smallPiece(vid, piece, data);
        return ask("upload", {
          name,
          vid,
          cid: vid,
          piece,
          size: data.length,
          offset: 0,
          root,
          data,
        });
      },
    ],
    [
      "prepare",
      (ask, piece) =>
        ask("prepare", {
          name,
          ballot: 5n,
          vid,
          link: vid,
          inline: [smallPiece(vid, piece, data)],
        }),
    ],
    ["drop", (ask, piece) => ask("drop", { name, cid: vid, piece })],
    ["fetch", (ask, piece) => ask("fetch", { cid: vid, piece, offset: 0, length: data.length })],
    ["sums", (ask, piece) => ask("sums", { cid: vid, piece, offset: 0, length: 8 })],
    ["verify", (ask, piece) => ask("verify", { cid: vid, piece, offset: 0, length: data.length })],
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
  const version = soundOf({ vid });
  const ways: [string, (ask: Ask, ballot: Ballot) => Promise<unknown>][] = [
    ["prepare", (ask, ballot) => ask("prepare", { name, ballot, vid, link: vid, inline: [] })],
    ["accept", (ask, ballot) => ask("accept", { name, ballot, version })],
    ["commit", (ask, ballot) => ask("commit", { name, accepted: { ballot, version }, sync: true })],
    ["forget", (ask, ballot) => ask("forget", { name, ballot })],
    ["collect", (ask, ballot) => ask("collect", { name, vid, ballot, spare: false })],
  ];

  test.each(ways)("in %s", (_, send) =>
    withMember(async (ask, store) => {
      const before = store.read("u:", name);
      for (const ballot of [BALLOT_MAX + 1n, (1n << 128n) - 1n])
        await rejectionOf("protocol", send(ask, ballot));
      expect(store.read("u:", name)).toEqual(before);
      // Up to there it is a matter of steps.
      await send(ask, BALLOT_MAX);
      expect(store.read("u:", name).register.prom).toBe(0n);
    }),
  );
});

test("more bytes at once than a chunk", () =>
  withMember(async (ask, store) => {
    await upload(store, idOf(vid, 0), pattern(CHUNK_BYTES + 1));
    const where = { cid: vid, piece: 0, offset: 0 };
    for (const kind of ["fetch", "sums"] as const)
      await rejectionOf("protocol", ask(kind, { ...where, length: CHUNK_BYTES + 1 }));
    await ask("fetch", { ...where, length: CHUNK_BYTES });
    await rejectionOf("protocol", ask("verify", { ...where, length: VERIFY_BYTES + 1 }));
    await ask("verify", { ...where, length: CHUNK_BYTES + 1 });
  }));

test("what is for another server is not looked at", () =>
  withMember(async (ask) => {
    const wrong = { name, ballot: BALLOT_MAX + 1n, vid, link: vid, inline: [] };
    for (const to of [{ cluster: vidOf(9) }, { sid: vidOf(9) }])
      for (const epoch of [0, 1, 2])
        await rejectionOf("identity", ask("prepare", wrong, { ...to, epoch }));
    for (const epoch of [0, 2]) await rejectionOf("epoch", ask("prepare", wrong, { epoch }));
    await rejectionOf("protocol", ask("prepare", wrong));
  }));

test("what is for a cluster that was founded another time is not looked at, and who sets it up late is told", () =>
  inFolder(async (folder) => {
    const store = await folder.open();
    await store.membership.join(CLUSTER);
    const context: Context = { store, uploads: uploadsInto(store) };
    const ask = async (cluster: string, epoch: number): Promise<unknown> =>
      answer(context, ANYBODY, "status", {
        to: { cluster, epoch, sid: store.sid, user: "" },
      });
    const [birth, other] = [vidOf(7), vidOf(8)];
    // Before it was told it cannot know whose birth that is.
    for (const one of [birth, other]) await rejectionOf("epoch", ask(one, 1));
    await store.membership.install(configOf(4, { birth }), 0n);
    await ask(birth, 1);
    for (const one of [other, CLUSTER]) await rejectionOf("identity", ask(one, 1));
    const read = { to: { cluster: CLUSTER, epoch: 0, sid: store.sid, user: "" }, name, asked: [] };
    await rejectionOf("epoch", (async () => answer(context, ANYBODY, "read", read))());
  }));

describe("the epoch of a request", () => {
  const version = soundOf({ vid });
  const data = pattern(10);
  const at = { cid: vid, piece: 0, offset: 0 };
  const bound: [AddressedKind, (ask: Ask, to: Partial<Address>) => Promise<unknown>][] = [
    ["read", (ask, to) => ask("read", { name, asked: [] }, to)],
    ["prepare", (ask, to) => ask("prepare", { name, ballot: 5n, vid, link: vid, inline: [] }, to)],
    ["accept", (ask, to) => ask("accept", { name, ballot: 6n, version }, to)],
    [
      "commit",
      (ask, to) => ask("commit", { name, accepted: { ballot: 7n, version }, sync: true }, to),
    ],
    ["forget", (ask, to) => ask("forget", { name, ballot: 7n }, to)],
    ["collect", (ask, to) => ask("collect", { name, vid, ballot: 7n, spare: false }, to)],
    ["drop", (ask, to) => ask("drop", { name, cid: vid, piece: 0 }, to)],
    ["list", (ask, to) => ask("list", EVERYTHING, to)],
  ];
  const free: [AddressedKind, (ask: Ask, to: Partial<Address>) => Promise<unknown>][] = [
    [
      "upload",
      (ask, to) => {
        const { root } = smallPiece(vid, 1, data);
        return ask("upload", { ...at, name, vid, piece: 1, size: data.length, root, data }, to);
      },
    ],
    ["fetch", (ask, to) => ask("fetch", { ...at, length: data.length }, to)],
    ["sums", (ask, to) => ask("sums", { ...at, length: 8 }, to)],
    ["verify", (ask, to) => ask("verify", { ...at, length: data.length }, to)],
  ];

  test.each(bound)("%s must have the server's, or nothing is done", (_, send) =>
    withMember(async (ask, store) => {
      await upload(store, idOf(vid, 0), data);
      const before = store.read("u:", name);
      for (const epoch of [0, 2, 0xffff_ffff])
        expect((await rejectionOf("epoch", send(ask, { epoch }))).message).toContain(`${epoch}`);
      expect(store.read("u:", name)).toEqual(before);
      await send(ask, {});
      await store.membership.install(configOf(4, { epoch: 2 }), 0n);
      await rejectionOf("epoch", send(ask, {}));
      await send(ask, { epoch: 2 });
    }),
  );

  test.each(free)("%s is of a piece, which is what it is at any epoch", (_, send) =>
    withMember(async (ask, store) => {
      await upload(store, idOf(vid, 0), data);
      for (const epoch of [0, 1, 2, 0xffff_ffff]) await send(ask, { epoch });
      for (const to of [{ cluster: vidOf(9) }, { sid: vidOf(9) }])
        await rejectionOf("identity", send(ask, to));
    }),
  );

  test("is 0 at a server that goes by no configuration yet", () =>
    inFolder(async (folder) => {
      const store = await folder.open();
      const context: Context = { store, uploads: uploadsInto(store) };
      const read = async (epoch: number): Promise<unknown> =>
        answer(context, ANYBODY, "read", {
          to: { cluster: CLUSTER, epoch, sid: store.sid, user: "" },
          name,
          asked: [],
        });
      await rejectionOf("identity", read(0));
      await store.membership.join(CLUSTER);
      await read(0);
      await rejectionOf("epoch", read(1));
    }));
});

describe("what belongs here goes by the configuration", () => {
  const lies = { vid, pieces: 4, needed: 4, copies: 2, ring: ringFrom(0, 4) };
  const accepted = { ballot: 5n, version: soundOf(lies) };
  const seatsWith = (slot: number, sid: string) =>
    configOf(5).seats.map((seat, i) => (i === slot ? { ...seat, sid } : seat));

  test.each([
    // Piece j lives on the servers j and j - 1.
    ["a home", 2, [], [2, 3]],
    ["no home", 4, [], []],
    ["a home that leaves", 2, [2], []],
    ["a server that the configuration does not name", -1, [], [0, 1, 2, 3]],
  ])("%s may drop what is not at home there, and tells what lacks", (_, slot, leaving, own) =>
    withMember(async (ask, store) => {
      const seats = seatsWith(slot, store.sid);
      await store.membership.install(configOf(5, { epoch: 2, seats, leaving }), 0n);
      for (let piece = 0; piece < 4; piece++) await upload(store, idOf(vid, piece), pattern(10));
      await store.commit("u:", name, accepted, true);
      const tell = () => ask("list", EVERYTHING, { epoch: 2 });
      const com = { astray: 4 - own.length, lacking: 0 };
      expect(await tell()).toMatchObject({ entries: [{ here: [com] }] });
      for (let piece = 0; piece < 4; piece++)
        expect(await ask("drop", { name, cid: vid, piece }, { epoch: 2 })).toEqual({
          ok: !own.includes(piece as never),
        });
      expect(heldOf(store, vid)).toEqual(own);
      expect(await tell()).toMatchObject({ entries: [{ here: [{ astray: 0, lacking: 0 }] }] });
    }),
  );
});
