/** Files sealed as they are read, and opened as they come: at any offset, in any order, any part of them. */
import { inMemory } from "../../src/client/send/source.ts";
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Sink } from "../../src/client/fetch/sink.ts";
import { openingSink, sealedRange } from "../../src/client/fetch/opening_sink.ts";
import { cutTo } from "../../src/client/fetch/portions.ts";
import { sealedSource } from "../../src/client/send/sealed_source.ts";
import { sealedBytes, SEGMENT_BYTES } from "../../src/file/seal.ts";
import { forAllAsync } from "../harness/property.ts";
import { rejectionOf } from "../harness/thrown.ts";

const key = new Uint8Array(32).fill(5);
const contentOf = (length: number): Uint8Array =>
  new Uint8Array(length).map((_, i) => (i * 7 + (i >> 8)) & 0xff);
function sinkOf(length: number): Sink & { readonly data: Uint8Array; written: number } {
  const data = new Uint8Array(length);
  const sink = {
    data,
    written: 0,
    inOrder: false,
    open: async () => {},
    async write(bytes: Uint8Array, at: number) {
      data.set(bytes, at);
      sink.written += bytes.length;
    },
  };
  return sink;
}

const size = fc.oneof(
  fc.constantFrom(0, 1, 15, 16, 17, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1),
  fc.nat({ max: 5 * SEGMENT_BYTES }),
);
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

/** Where a length is cut, as shares of it. */
const portionsOf = (length: number, shares: readonly number[]): [number, number][] => {
  const at = [0, ...shares.map((share) => Math.floor(share * length)), length].toSorted(
    (a, b) => a - b,
  );
  return at.slice(1).map((end, i) => [at[i] ?? 0, end]);
};

test("what is read of the sealed source in any portions opens to the file, in any order", () =>
  forAllAsync([size, cuts, fc.boolean()], async (length, shares, isBackwards) => {
    const data = contentOf(length);
    const source = sealedSource(inMemory(data), key);
    expect(source.bytes).toBe(sealedBytes(length));
    const sink = sinkOf(length);
    const opening = openingSink("a", { key, bytes: length }, { offset: 0, length }, sink);
    const portions = portionsOf(source.bytes, shares);
    for (const [from, end] of isBackwards ? portions.toReversed() : portions) {
      const part = new Uint8Array(end - from);
      await source.read(part, from);
      await opening.write(part, from);
    }
    expect(sink.written).toBe(length);
    expect(Buffer.compare(sink.data, data)).toBe(0);
  }));

test("a range of it takes the segments that it touches, and writes no more than itself", () =>
  forAllAsync([size, fc.nat(400_000), fc.nat(200_000)], async (length, offset, most) => {
    const data = contentOf(length);
    const source = sealedSource(inMemory(data), key);
    const wanted = cutTo(length, { offset, length: most });
    const range = cutTo(source.bytes, sealedRange(wanted));
    const sink = sinkOf(length);
    const part = new Uint8Array(range.length);
    await source.read(part, range.offset);
    await openingSink("a", { key, bytes: length }, wanted, sink).write(part, range.offset);
    expect(sink.written).toBe(wanted.length);
    const end = wanted.offset + wanted.length;
    expect(sink.data.subarray(wanted.offset, end)).toEqual(data.subarray(wanted.offset, end));
  }));

test("a file that changes between two reads of a segment is not sealed twice", async () => {
  const data = contentOf(1000);
  const source = sealedSource(inMemory(data), key);
  await source.read(new Uint8Array(500), 0);
  await source.read(new Uint8Array(516), 500);
  data[3] = 99;
  const again = source.read(new Uint8Array(10), 600);
  expect((await rejectionOf("putFailed", again)).message).toContain("changed while it was read");
});

test("bytes that were not sealed so are not written", async () => {
  const data = contentOf(1000);
  const source = sealedSource(inMemory(data), key);
  const part = new Uint8Array(source.bytes);
  await source.read(part, 0);
  part[20] = (part[20] ?? 0) ^ 1;
  const sink = sinkOf(1000);
  const opening = openingSink("a", { key, bytes: 1000 }, { offset: 0, length: 1000 }, sink);
  await rejectionOf("integrity", opening.write(part, 0));
  expect(sink.written).toBe(0);
});
