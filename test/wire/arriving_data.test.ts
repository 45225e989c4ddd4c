/** Replies whose data is taken as it comes, among frames that come whole. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { concat } from "../../src/bytes.ts";
import { dataTaker } from "../../src/wire/arriving_data.ts";
import { ERROR, type Frame, FrameParser, frameOf, REPLY } from "../../src/wire/frames.ts";
import { MESSAGES } from "../../src/wire/messages.ts";
import * as any from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

/** A parser that takes the data of replies with an odd id. What it gives back is overwritten. */
function taking(): { parser: FrameParser; taken: Map<number, number[]> } {
  const taken = new Map<number, number[]>();
  const parser = new FrameParser({
    takerOf: ({ kind, id, bodyBytes }) => {
      if (kind !== REPLY || id % 2 === 0) return null;
      const here: number[] = [];
      taken.set(id, here);
      return dataTaker(bodyBytes, (part) => here.push(...part));
    },
    giveBack: (portion) => portion.fill(0xee),
  });
  parser.trust();
  return { parser, taken };
}

function feed(parser: FrameParser, portions: readonly Uint8Array[]): Frame[] {
  return portions.flatMap((portion) => [...parser.push(portion.slice())]);
}

const fetched = (id: number, data: Uint8Array): Uint8Array =>
  concat(frameOf(REPLY, id, MESSAGES.fetch.reply, { data }));

const replies = fc.uniqueArray(
  fc.record({ kind: fc.constantFrom(REPLY, ERROR), id: any.u32, data: any.bytesUpTo(300) }),
  { maxLength: 8, selector: ({ id }) => id },
);

describe("data that is taken as it comes", () => {
  test("is the same however it comes: whole, byte by byte, or cut anywhere", () => {
    forAll([replies, fc.array(fc.nat(400), { maxLength: 20 })], (all, cuts) => {
      const bytes = concat([
        new Uint8Array(),
        ...all.flatMap(({ kind, id, data }) => frameOf(kind, id, MESSAGES.fetch.reply, { data })),
      ]);
      const places = [0, ...cuts.filter((at) => at < bytes.length).toSorted((a, b) => a - b)];
      const ways = [
        [bytes],
        Array.from(bytes, (byte) => new Uint8Array([byte])),
        places.map((at, i) => bytes.subarray(at, places[i + 1] ?? bytes.length)),
      ];
      const isTaken = ({ kind, id }: { kind: number; id: number }): boolean =>
        kind === REPLY && id % 2 === 1;
      for (const portions of ways) {
        const { parser, taken } = taking();
        const frames = feed(parser, portions);
        expect(frames.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
        for (const [i, reply] of all.entries())
          expect(frames[i]?.body.subarray(4)).toEqual(
            isTaken(reply) ? new Uint8Array() : reply.data,
          );
        expect([...taken]).toEqual(all.filter(isTaken).map(({ id, data }) => [id, [...data]]));
      }
    });
  });

  test("is given on before its frame is over, and the frame is not over until all of it came", () => {
    const { parser, taken } = taking();
    const reply = fetched(1, new Uint8Array(100).fill(7));
    expect(feed(parser, [reply.subarray(0, 50)])).toEqual([]);
    expect(taken.get(1)).toHaveLength(50 - 9 - 4);
    expect(parser.isMidFrame).toBe(true);
    expect(parser.held).toBe(0);
    expect(feed(parser, [reply.subarray(50)])).toHaveLength(1);
    expect(taken.get(1)).toHaveLength(100);
    expect(parser.isMidFrame).toBe(false);
  });

  test.each([0, 3, 5, 2 ** 32 - 1])(
    "that claims a length of %d, and has 4, breaks the protocol",
    (n) => {
      const reply = fetched(1, new Uint8Array(4));
      new DataView(reply.buffer, reply.byteOffset).setUint32(9, n);
      for (const portions of [[reply], Array.from(reply, (byte) => new Uint8Array([byte]))]) {
        const { parser, taken } = taking();
        errorOf("protocol", () => feed(parser, portions));
        expect(taken.get(1)).toEqual([]);
      }
    },
  );
});
