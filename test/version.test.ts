import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decode, encode } from "../src/bytes.ts";
import { HISTORY_LENGTH } from "../src/limits.ts";
import {
  type Accepted,
  acceptedCodec,
  ballotAbove,
  childOf,
  highest,
  isGone,
  NO_BALLOT,
  registerCodec,
  tombstone,
  type Version,
  versionCodec,
} from "../src/version.ts";
import { cutOutlines, OUTLINES_BYTES, outlinesCodec } from "../src/outline.ts";
import * as any from "./harness/arbitraries.ts";
import { versionOf, vidOf, historyOf, placeAfter } from "./harness/arbitraries.ts";
import { forAll } from "./harness/property.ts";
import { errorOf } from "./harness/thrown.ts";

/** A ballot that leaves room for one above it. */
const ballot = fc.bigInt({ min: 0n, max: (1n << 127n) - 1n });

describe("ballots", () => {
  test("ballotAbove is above all that was seen, by one round, with a random part that is not 0", () => {
    forAll([fc.array(ballot, { maxLength: 6 }), any.bytesOf(8)], (seen, random) => {
      const next = ballotAbove(seen, random);
      expect(seen.every((one) => one < next)).toBe(true);
      expect(next >> 64n).toBe((highest(seen) >> 64n) + 1n);
      expect((next & 0xffff_ffff_ffff_ffffn) | 1n).toBe(BigInt(`0x${random.toHex()}`) | 1n);
      expect(next & 1n).toBe(1n);
    });
  });

  test("the random part is read where it lies, and is never 0", () => {
    const larger = new Uint8Array([9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 2, 9]);
    expect(ballotAbove([], larger.subarray(3, 11))).toBe((1n << 64n) | 3n);
    expect(ballotAbove([5n], new Uint8Array(8))).toBe((1n << 64n) | 1n);
  });

  test("highest is the largest, and no ballot of none", () => {
    expect(highest([])).toBe(NO_BALLOT);
    forAll([fc.array(any.ballot, { minLength: 1, maxLength: 6 })], (ballots) => {
      const top = highest(ballots);
      expect(ballots.includes(top) && ballots.every((one) => one <= top)).toBe(true);
    });
  });
});

describe("childOf", () => {
  const content = { ...tombstone(vidOf(99)), deleted: false, size: 5, body: new Uint8Array([1]) };

  test("of nothing, it is the first, and born on the floor", () => {
    expect(childOf({ parent: null, floor: 77n, now: 5, last: 0 }, content)).toEqual({
      ...content,
      seq: 1,
      history: [],
      birthFloor: 77n,
      put: 5,
      keepMax: 0,
    });
  });

  test("of a parent, it is one later, inherits the birth floor, and remembers its ancestors, newest first", () => {
    const parent = versionOf({
      vid: vidOf(3),
      seq: 3,
      history: historyOf(vidOf(2), vidOf(1)),
      birthFloor: 5n,
    });
    expect(childOf({ parent, floor: 77n, now: 5.9, last: 2 }, content)).toEqual({
      ...content,
      seq: 4,
      history: historyOf(vidOf(3), vidOf(2), vidOf(1)),
      birthFloor: 5n,
      put: 5,
      keepMax: 0,
    });
  });

  test("it remembers no more than the last ancestors", () => {
    let current: Version | null = null;
    for (let n = 1; n <= 2 * HISTORY_LENGTH; n++) {
      current = childOf(placeAfter(current, 9n), { ...content, vid: vidOf(n) });
      const ancestors = Array.from({ length: n - 1 }, (_, i) => vidOf(n - 1 - i));
      expect(current.seq).toBe(n);
      const vids = current.history.map((ancestor) => ancestor.vid);
      expect(vids).toEqual(ancestors.slice(0, HISTORY_LENGTH));
      expect(current.birthFloor).toBe(9n);
    }
  });

  test("it is put later than all before it, whatever the clocks say", () => {
    const parent = versionOf({ vid: vidOf(1), put: 100, pieces: 1 });
    const put = (now: number, last: number) =>
      childOf({ parent, floor: 0n, now, last }, content).put;
    expect([put(500, 100), put(50, 100), put(50, 300), put(-7, 0)]).toEqual([500, 101, 301, 101]);
    expect(childOf(placeAfter(parent), content).history).toEqual([
      { vid: vidOf(1), cid: vidOf(1), put: 100, keep: 0 },
    ]);
  });
});

test("what is gone: nothing, and a tombstone", () => {
  expect(isGone(null)).toBe(true);
  expect(isGone(childOf(placeAfter(null), tombstone(vidOf(1))))).toBe(true);
  expect(isGone(versionOf({ vid: vidOf(1) }))).toBe(false);
});

describe("in bytes", () => {
  test("versions and accepted ones read as they were written", () => {
    forAll([any.version], (version) =>
      expect(decode(versionCodec, encode(versionCodec, version))).toEqual(version),
    );
    forAll([any.accepted], (accepted) =>
      expect(decode(acceptedCodec, encode(acceptedCodec, accepted))).toEqual(accepted),
    );
  });

  test("registers read as they were written", () => {
    forAll([any.register], (register) =>
      expect(decode(registerCodec, encode(registerCodec, register))).toEqual(register),
    );
  });

  test("has one form: what is there cannot be the same as what is not", () => {
    const empty = encode(registerCodec, { prom: 5n, acc: null, com: null });
    // No acc, then "com is acc".
    const odd = Uint8Array.from([...empty.subarray(0, 16), 0, 1]);
    errorOf("protocol", () => decode(registerCodec, odd));
  });

  test("a value that is accepted and committed at one ballot is there once", () => {
    forAll([any.accepted, any.version], (acc, other) => {
      const prom = acc.ballot;
      const lengthOf = (register: Parameters<typeof registerCodec.write>[1]): number =>
        encode(registerCodec, register).length;
      const alone = lengthOf({ prom, acc, com: null });
      expect(lengthOf({ prom, acc, com: acc })).toBe(alone - 1);
      if (acc.ballot === 0n) return;
      const com = { ballot: acc.ballot - 1n, version: other };
      const both = lengthOf({ prom, acc, com });
      expect(both).toBe(alone + encode(acceptedCodec, com).length);
    });
  });

  test("its outlines, cut out of its bytes, are what it is in short", () => {
    const outline = (value: Accepted | null) => {
      if (!value) return null;
      const { vid, put, deleted, pieces, needed, striped, size } = value.version;
      return { ballot: value.ballot, vid, put, deleted, pieces, needed, striped, size };
    };
    forAll([any.register], (register) => {
      const acc = outline(register.acc);
      const com = outline(register.com);
      const { bytes, cids } = cutOutlines(encode(registerCodec, register));
      expect(bytes.length).toBeLessThanOrEqual(OUTLINES_BYTES);
      expect(decode(outlinesCodec, bytes)).toEqual({ acc, com });
      const isSame = acc?.ballot === com?.ballot;
      const { acc: one, com: other } = register;
      const values = [one, isSame ? null : other].flatMap((value) => value ?? []);
      expect(cids).toEqual(values.map(({ version }) => version.cid));
    });
  });

  test("the layout of a register", () => {
    const one = versionOf({
      vid: "11".repeat(16),
      seq: 2,
      history: [{ vid: "22".repeat(16), cid: "33".repeat(16), put: 4, keep: 5 }],
      birthFloor: 3n,
    });
    const body = new Uint8Array([0xab]);
    const at = [{ piece: 1, slot: 0x0203 }];
    const shape = { pieces: 4, needed: 3, copies: 2, striped: true, ring: [3, 0], at, size: 10 };
    const times = { put: 6, keepMax: 7 };
    const version = { ...one, ...shape, ...times, cid: "44".repeat(16), body };
    const acc = { ballot: (1n << 64n) | 5n, version };
    const written = encode(registerCodec, { prom: (2n << 64n) | 7n, acc, com: acc }).toHex();
    expect(written).toBe(
      [
        "00000000000000020000000000000007", // prom
        "01", // acc is there
        "00000000000000010000000000000005", // its ballot
        "11111111111111111111111111111111", // vid
        "0000000000000002", // seq
        "0000000122222222222222222222222222222222", // history
        "33333333333333333333333333333333000000000000000400000005", // its content, time and keep
        "00000000000000000000000000000003", // birthFloor
        "000000000000000600000007", // put, keepMax
        "00", // deleted
        "44444444444444444444444444444444", // cid
        "04030201", // pieces, needed, copies, striped
        "0000000200030000", // ring
        "00000001010203", // at
        "000000000000000a", // size
        "00000001ab", // body
        "01", // com is the same
      ].join(""),
    );
  });

  test("a longer history than there may be is refused", () => {
    const vids = Array.from({ length: HISTORY_LENGTH + 1 }, (_, n) => vidOf(n));
    const history = historyOf(...vids);
    expect(() => encode(versionCodec, versionOf({ vid: vidOf(1), history }))).toThrow("bug");
    const raw = encode(versionCodec, versionOf({ vid: vidOf(1), history: history.slice(1) }));
    raw[16 + 8 + 3] = HISTORY_LENGTH + 1;
    errorOf("protocol", () => decode(versionCodec, raw));
  });
});
