import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  bytesIn,
  checkRange,
  cutTo,
  type Portion,
  portionsOf,
  type Range,
  WHOLE,
} from "../../src/client/fetch/portions.ts";
import { type Cut, pieceBytes } from "../../src/file/split.ts";
import { BLOCK_BYTES, CHUNK_BYTES, FILE_BYTES_MAX, KIB } from "../../src/limits.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

/** Some bytes of a piece that follow one another in the file, and where they lie there. */
interface Run {
  readonly piece: number;
  readonly offset: number;
  readonly at: number;
  readonly bytes: number;
}

/** The file as its format says: cut in parts that follow one another, the first ones a byte longer. */
function runsOf({ size, needed, striped }: Cut): Run[] {
  const runs: Run[] = [];
  const ends = Array.from({ length: needed }, () => 0);
  let at = 0;
  const stripe = striped ? needed * CHUNK_BYTES : Infinity;
  while (at < size) {
    const part = Math.min(stripe, size - at);
    for (let piece = 0; piece < needed; piece++) {
      const bytes = Math.floor(part / needed) + (piece < part % needed ? 1 : 0);
      const offset = ends[piece]!;
      runs.push({ piece, offset, at, bytes });
      ends[piece] = offset + bytes;
      at += bytes;
    }
  }
  return runs;
}

/** The blocks that have a byte of the range, as "piece:block". */
function blocksTouched(cut: Cut, { offset, length }: Range): string[] {
  const blocks = new Set<string>();
  for (const run of runsOf(cut)) {
    const from = Math.max(offset, run.at) - run.at + run.offset;
    const end = Math.min(offset + length, run.at + run.bytes) - run.at + run.offset;
    for (let byte = from; byte < end; byte = (Math.floor(byte / BLOCK_BYTES) + 1) * BLOCK_BYTES)
      blocks.add(`${run.piece}:${Math.floor(byte / BLOCK_BYTES)}`);
  }
  return [...blocks].toSorted();
}

function blocksFetched(cut: Cut, portions: readonly Portion[]): string[] {
  return portions
    .flatMap(({ pieces, offset, length }) =>
      pieces.flatMap((piece) => {
        const end = Math.min(offset + length, pieceBytes(cut, piece));
        const count = Math.ceil((end - offset) / BLOCK_BYTES);
        return Array.from({ length: count }, (_, i) => `${piece}:${offset / BLOCK_BYTES + i}`);
      }),
    )
    .toSorted();
}

const near = (step: number, most: number): fc.Arbitrary<number> =>
  fc
    .tuple(fc.nat(most), fc.integer({ min: -2, max: 2 }))
    .map(([n, d]) => Math.max(0, n * step + d));
const sizes = fc.oneof(fc.nat(300), fc.nat(40 * CHUNK_BYTES), near(CHUNK_BYTES, 40));
const cuts: fc.Arbitrary<Cut> = fc
  .tuple(sizes, fc.integer({ min: 1, max: 16 }), fc.nat(8), fc.boolean())
  .map(([size, needed, parity, isStream]) => ({
    size,
    needed,
    pieces: needed + parity,
    striped: parity > 0 || isStream,
  }));
const places = fc.oneof(fc.nat(300), fc.nat(41 * CHUNK_BYTES), near(BLOCK_BYTES, 164));
const ranges: fc.Arbitrary<Range> = fc.record({ offset: places, length: places });

describe("the portions of any range", () => {
  test("have the blocks that it touches, each once", () => {
    forAll([cuts, ranges, fc.boolean()], (cut, wanted, inOrder) => {
      const range = cutTo(cut.size, wanted);
      const portions = [...portionsOf(cut, range, inOrder)];
      expect(blocksFetched(cut, portions)).toEqual(blocksTouched(cut, range));
    });
  });

  test("are within what a server gives: whole blocks, a chunk at most, and of one stripe", () => {
    forAll([cuts, ranges], (cut, wanted) => {
      for (const { pieces, offset, length } of portionsOf(cut, cutTo(cut.size, wanted), true)) {
        expect(offset % BLOCK_BYTES).toBe(0);
        expect(length % BLOCK_BYTES).toBe(0);
        expect((offset % CHUNK_BYTES) + length).toBeLessThanOrEqual(CHUNK_BYTES);
        if (!cut.striped) expect(pieces).toHaveLength(1);
      }
    });
  });

  test("bring its bytes, in the order of the file where that is asked for", () => {
    forAll([cuts, ranges, fc.boolean()], (cut, wanted, inOrder) => {
      const range = cutTo(cut.size, wanted);
      const spans = [...portionsOf(cut, range, inOrder)].flatMap((portion) => {
        const chunks = portion.pieces.map((piece) => {
          const most = Math.min(portion.length, pieceBytes(cut, piece) - portion.offset);
          return new Uint8Array(most);
        });
        return bytesIn(cut, portion, chunks, range).map(({ data, at }) => [at, at + data.length]);
      });
      let next = range.offset;
      for (const [at, end] of inOrder ? spans : spans.toSorted(([a = 0], [b = 0]) => a - b)) {
        expect(at).toBe(next);
        expect(end).toBeGreaterThan(at ?? 0);
        next = end ?? 0;
      }
      expect(next).toBe(range.offset + range.length);
    });
  });

  test("bring the bytes that lie there", () => {
    const size = 5 * CHUNK_BYTES + 70_001;
    const file = new Uint8Array(size).map((_, i) => (i * 7 + (i >> 8) * 13 + (i >> 16)) & 0xff);
    const shapes = fc.constantFrom([4, 4], [3, 3], [2, 4], [4, 5], [3, 5]);
    forAll([shapes, fc.boolean(), ranges], ([needed = 0, pieces = 0], isStream, wanted) => {
      const cut = { size, needed, pieces, striped: pieces > needed || isStream };
      const stored = Array.from({ length: needed }, (_, p) => new Uint8Array(pieceBytes(cut, p)));
      for (const { piece, offset, at, bytes } of runsOf(cut))
        stored[piece]?.set(file.subarray(at, at + bytes), offset);
      const range = cutTo(size, wanted);
      const back = new Uint8Array(range.length);
      for (const portion of portionsOf(cut, range, false)) {
        const end = portion.offset + portion.length;
        const chunks = portion.pieces.map((piece) => stored[piece]!.subarray(portion.offset, end));
        for (const { data, at } of bytesIn(cut, portion, chunks, range))
          back.set(data, at - range.offset);
      }
      const expected = file.subarray(range.offset, range.offset + range.length);
      expect(Buffer.compare(back, expected)).toBe(0);
    });
  });
});

test("a whole file goes chunk by chunk, one of each piece in turn; where it is striped, stripe by stripe", () => {
  const cut = { size: 4 * CHUNK_BYTES + 2, needed: 2, pieces: 2, striped: false };
  const turns = [...portionsOf(cut, cutTo(cut.size, WHOLE), false)];
  expect(turns.map(({ pieces, offset }) => [...pieces, offset / KIB])).toEqual([
    [0, 0],
    [1, 0],
    [0, 256],
    [1, 256],
    [0, 512],
    [1, 512],
  ]);
  for (const pieces of [2, 3]) {
    const striped = { ...cut, pieces, striped: true };
    const stripes = [...portionsOf(striped, cutTo(cut.size, WHOLE), false)];
    expect(stripes.map((stripe) => [stripe.pieces, stripe.offset / KIB])).toEqual([
      [[0, 1], 0],
      [[0, 1], 256],
      [[0, 1], 512],
    ]);
  }
});

test("a few bytes of the largest file are found without a look at all of it", () => {
  const range = { offset: FILE_BYTES_MAX - 3000, length: 2000 };
  for (const [pieces, striped] of [
    [10, false],
    [10, true],
    [14, true],
  ] as const) {
    const cut = { size: FILE_BYTES_MAX, needed: 10, pieces, striped };
    expect([...portionsOf(cut, range, true)].length).toBeWithin(1, 3);
  }
});

test("a range ends with the file", () => {
  expect(cutTo(100, { offset: 90, length: 20 })).toEqual({ offset: 90, length: 10 });
  expect(cutTo(100, { offset: 100, length: 1 })).toEqual({ offset: 100, length: 0 });
  expect(cutTo(100, { offset: 200, length: 1 })).toEqual({ offset: 100, length: 0 });
  expect(cutTo(0, WHOLE)).toEqual({ offset: 0, length: 0 });
});

test.each([-1, 0.5, NaN, Infinity, 2 ** 53])("%p is no place in a file, and no length", (value) => {
  errorOf("usage", () => checkRange({ offset: value, length: 1 }));
  errorOf("usage", () => checkRange({ offset: 1, length: value }));
});

test("of the largest file there are no more at once than are wanted", () => {
  const cut = { size: FILE_BYTES_MAX, needed: 4, pieces: 4, striped: false };
  const first = portionsOf(cut, cutTo(cut.size, WHOLE), false).take(6).toArray();
  expect(first.map(({ pieces }) => pieces[0])).toEqual([0, 1, 2, 3, 0, 1]);
});
