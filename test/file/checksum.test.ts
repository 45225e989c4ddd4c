import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { concat } from "../../src/bytes.ts";
import {
  blockCount,
  BlockSums,
  ROOT_BYTES,
  rootOf,
  tableAndRoot,
  SUM_BYTES,
  sumsOf,
  tableBytes,
  verifies,
} from "../../src/file/checksum.ts";
import { BLOCK_BYTES } from "../../src/limits.ts";
import * as any from "../harness/arbitraries.ts";
import { vidOf } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";

/** Bytes that differ from block to block. */
const pattern = (n: number): Uint8Array =>
  new Uint8Array(n).map((_, i) => (i * 7 + (i >>> 8) + 13 * (i >>> 16)) & 0xff);

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = new Uint8Array(bytes);
  copy[bit >>> 3]! ^= 1 << (bit & 7);
  return copy;
};

/** Lengths about the edges of blocks, of up to three of them. */
const length = fc.oneof(
  fc.nat(600),
  fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -2, max: 0 }))
    .map(([blocks, less]) => blocks * BLOCK_BYTES + less),
);
const piece = any.u8;
const vid = "000102030405060708090a0b0c0d0e0f";

test.each([
  [0, 0],
  [1, 1],
  [BLOCK_BYTES - 1, 1],
  [BLOCK_BYTES, 1],
  [BLOCK_BYTES + 1, 2],
  [10 * BLOCK_BYTES, 10],
])("%d bytes are %d blocks", (bytes, blocks) => {
  expect(blockCount(bytes)).toBe(blocks);
  expect(tableBytes(bytes)).toBe(blocks * SUM_BYTES);
  expect(sumsOf(vid, 0, 0, new Uint8Array(bytes)).length).toBe(blocks * SUM_BYTES);
});

// Computed by another program: Python's hashlib and the reference xxHash.
test("the sums and the root of a piece, as the format says", () => {
  const { table, root } = tableAndRoot(vid, 2, pattern(BLOCK_BYTES + 1000));
  expect(table.toHex()).toBe("ae87bbf1620509d23378c7575e44975a");
  expect(Buffer.from(root).toString("hex")).toBe(
    "fba56dc01613d356a9444841ae32e4aef9305ddd16945518aedb8d4644af98c1",
  );
  expect(Buffer.from(tableAndRoot(vid, 0, new Uint8Array()).root).toString("hex")).toBe(
    "809a4c1bad269d7bc2c9de4a1d7d686b32995114da709324830c99529e5f76b2",
  );
});

test("what was sealed verifies, whole and block by block", () => {
  forAll(
    [any.vid, piece, length],
    (id, number, bytes) => {
      const data = pattern(bytes);
      const { table, root } = tableAndRoot(id, number, data);
      expect(root.length).toBe(ROOT_BYTES);
      expect(verifies(id, number, 0, data, table)).toBe(true);
      for (let first = 0; first < blockCount(bytes); first++) {
        const block = data.subarray(first * BLOCK_BYTES, (first + 1) * BLOCK_BYTES);
        const sum = table.subarray(first * SUM_BYTES, (first + 1) * SUM_BYTES);
        expect(verifies(id, number, first, block, sum)).toBe(true);
      }
    },
    40,
  );
});

test("sums made in portions of whole blocks are the sums of the whole", () => {
  forAll(
    [any.vid, piece, length, fc.array(fc.integer({ min: 1, max: 2 }), { maxLength: 4 })],
    (id, number, bytes, portions) => {
      const data = pattern(bytes);
      const parts: Uint8Array[] = [];
      let first = 0;
      for (const blocks of [...portions, 4]) {
        const portion = data.subarray(first * BLOCK_BYTES, (first + blocks) * BLOCK_BYTES);
        parts.push(sumsOf(id, number, first, portion));
        first += blocks;
      }
      const whole = tableAndRoot(id, number, data);
      expect(Buffer.compare(concat(parts), whole.table)).toBe(0);
      expect(rootOf(id, number, bytes, concat(parts))).toEqual(whole.root);
    },
    40,
  );
});

describe("it is noticed", () => {
  const data = pattern(2 * BLOCK_BYTES + 100);
  const { table, root } = tableAndRoot(vid, 1, data);

  test("when any bit of the data is another one", () => {
    forAll(
      [fc.nat(8 * data.length - 1)],
      (bit) => expect(verifies(vid, 1, 0, flipped(data, bit), table)).toBe(false),
      150,
    );
  });

  test("when any bit of a small piece is another one: every single one tried", () => {
    const small = pattern(64);
    const sealed = tableAndRoot(vid, 1, small);
    for (let bit = 0; bit < 8 * small.length; bit++)
      expect(verifies(vid, 1, 0, flipped(small, bit), sealed.table)).toBe(false);
  });

  test("when any bit of the table is another one: by the block, and by the root", () => {
    for (let bit = 0; bit < 8 * table.length; bit++) {
      const wrong = flipped(table, bit);
      expect(verifies(vid, 1, 0, data, wrong)).toBe(false);
      expect(Buffer.compare(rootOf(vid, 1, data.length, wrong), root)).not.toBe(0);
    }
  });

  test("when bytes are missing, or too many", () => {
    expect(verifies(vid, 1, 0, data.subarray(0, -1), table)).toBe(false);
    expect(verifies(vid, 1, 0, data.subarray(0, -100), table)).toBe(false);
    expect(verifies(vid, 1, 0, concat([data, new Uint8Array(1)]), table)).toBe(false);
    expect(verifies(vid, 1, 0, data, table.subarray(0, -SUM_BYTES))).toBe(false);
  });

  test("when two blocks change places, be it with their sums", () => {
    const [one, two] = [data.subarray(0, BLOCK_BYTES), data.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES)];
    const rest = data.subarray(2 * BLOCK_BYTES);
    expect(verifies(vid, 1, 0, concat([two, one, rest]), table)).toBe(false);
    const swapped = concat([table.subarray(8, 16), table.subarray(0, 8), table.subarray(16)]);
    expect(verifies(vid, 1, 0, concat([two, one, rest]), swapped)).toBe(false);
  });

  test("when equal blocks change places with their sums, for the root knows the order", () => {
    const twins = tableAndRoot(vid, 1, new Uint8Array(2 * BLOCK_BYTES));
    expect(Buffer.compare(twins.table.subarray(0, 8), twins.table.subarray(8))).not.toBe(0);
  });

  test("when it is another version, another piece, another block, or another length", () => {
    forAll([any.vid, piece, fc.nat(100)], (id, number, first) => {
      const own = id === vid && number === 1 && first === 0;
      expect(
        verifies(
          id,
          number,
          first,
          data.subarray(0, 500),
          sumsOf(vid, 1, 0, data.subarray(0, 500)),
        ),
      ).toBe(own);
    });
    for (const other of [
      rootOf(vidOf(1), 1, data.length, table),
      rootOf(vid, 2, data.length, table),
      rootOf(vid, 1, data.length - 1, table),
    ])
      expect(Buffer.compare(other, root)).not.toBe(0);
  });
});

test("sums of bytes that come in parts are those of the whole, wherever they are cut", () => {
  forAll(
    [length, piece, fc.nat(1000), fc.array(fc.nat(3 * BLOCK_BYTES), { maxLength: 6 })],
    (bytes, number, first, cuts) => {
      const data = pattern(bytes);
      const places = [0, ...cuts.filter((at) => at < bytes).toSorted((a, b) => a - b)];
      const sums = new BlockSums(vid, number, first, bytes);
      for (const [i, at] of places.entries()) {
        if (at < bytes) expect(sums.table).toBeNull();
        const lent = data.slice(at, places[i + 1] ?? bytes);
        sums.add(lent);
        lent.fill(0xee);
      }
      expect(sums.table).toEqual(sumsOf(vid, number, first, data));
      expect(() => sums.add(new Uint8Array(1))).toThrow();
    },
    30,
  );
  const sums = new BlockSums(vid, 0, 5, BLOCK_BYTES + 3);
  const data = pattern(BLOCK_BYTES + 3);
  for (const byte of data) sums.add(new Uint8Array([byte]));
  expect(sums.table).toEqual(sumsOf(vid, 0, 5, data));
});
