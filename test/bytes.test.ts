import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  bool,
  bytes,
  type Codec,
  concat,
  decode,
  encode,
  fixed,
  hex,
  list,
  optional,
  struct,
  text,
  u128,
  u16,
  u32,
  u53,
  u8,
} from "../src/bytes.ts";
import { Writer } from "../src/cursor.ts";
import * as any from "./harness/arbitraries.ts";
import { forAll } from "./harness/property.ts";
import { errorOf } from "./harness/thrown.ts";

interface Case<T> {
  readonly name: string;
  readonly codec: Codec<T>;
  readonly values: fc.Arbitrary<T>;
}
/** Ties a codec to its values' type, and then forgets that type. */
const one = <T>(name: string, codec: Codec<T>, values: fc.Arbitrary<T>): Case<unknown> => ({
  name,
  codec,
  values,
});

const point = struct({ x: u16, name: text(40), tags: list(text(20), 5), rest: bytes(9000) });
const points = fc.record({
  x: any.u16,
  name: any.textUpTo(40),
  tags: fc.array(any.textUpTo(20), { maxLength: 5 }),
  rest: fc.oneof(any.bytesUpTo(50), any.bytesOf(4096), any.bytesOf(9000)),
});

const CASES = [
  one("u8", u8, any.u8),
  one("u16", u16, any.u16),
  one("u32", u32, any.u32),
  one("u53", u53, any.u53),
  one("u128", u128, any.ballot),
  one("bool", bool, fc.boolean()),
  one("fixed", fixed(5), any.bytesOf(5)),
  one("hex", hex(4), any.hexOf(4)),
  one("bytes", bytes(100), any.bytesUpTo(100)),
  one("text", text(100), any.textUpTo(100)),
  one("list", list(u16, 10), fc.array(any.u16, { maxLength: 10 })),
  one("optional", optional(u32), fc.option(any.u32)),
  one("struct", point, points),
  one("list of structs", list(point, 3), fc.array(points, { maxLength: 3 })),
  one(
    "optional in optional",
    optional(struct({ in: optional(u8) })),
    fc.option(fc.record({ in: fc.option(any.u8) })),
  ),
];

describe.each(CASES)("$name", ({ codec, values }) => {
  test("reads what it wrote", () => {
    forAll([values], (value) => expect(decode(codec, encode(codec, value))).toEqual(value));
  });

  test("refuses every truncation, and every byte too much", () => {
    forAll(
      [values],
      (value) => {
        const whole = encode(codec, value);
        const cuts = whole.length < 300 ? whole.keys() : [0, 1, 5, 40, 60, whole.length - 1];
        for (const cut of cuts) errorOf("protocol", () => decode(codec, whole.subarray(0, cut)));
        errorOf("protocol", () => decode(codec, concat([whole, new Uint8Array(1)])));
      },
      40,
    );
  });

  test("arbitrary bytes are a value or a protocol error", () => {
    forAll([any.bytesUpTo(60)], (raw) => {
      let value: unknown;
      try {
        value = decode(codec, raw);
      } catch {
        errorOf("protocol", () => decode(codec, raw));
        return;
      }
      expect(encode(codec, value)).toEqual(raw);
    });
  });
});

describe("how values lie in bytes", () => {
  test.each([
    ["u8", encode(u8, 0xfe), "fe"],
    ["u16", encode(u16, 0x0102), "0102"],
    ["u32", encode(u32, 0xfffe_fdfc), "fffefdfc"],
    ["u53", encode(u53, Number.MAX_SAFE_INTEGER), "001fffffffffffff"],
    ["u128", encode(u128, (7n << 64n) | 9n), "00000000000000070000000000000009"],
    ["bool", encode(bool, true), "01"],
    ["fixed", encode(fixed(2), new Uint8Array([1, 2])), "0102"],
    ["hex", encode(hex(2), "abcd"), "abcd"],
    ["bytes", encode(bytes(9), new Uint8Array([7])), "0000000107"],
    ["text", encode(text(9), "ä😀"), "00000006c3a4f09f9880"],
    ["list", encode(list(u8, 3), [5, 6]), "000000020506"],
    ["optional", encode(optional(u8), 4), "0104"],
    ["null", encode(optional(u8), null), "00"],
    [
      "struct, in the order of its declaration",
      encode(struct({ b: u8, a: u8 }), { a: 1, b: 2 }),
      "0201",
    ],
    ["struct of nothing", encode(struct({}), {}), ""],
  ])("%s", (_, encoded, expected) => {
    expect(encoded.toHex()).toBe(expected);
  });
});

/** The length of the largest array of bytes that is made meanwhile. */
function largestArray(work: () => unknown): number {
  const real = globalThis.Uint8Array;
  let largest = 0;
  globalThis.Uint8Array = new Proxy(real, {
    construct(target, args: [unknown], newTarget) {
      if (typeof args[0] === "number") largest = Math.max(largest, args[0]);
      return Reflect.construct(target, args, newTarget) as Uint8Array;
    },
  });
  try {
    work();
    return largest;
  } finally {
    globalThis.Uint8Array = real;
  }
}

describe("limits", () => {
  const FOUR_GIB = 0xffff_ffff;
  const claim = (length: number, rest: string): Uint8Array =>
    concat([encode(u32, length), Uint8Array.fromHex(rest)]);

  test.each([
    ["bytes", bytes(FOUR_GIB)],
    ["text", text(FOUR_GIB)],
    ["list", list(u8, FOUR_GIB)],
    ["bytes with a bound", bytes(1000)],
    ["text with a bound", text(1000)],
    ["list with a bound", list(u8, 1000)],
  ] as [string, Codec<unknown>][])("%s: a length of 4 GiB takes no memory", (_, codec) => {
    const hostile = claim(FOUR_GIB, "010203");
    expect(largestArray(() => errorOf("protocol", () => decode(codec, hostile)))).toBeLessThan(
      1000,
    );
  });

  test("a length is held against its bound before it is believed", () => {
    expect(decode(bytes(3), claim(3, "010203"))).toEqual(new Uint8Array([1, 2, 3]));
    expect(errorOf("protocol", () => decode(bytes(3), claim(4, "01020304"))).message).toContain(
      "at most 3",
    );
    expect(errorOf("protocol", () => decode(text(3), claim(4, "61616161"))).message).toContain(
      "at most 3",
    );
    expect(errorOf("protocol", () => decode(list(u8, 3), claim(4, "01020304"))).message).toContain(
      "at most 3",
    );
  });

  test("what is too large to be sent is a bug of the sender", () => {
    expect(() => encode(bytes(3), new Uint8Array(4))).toThrow("bug");
    expect(() => encode(text(3), "ää")).toThrow("bug");
    expect(() => encode(list(u8, 1), [1, 2])).toThrow("bug");
    expect(() => encode(fixed(2), new Uint8Array(3))).toThrow("bug");
    expect(() => encode(hex(2), "aabbcc")).toThrow("bug");
    expect(() => encode(hex(2), "aBcD")).toThrow("hexadecimal");
  });

  test("u53 ends at 2^53 - 1", () => {
    expect(decode(u53, Uint8Array.fromHex("001fffffffffffff"))).toBe(2 ** 53 - 1);
    errorOf("protocol", () => decode(u53, Uint8Array.fromHex("0020000000000000")));
    errorOf("protocol", () => decode(u53, Uint8Array.fromHex("ffffffffffffffff")));
  });

  test("u128 ends at 2^128 - 1", () => {
    const most = (1n << 128n) - 1n;
    expect(decode(u128, encode(u128, most))).toBe(most);
    expect(decode(u128, encode(u128, 1n << 64n))).toBe(1n << 64n);
    expect(decode(u128, encode(u128, (1n << 64n) - 1n))).toBe((1n << 64n) - 1n);
  });

  test("a flag is 0 or 1", () => {
    errorOf("protocol", () => decode(bool, new Uint8Array([2])));
    errorOf("protocol", () => decode(optional(u8), new Uint8Array([2, 1])));
  });

  test("a text is UTF-8, as it is: no byte-order mark is eaten", () => {
    expect(decode(text(9), encode(text(9), "\uFEFFa"))).toBe("\uFEFFa");
    for (const wrong of ["80", "c0af", "eda080", "f4908080", "c3"])
      errorOf("protocol", () => decode(text(9), claim(wrong.length / 2, wrong)));
  });
});

describe("Writer", () => {
  type Put = { kind: "put"; bytes: Uint8Array } | { kind: "u8" | "u16" | "u32"; value: number };
  const put: fc.Arbitrary<Put> = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), bytes: any.bytesUpTo(300) }),
    fc.record({
      kind: fc.constant("put" as const),
      bytes: fc
        .tuple(fc.integer({ min: 4090, max: 9000 }), any.u8)
        .map(([n, fill]) => new Uint8Array(n).fill(fill)),
    }),
    fc.record({ kind: fc.constant("u8" as const), value: any.u8 }),
    fc.record({ kind: fc.constant("u16" as const), value: any.u16 }),
    fc.record({ kind: fc.constant("u32" as const), value: any.u32 }),
  );
  const plain = (step: Put): Uint8Array => {
    if (step.kind === "put") return step.bytes;
    const size = { u8: 1, u16: 2, u32: 4 }[step.kind];
    return Uint8Array.fromHex(step.value.toString(16).padStart(2 * size, "0"));
  };

  test("its parts are what was written, in order, however small and large fields mix", () => {
    forAll(
      [fc.array(put, { maxLength: 60, size: "large" })],
      (steps) => {
        const writer = new Writer();
        let length = 0;
        for (const step of steps) {
          if (step.kind === "put") writer.put(step.bytes);
          else writer[step.kind](step.value);
          length += plain(step).length;
          expect(writer.length).toBe(length);
        }
        const expected = Buffer.concat(steps.map(plain));
        expect(Buffer.compare(concat(writer.parts()), expected)).toBe(0);
      },
      300,
    );
  });

  test("a buffer that grows between large fields loses nothing", () => {
    const large = new Uint8Array(5000).fill(7);
    for (let before = 500; before < 530; before++) {
      const writer = new Writer();
      for (let i = 0; i < before; i++) writer.u8(i);
      writer.put(large);
      for (let i = 0; i < 600; i++) writer.u16(i);
      const out = Buffer.from(concat(writer.parts()));
      expect(out.length).toBe(before + large.length + 1200);
      for (let i = 0; i < before; i++) expect(out[i]).toBe(i & 0xff);
      for (let i = 0; i < 600; i++) expect(out.readUInt16BE(before + large.length + 2 * i)).toBe(i);
    }
  });

  test("large fields are passed on and not copied", () => {
    const large = new Uint8Array(100_000);
    const writer = new Writer();
    writer.u8(1);
    writer.put(large);
    writer.u8(2);
    const parts = writer.parts();
    expect(parts.map((part) => part.length)).toEqual([1, 100_000, 1]);
    expect(parts[1]).toBe(large);
  });
});

test("concat joins any parts, and returns the only one as it is", () => {
  forAll([fc.array(any.bytesUpTo(50), { maxLength: 8 })], (parts) => {
    expect(Buffer.compare(concat(parts), Buffer.concat(parts))).toBe(0);
  });
  const only = new Uint8Array(3);
  expect(concat([only])).toBe(only);
});
