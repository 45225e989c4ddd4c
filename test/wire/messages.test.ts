import { describe, expect, test } from "bun:test";
import { type Codec, decode, encode } from "../../src/bytes.ts";
import {
  CHUNK_BYTES,
  FRAME_BYTES,
  HISTORY_LENGTH,
  HOST_BYTES,
  INLINE_BYTES,
  LIST_PAGE_BYTES,
  FLOORS_PAGE,
  MANIFEST_BYTES,
  SEALED_NAME_BYTES,
  PIECES_MAX,
  SERVERS_MAX,
  SLOTS_MAX,
  USER_BYTES,
  VIDS_PER_NAME_MAX,
} from "../../src/limits.ts";
import { configCodec } from "../../src/membership.ts";
import { VALUES_BYTES } from "../../src/outline.ts";
import { kindOfNumber, type Kind, MESSAGES } from "../../src/wire/messages.ts";
import { historyOf, configOf, versionOf, vidOf } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";
import { EXCHANGES, KINDS } from "./exchanges.ts";
import { inStore } from "../harness/named.ts";

/** The codec of either side of a message, its type forgotten. */
const codecOf = (kind: Kind, side: "request" | "reply"): Codec<unknown> => MESSAGES[kind][side];

describe.each(KINDS)("%s", (kind) => {
  test.each(["request", "reply"] as const)("its %s reads as it was written", (side) => {
    const codec = codecOf(kind, side);
    forAll(
      [EXCHANGES[kind][side]],
      (value) => {
        const body = encode(codec, value);
        expect(decode(codec, body)).toEqual(value as never);
        errorOf("protocol", () => decode(codec, Buffer.concat([body, new Uint8Array(1)])));
        if (body.length > 0) errorOf("protocol", () => decode(codec, body.subarray(0, -1)));
      },
      60,
    );
  });
});

test("the numbers of the messages are what they always were", () => {
  expect(Object.fromEntries(KINDS.map((kind) => [kind, MESSAGES[kind].number]))).toEqual({
    hello: 1,
    init: 2,
    read: 3,
    upload: 4,
    prepare: 5,
    accept: 6,
    commit: 7,
    forget: 8,
    collect: 9,
    drop: 10,
    fetch: 11,
    list: 12,
    sums: 13,
    verify: 14,
    status: 15,
    install: 16,
    login: 17,
    proof: 18,
    spaces: 19,
    passwd: 20,
    lives: 21,
    floors: 22,
    link: 23,
    renew: 24,
  });
  expect(Object.keys(MESSAGES).toSorted()).toEqual(KINDS.toSorted());
});

test("a number leads to its message, any other to none", () => {
  for (const kind of KINDS) expect(kindOfNumber(MESSAGES[kind].number)).toBe(kind);
  for (const number of [0, 99, 0x80, 0x81, 0xff, -1]) expect(kindOfNumber(number)).toBeUndefined();
});

describe("the largest messages fit into a frame", () => {
  const to = { cluster: vidOf(1), epoch: 1, sid: vidOf(2), user: "u".repeat(USER_BYTES) };
  const name = inStore("c".repeat(SEALED_NAME_BYTES));
  const root = new Uint8Array(32);
  const vids = Array.from({ length: HISTORY_LENGTH }, (_, n) => vidOf(n));
  const history = historyOf(...vids);
  const version = versionOf({ vid: vidOf(1), history, body: new Uint8Array(MANIFEST_BYTES) });
  const acc = { ballot: 2n, version };
  const register = { prom: 2n, acc, com: { ballot: 1n, version } };
  const pieces = Array.from({ length: PIECES_MAX }, (_, n) => n);
  const sizeOf = <T>(codec: Codec<T>, value: T): number => 9 + encode(codec, value).length;

  test("a chunk of a piece, up and down", () => {
    const data = new Uint8Array(CHUNK_BYTES);
    const chunk = {
      to,
      name,
      vid: vidOf(1),
      cid: vidOf(1),
      piece: 1,
      size: 1,
      offset: 0,
      root,
      data,
    };
    expect(sizeOf(MESSAGES.upload.request, chunk)).toBeLessThanOrEqual(FRAME_BYTES);
    expect(sizeOf(MESSAGES.fetch.reply, { data })).toBeLessThanOrEqual(FRAME_BYTES);
  });

  test("all that a server knows of a name", () => {
    const held = vids.map((cid) => ({ cid, pieces, bad: [] }));
    const most = Array.from({ length: VIDS_PER_NAME_MAX }, (_, n) => held[n % held.length]!);
    const pending = most.map(({ cid }) => ({ vid: cid, cid, age: 1 }));
    const small = pieces.slice(0, CHUNK_BYTES / INLINE_BYTES);
    const sent = small.map((piece) => ({ piece, data: new Uint8Array(INLINE_BYTES) }));
    const reply = { floor: 1n, register, held: most, pending, pieces: sent };
    expect(sizeOf(MESSAGES.read.reply, reply)).toBeLessThanOrEqual(FRAME_BYTES);
  });

  test("the small pieces that one server may be sent when half of the largest cluster is down", () => {
    const inline = pieces
      .slice(0, 16)
      .map((piece) => ({ piece, root, data: new Uint8Array(INLINE_BYTES) }));
    const request = { to, name, ballot: 1n, vid: vidOf(1), link: vidOf(1), inline };
    expect(sizeOf(MESSAGES.prepare.request, request)).toBeLessThanOrEqual(FRAME_BYTES);
  });

  test("a page of the longest names, each counted as the server counts it", () => {
    const long = inStore("\uFFFF".repeat(Math.floor(SEALED_NAME_BYTES / 3)));
    const values = new Uint8Array(VALUES_BYTES);
    const here = [1, 2].map(() => ({ held: pieces, lacking: 1, astray: 1 }));
    const entry = { name: long, damaged: false, others: false, values, here };
    const counted = 3 * long.length + VALUES_BYTES + 2 * (pieces.length + 8) + 32;
    expect(
      sizeOf(MESSAGES.list.reply, { complete: true, entries: [entry], done: false }),
    ).toBeLessThanOrEqual(counted);
    const count = Math.floor(LIST_PAGE_BYTES / counted);
    const entries = Array.from({ length: count }, () => entry);
    const reply = { complete: true, entries, done: false };
    expect(sizeOf(MESSAGES.list.reply, reply)).toBeLessThanOrEqual(FRAME_BYTES);
  });

  const voters = Array.from({ length: SERVERS_MAX }, (_, slot) => slot);
  const longest = "c".repeat(HOST_BYTES);
  const vast = configOf(SLOTS_MAX, { voters, next: voters, leaving: voters });
  const largest = {
    ...vast,
    seats: vast.seats.map((seat) => ({ ...seat, name: longest, heir: 1 })),
  };
  for (const seat of largest.seats) seat.host = longest;

  test("the configuration of all servers that a cluster may ever have had, under names of 16 and hosts of 40 bytes, is a manifest", () => {
    const seats = largest.seats.map((seat) => ({
      ...seat,
      name: "c".repeat(16),
      host: "c".repeat(40),
    }));
    const body = encode(configCodec, { ...largest, seats });
    expect(body.length).toBeLessThanOrEqual(MANIFEST_BYTES);
  });

  test("so it is of the largest cluster under the longest names, if no server of it was ever replaced", () => {
    const seats = largest.seats.slice(0, SERVERS_MAX);
    expect(encode(configCodec, { ...largest, seats }).length).toBeLessThanOrEqual(MANIFEST_BYTES);
  });

  test("a greeting with the largest configuration, and the largest that its register can have", () => {
    const sid = vidOf(3);
    const greeting = {
      version: 1,
      release: "1.0.0",
      sid,
      cluster: sid,
      floor: 0n,
      config: largest,
      register,
      now: { life: 1, mark: "0011223344556677" },
      known: Array.from({ length: SLOTS_MAX }, () => ({ sid, life: 1, mark: "0011223344556677" })),
      isUnsettled: true,
      was: sid,
    };
    expect(sizeOf(MESSAGES.hello.reply, greeting)).toBeLessThanOrEqual(FRAME_BYTES);
  });

  test("the largest configuration for a server to go by", () => {
    const floors = Array.from({ length: FLOORS_PAGE }, () => ({
      user: "u".repeat(USER_BYTES),
      floor: 1n,
    }));
    const request = { cluster: vidOf(1), sid: vidOf(2), config: largest, floor: 1n, floors };
    expect(sizeOf(MESSAGES.install.request, request)).toBeLessThanOrEqual(FRAME_BYTES);
  });
});
