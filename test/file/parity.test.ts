import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import * as field from "../../src/file/parity/galois.ts";
import { codeOf, type Stripe } from "../../src/file/parity/parity.ts";
import { moduleBytes } from "../../src/file/parity/kernel.ts";
import { MIB } from "../../src/limits.ts";
import { forAll, samples } from "../harness/property.ts";

const { combine, generator, invert, multiply, product } = field;

const LAYOUTS = [
  [1, 1],
  [2, 1],
  [2, 2],
  [3, 1],
  [4, 2],
  [6, 3],
  [10, 4],
  [16, 8],
] as const;

const numbers = (from: number, end: number): number[] =>
  Array.from({ length: end - from }, (_, i) => from + i);

/** All ways to choose `count` of these. */
function* choices(of: readonly number[], count: number): Generator<number[]> {
  if (count === 0) yield [];
  else if (of.length >= count) {
    const [first = 0, ...rest] = of;
    for (const chosen of choices(rest, count - 1)) yield [first, ...chosen];
    yield* choices(rest, count);
  }
}

const howMany = (n: number, count: number): number =>
  count === 0 ? 1 : (howMany(n - 1, count - 1) * n) / count;

/** All ways to choose `count` of n, or some of them where that would take too long. */
function someChoices(n: number, count: number, most: number): number[][] {
  const all = numbers(0, n);
  if (howMany(n, count) <= most) return [...choices(all, count)];
  return samples(fc.shuffledSubarray(all, { minLength: count, maxLength: count }), 300);
}

/** Bytes that differ from piece to piece, the same ones for the same seed. */
function fill(buffer: Uint8Array, seed: number): void {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  for (let at = 0; at < buffer.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    buffer[at] = state >>> 24;
  }
}

/** A stripe with random data and its parity, and a copy of all its pieces. */
function coded(data: number, parity: number, bytes: number, seed = 1) {
  const stripe = codeOf(data, parity).stripe(bytes);
  for (const [i, piece] of stripe.pieces.slice(0, data).entries()) fill(piece, seed * 100 + i);
  stripe.make(numbers(data, data + parity), numbers(0, data), bytes);
  return { stripe, copies: stripe.pieces.map((piece) => piece.slice()) };
}

/** Spoils the lost pieces and makes them anew of the last of the others. */
function rebuild(stripe: Stripe, lost: readonly number[], data: number, bytes: number): void {
  for (const piece of lost) stripe.pieces[piece]!.fill(0xee);
  const left = numbers(0, stripe.pieces.length).filter((piece) => !lost.includes(piece));
  stripe.make(lost, left.slice(-data), bytes);
}

describe("the field", () => {
  const element = fc.nat(255);

  test("multiplies like polynomials modulo 0x11d", () => {
    const byHand = (a: number, b: number): number => {
      let sum = 0;
      for (let bit = 7; bit >= 0; bit--) {
        sum <<= 1;
        if (sum > 255) sum ^= 0x11d;
        if ((b >> bit) & 1) sum ^= a;
      }
      return sum;
    };
    for (let a = 0; a < 256; a++) {
      for (let b = 0; b < 256; b++) {
        if (multiply(a, b) !== byHand(a, b)) throw new Error(`${a} times ${b}`);
      }
    }
  });

  test("has an inverse for all but 0", () => {
    for (let a = 1; a < 256; a++) expect(multiply(a, field.inverse(a))).toBe(1);
    expect(() => field.inverse(0)).toThrow("bug:");
  });

  test("a matrix times its inverse is the identity, and one with dependent rows has none", () => {
    const row = fc.uint8Array({ minLength: 5, maxLength: 5 });
    forAll([fc.array(row, { minLength: 5, maxLength: 5 }), element], (matrix, factor) => {
      const inverted = invert(matrix);
      if (inverted) expect(product(matrix, inverted)).toEqual(generator(5, 0));
      const dependent = [...matrix.slice(1), combine(Uint8Array.of(factor, 1), matrix.slice(1, 3))];
      expect(invert(dependent)).toBeUndefined();
    });
  });
});

describe("the generator", () => {
  test.each(LAYOUTS)("of %d+%d: any so many rows as there are data pieces invert", (k, m) => {
    const rows = generator(k, m);
    for (const chosen of someChoices(k + m, k, 5000)) {
      const matrix = chosen.map((row) => rows[row]!);
      const inverted = invert(matrix);
      if (!inverted) throw new Error(`rows ${chosen.join()} have no inverse`);
      expect(product(matrix, inverted)).toEqual(rows.slice(0, k));
    }
  });

  test.each(LAYOUTS)(
    "of %d+%d: data pieces are as they are, the first parity is an xor",
    (k, m) => {
      const rows = generator(k, m);
      expect(rows.length).toBe(k + m);
      for (let i = 0; i < k; i++)
        expect([...rows[i]!]).toEqual(numbers(0, k).map((j) => +(i === j)));
      expect([...rows[k]!]).toEqual(numbers(0, k).map(() => 1));
    },
  );

  test("never changes, for files are stored with it", () => {
    const parityRows = (k: number, m: number) =>
      generator(k, m)
        .slice(k)
        .map((row) => row.toHex());
    expect(parityRows(2, 2)).toEqual(["0101", "f58f"]);
    expect(parityRows(4, 2)).toEqual(["01010101", "a646bb7b"]);
    expect(parityRows(10, 4)).toEqual([
      "01010101010101010101",
      "99dc9cac975cab3cf58f",
      "8fdad252c868f5768ef4",
      "70b2c48ff565ee2853c9",
    ]);
  });
});

describe("the kernel", () => {
  const lengths = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 1000, 4095, 4096, 4097];

  test.each(LAYOUTS)("of %d+%d makes what the plain way makes", (k, m) => {
    const rows = generator(k, m);
    for (const bytes of lengths) {
      const { stripe, copies } = coded(k, m, bytes, bytes);
      for (let i = k; i < k + m; i++) {
        expect(copies[i]!).toEqual(combine(rows[i]!, copies.slice(0, k)));
      }
      stripe.release();
    }
  });

  test("makes any pieces of any others, for all inputs", () => {
    const layout = fc.constantFrom(...LAYOUTS);
    const inputs = layout.chain(([k, m]) =>
      fc.record({
        layout: fc.constant([k, m] as const),
        order: fc.shuffledSubarray(numbers(0, k + m), { minLength: k + m, maxLength: k + m }),
        wanted: fc.integer({ min: 1, max: m }),
        bytes: fc.nat(300),
        seed: fc.nat(1000),
      }),
    );
    forAll([inputs], ({ layout: [k, m], order, wanted, bytes, seed }) => {
      const { stripe, copies } = coded(k, m, bytes, seed);
      const lost = order.slice(k, k + wanted);
      for (const piece of lost) stripe.pieces[piece]!.fill(0xee);
      stripe.make(lost, order.slice(0, k), bytes);
      expect(stripe.pieces.map((piece) => piece.slice())).toEqual(copies);
      stripe.release();
    });
  });

  test("is a valid module for each shape that there can be", () => {
    for (let inputs = 1; inputs <= 16; inputs++) {
      for (let outputs = 1; outputs <= 8; outputs++) {
        for (const plain of [true, false]) {
          const shape = { inputs, plain: numbers(0, outputs).map((o) => plain && o === 0) };
          expect(WebAssembly.validate(moduleBytes(shape))).toBe(true);
        }
      }
    }
  });
});

describe("lost pieces", () => {
  test.each(LAYOUTS)("of %d+%d come back, whichever are lost", (k, m) => {
    const bytes = 97;
    const { stripe, copies } = coded(k, m, bytes);
    for (let count = 1; count <= m; count++) {
      for (const lost of someChoices(k + m, count, 500)) {
        rebuild(stripe, lost, k, bytes);
        for (const [i, piece] of stripe.pieces.entries()) {
          if (Buffer.compare(piece, copies[i]!) !== 0) {
            throw new Error(`piece ${i} is wrong after the loss of ${lost.join()}`);
          }
        }
      }
    }
    stripe.release();
  });
});

describe("stripes", () => {
  test("do not disturb one another, however many are alive", () => {
    const all = numbers(0, 20).map((seed) => coded(4, 2, 5000, seed));
    for (const { stripe } of all) rebuild(stripe, [1, 4], 4, 5000);
    for (const { stripe } of all.toReversed()) rebuild(stripe, [0, 3], 4, 5000);
    for (const { stripe, copies } of all) {
      expect(stripe.pieces.map((piece) => piece.slice())).toEqual(copies);
      stripe.release();
    }
  });

  test("keep their buffers while others come and go", () => {
    const { stripe, copies } = coded(2, 2, 70_000);
    for (let round = 0; round < 5; round++) {
      const others = numbers(0, 10).map((seed) => coded(2, 2, 70_000, seed + 2).stripe);
      for (const other of others) other.release();
    }
    expect(stripe.pieces.map((piece) => piece.slice())).toEqual(copies);
    stripe.release();
  });

  test("share memory with a released one of another length, but no bytes of it get into results", () => {
    const rows = generator(3, 2);
    const { stripe: old } = coded(3, 2, 4000, 1);
    const memory = old.pieces[0]!.buffer;
    for (const piece of old.pieces) piece.fill(0xee);
    old.release();
    for (const bytes of [0, 1, 17, 33, 100]) {
      const { stripe, copies } = coded(3, 2, bytes, 2);
      expect(stripe.pieces[0]!.buffer).toBe(memory);
      expect(copies[4]!).toEqual(combine(rows[4]!, copies.slice(0, 3)));
      stripe.release();
    }
  });

  test("make only the length asked for, and leave the other pieces alone", () => {
    const { stripe, copies } = coded(4, 2, 1000);
    stripe.pieces[2]!.fill(0xee);
    stripe.make([2], [5, 0, 1, 3], 100);
    expect(stripe.pieces[2]!.slice(0, 100)).toEqual(copies[2]!.slice(0, 100));
    expect(stripe.pieces[2]!.slice(128)).toEqual(new Uint8Array(872).fill(0xee));
    for (const i of [0, 1, 3, 4, 5]) expect(stripe.pieces[i]!.slice()).toEqual(copies[i]!);
    stripe.make([], [], 100);
    stripe.release();
  });

  test("are right in more ways to lose pieces than are remembered", () => {
    const { stripe, copies } = coded(10, 4, 40);
    for (let round = 0; round < 2; round++) {
      for (const lost of choices(numbers(0, 14), 3)) {
        rebuild(stripe, lost, 10, 40);
        for (const i of lost) expect(Buffer.compare(stripe.pieces[i]!, copies[i]!)).toBe(0);
      }
    }
    stripe.release();
  });
});

test("what cannot be asked for is a bug", () => {
  for (const [k, m] of [
    [0, 1],
    [17, 1],
    [1, 0],
    [1, 9],
    [1.5, 1],
  ] as const) {
    expect(() => codeOf(k, m)).toThrow("bug:");
  }
  expect(() => codeOf(2, 2).stripe(16 * MIB + 1)).toThrow("bug:");
  const stripe = codeOf(2, 2).stripe(10);
  const wrong: [number[], number[], number][] = [
    [[2], [0], 10],
    [[2], [0, 1, 3], 10],
    [[2], [0, 0], 10],
    [[1], [0, 1], 10],
    [[2, 2], [0, 1], 10],
    [[4], [0, 1], 10],
    [[2], [-1, 1], 10],
    [[2], [0, 1], 11],
    [[2], [0, 1], -1],
  ];
  for (const [wanted, from, length] of wrong) {
    expect(() => stripe.make(wanted, from, length)).toThrow("bug:");
  }
  stripe.release();
  expect(() => stripe.make([2], [0, 1], 10)).toThrow("bug:");
  expect(() => stripe.release()).toThrow("bug:");
});

test("a layout has one code", () => {
  expect(codeOf(4, 2)).toBe(codeOf(4, 2));
  expect(codeOf(4, 2)).not.toBe(codeOf(2, 4));
});
