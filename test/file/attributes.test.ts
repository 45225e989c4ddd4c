/** Attributes: which maps there may be, their bytes, and what the well-known keys say. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { decode, encode } from "../../src/bytes.ts";
import {
  type Attributes,
  attributesBefore,
  attributesCodec,
  attributesOf,
  checkAttributes,
  knownIn,
  msOf,
  NO_ATTRIBUTES,
  PREFIXES,
  storableTime,
  timeOfMs,
} from "../../src/file/attributes.ts";
import { ATTRIBUTE_KEY_BYTES, ATTRIBUTES_BYTES } from "../../src/limits.ts";
import * as any from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";
import { refuses } from "../wire/damage.ts";

const utf8 = new TextEncoder();
const roundTrip = (attributes: Attributes): Attributes =>
  decode(attributesCodec, encode(attributesCodec, attributes));

/** The bytes of a list of entries, whatever they are. */
function listed(entries: readonly (readonly [string | Uint8Array, Uint8Array])[]): Uint8Array {
  const counted = (bytes: Uint8Array): Uint8Array[] => [lengthOf(bytes.length), bytes];
  const parts = entries.flatMap(([key, value]) => [
    ...counted(typeof key === "string" ? utf8.encode(key) : key),
    ...counted(value),
  ]);
  return new Uint8Array(Buffer.concat([lengthOf(entries.length), ...parts]));
}
function lengthOf(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}

const none = new Uint8Array();
const refused = (entries: readonly (readonly [string | Uint8Array, Uint8Array])[]): boolean =>
  refuses(() => decode(attributesCodec, listed(entries)));

describe("a map of attributes", () => {
  test("comes back, in whatever order it was made, sorted by the bytes of its keys", () =>
    forAll([any.attributes], (attributes) => {
      expect(checkAttributes(attributes)).toBe(attributes);
      const back = roundTrip(attributes);
      expect(back).toEqual(new Map(attributes));
      const keys = [...back.keys()];
      const byBytes = keys.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(keys).toEqual(byBytes);
      const turned = new Map([...attributes].toReversed());
      expect(encode(attributesCodec, turned)).toEqual(encode(attributesCodec, attributes));
    }));

  test("lies in bytes as the format says", () => {
    const attributes = attributesOf({ time: -2n, mode: 0o644, by: "command" });
    const entries: [string, string][] = [
      ["by", Buffer.from("command").toString("hex")],
      ["mode", "000001a4"],
      ["time", "fffffffffffffffe"],
    ];
    expect(encode(attributesCodec, attributes)).toEqual(
      listed(entries.map(([key, value]) => [key, Uint8Array.fromHex(value)])),
    );
  });

  test("that is empty is four bytes", () => {
    expect(encode(attributesCodec, NO_ATTRIBUTES)).toEqual(new Uint8Array(4));
    expect(roundTrip(NO_ATTRIBUTES)).toEqual(NO_ATTRIBUTES);
  });

  test("is as large as the limit, and not larger", () => {
    const value = (bytes: number): Attributes => new Map([["a", new Uint8Array(bytes)]]);
    const most = ATTRIBUTES_BYTES - 4 - 8 - 1;
    expect(encode(attributesCodec, roundTrip(value(most)))).toHaveLength(ATTRIBUTES_BYTES);
    const { message } = errorOf("usage", () => checkAttributes(value(most + 1)));
    expect(message).toContain(`they take ${ATTRIBUTES_BYTES + 1} bytes`);
    expect(refused([["a", new Uint8Array(most + 1)]])).toBe(true);
    expect(
      refused([
        ["a", new Uint8Array(most - 10)],
        ["b", new Uint8Array(2)],
      ]),
    ).toBe(true);
  });
});

describe("refused is", () => {
  test("what is not in the order of its keys, or has one twice", () => {
    const pair = (...keys: string[]) => keys.map((key): [string, Uint8Array] => [key, none]);
    expect(refused(pair("a", "b"))).toBe(false);
    expect(refused(pair("b", "a"))).toBe(true);
    expect(refused(pair("a", "a"))).toBe(true);
    expect(refused(pair("ab", "a"))).toBe(true);
    // In UTF-16 it is the other way round.
    expect(refused(pair("\uFFFD", "\u{1F600}"))).toBe(false);
    expect(refused(pair("\u{1F600}", "\uFFFD"))).toBe(true);
  });

  test("a key that is empty, too long, not UTF-8, or has a control character", () => {
    const longest = "é".repeat((ATTRIBUTE_KEY_BYTES - 1) / 2);
    for (const key of ["a", `${longest}a`, "x y", "\u200b"]) {
      expect(refused([[key, none]])).toBe(false);
      checkAttributes(new Map([[key, none]]));
    }
    for (const key of ["", `${longest}é`, "a\0", "\n", "\x7f", "\x85"]) {
      expect(refused([[key, none]])).toBe(true);
      errorOf("usage", () => checkAttributes(new Map([[key, none]])));
    }
    expect(refused([[Uint8Array.of(0xff), none]])).toBe(true);
    errorOf("usage", () => checkAttributes(new Map([["\ud800", none]])));
  });

  test("a well-known key with a value that does not read", () => {
    const wrong: [string, Uint8Array][] = [
      ["time", new Uint8Array(7)],
      ["time", new Uint8Array(9)],
      ["mode", none],
      ["kind", utf8.encode("socket")],
      ["kind", none],
      ["by", Uint8Array.of(0x80)],
      ["type", Uint8Array.of(0xc3)],
    ];
    for (const [key, value] of wrong) {
      expect(refused([[key, value]])).toBe(true);
      const { message } = errorOf("usage", () => checkAttributes(new Map([[key, value]])));
      expect(message).toContain(`"${key}" has a value that does not read`);
    }
    expect(refused([[`${PREFIXES.meta}time`, none]])).toBe(false);
  });

  test("a link without a target, and a target of something else", () => {
    for (const known of [
      { kind: "link" },
      { kind: "folder", target: "a" },
      { target: "a" },
    ] as const)
      errorOf("usage", () => checkAttributes(attributesOf(known)));
    const link = attributesOf({ kind: "link", target: "../a" });
    expect(knownIn(roundTrip(link))).toEqual({ kind: "link", target: "../a" });
  });

  test("whatever the bytes are, nothing else is thrown, and what reads is written the same", () =>
    forAll([any.bytesUpTo(60), any.attributes, fc.nat(), fc.nat(255)], (raw, some, at, byte) => {
      const good = encode(attributesCodec, some);
      for (const bytes of [raw, good.with(at % good.length, byte), good.subarray(0, at)])
        refuses(() => {
          expect(encode(attributesCodec, decode(attributesCodec, bytes))).toEqual(bytes);
        });
    }));
});

describe("what is well known", () => {
  test("comes back, and others go along", () => {
    const known = {
      time: 1_700_000_000_123_456_789n,
      mode: 0o4755,
      by: "key AKIA",
      type: "text/plain; charset=utf-8",
      etag: "9e107d9d372bb6826bd81d3542a419d6-3",
      tags: "colour=red&size=5%20m",
    } as const;
    const others = new Map([
      [`${PREFIXES.meta}owner`, utf8.encode("Zoë")],
      [`${PREFIXES.sum}sha256`, new Uint8Array(32)],
      [`${PREFIXES.dav}{http://example.com/}colour`, utf8.encode("<c>red</c>")],
      ["from later", Uint8Array.of(1, 2, 3)],
    ]);
    const back = roundTrip(attributesOf(known, others));
    expect(knownIn(back)).toEqual(known);
    for (const [key, value] of others) expect(back.get(key)).toEqual(value);
  });

  test("takes the place of what was there", () => {
    const before = attributesOf({ by: "command", mode: 1 });
    expect(knownIn(attributesOf({ by: "page" }, before))).toEqual({ by: "page", mode: 1 });
    expect(knownIn(before)).toEqual({ by: "command", mode: 1 });
  });
});

describe("a time", () => {
  const [first, last] = [-(2n ** 63n), 2n ** 63n - 1n];

  test("is the nearest one that fits, and a date", () => {
    expect([first - 1n, first, 0n, last, last + 1n].map(storableTime)).toEqual([
      first,
      first,
      0n,
      last,
      last,
    ]);
    forAll([fc.bigInt(-(2n ** 70n), 2n ** 70n)], (ns) => {
      const time = storableTime(ns);
      expect(knownIn(roundTrip(attributesOf({ time })))).toEqual({ time });
      expect(Number.isNaN(new Date(msOf(time)).getTime())).toBe(false);
    });
  });

  test("in milliseconds is rounded down, before 1970 too", () => {
    const cases: [bigint, number][] = [
      [0n, 0],
      [999_999n, 0],
      [1_000_000n, 1],
      [-1n, -1],
      [-1_000_000n, -1],
      [-1_000_001n, -2],
      [last, 9_223_372_036_854],
      [first, -9_223_372_036_855],
    ];
    for (const [ns, ms] of cases) expect(msOf(ns)).toBe(ms);
    expect(timeOfMs(1234.9)).toBe(1_234_000_000n);
    expect(timeOfMs(8_640_000_000_000_000)).toBe(last);
    forAll([fc.integer({ min: -9e12, max: 9e12 })], (ms) => expect(msOf(timeOfMs(ms))).toBe(ms));
  });
});

test("what manifests said before there were attributes is said by them", () => {
  const before = { isFolder: false, modified: 1234, mode: 0o640 };
  expect(knownIn(attributesBefore(before))).toEqual({ time: 1_234_000_000n, mode: 0o640 });
  expect(knownIn(attributesBefore({ ...before, isFolder: true }))).toMatchObject({
    kind: "folder",
  });
});
