import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Codec, concat, decode, encode, struct, u8 } from "../../src/bytes.ts";
import { codeOfWire, DfsError, type ErrorCode, wireNumber } from "../../src/errors.ts";
import { FRAME_BYTES, HELLO_FRAME_BYTES } from "../../src/limits.ts";
import { printable } from "../../src/printable.ts";
import {
  ERROR,
  errorFrame,
  errorOf as errorIn,
  type Frame,
  FrameParser,
  frameOf,
  freeFrame,
  REPLY,
  requestFrame,
} from "../../src/wire/frames.ts";
import { kindOfNumber, MESSAGES } from "../../src/wire/messages.ts";
import * as any from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";
import { EXCHANGES, KINDS } from "./exchanges.ts";

/** A frame by hand: what `length` says need not be true. */
function raw(length: number, rest: Uint8Array = new Uint8Array()): Uint8Array {
  const head = new Uint8Array(4);
  new DataView(head.buffer).setUint32(0, length);
  return concat([head, rest]);
}
const frame = (kind: number, id: number, body: Uint8Array): Uint8Array =>
  raw(5 + body.length, Buffer.from([kind, id >>> 24, id >>> 16, id >>> 8, id, ...body]));

function trusting(): FrameParser {
  const parser = new FrameParser();
  parser.trust();
  return parser;
}
const feed = (parser: FrameParser, ...portions: Uint8Array[]): Frame[] =>
  portions.flatMap((portion) => [...parser.push(portion)]);

const frames = fc.array(fc.record({ kind: any.u8, id: any.u32, body: any.bytesUpTo(300) }), {
  maxLength: 8,
});
const bytesOf = (all: readonly Frame[]): Uint8Array =>
  concat([new Uint8Array(), ...all.map(({ kind, id, body }) => frame(kind, id, body))]);

describe("a frame", () => {
  test("is its length, its kind, its id and its body", () => {
    const whole = concat(frameOf(7, 0x01020304, struct({ a: u8, b: u8 }), { a: 9, b: 8 }));
    expect(whole.toHex()).toBe("0000000707010203040908");
    expect(concat(frameOf(7, 1, struct({}), {})).toHex()).toBe("000000050700000001");
  });

  test.each(KINDS)("of a request of %s says what was said", (kind) => {
    forAll(
      [EXCHANGES[kind].request as fc.Arbitrary<never>, any.u32],
      (request, id) => {
        const [only, ...more] = feed(trusting(), concat(requestFrame(kind, id, request)));
        expect(more).toEqual([]);
        expect(only?.id).toBe(id);
        expect(kindOfNumber(only?.kind ?? 0)).toBe(kind);
        const codec: Codec<unknown> = MESSAGES[kind].request;
        expect(decode(codec, only?.body ?? new Uint8Array())).toEqual(request);
      },
      30,
    );
  });

  test("does not copy a chunk, and small ones are one part", () => {
    const data = new Uint8Array(100_000);
    const parts = frameOf(REPLY, 1, MESSAGES.fetch.reply, { data });
    expect(parts.some((part) => part.buffer === data.buffer)).toBe(true);
    expect(parts.length).toBeLessThanOrEqual(3);
    const small = { data: new Uint8Array(1000) };
    expect(frameOf(REPLY, 1, MESSAGES.fetch.reply, small).length).toBe(1);
  });
});

describe("the parser", () => {
  test("finds the same frames whatever the portions: whole, byte by byte, or cut anywhere", () => {
    forAll([frames, fc.array(fc.nat(400), { maxLength: 20 })], (all, cuts) => {
      const bytes = bytesOf(all);
      expect(feed(trusting(), bytes)).toEqual(all);
      expect(feed(trusting(), ...Array.from(bytes, (byte) => new Uint8Array([byte])))).toEqual(all);
      const places = [0, ...cuts.filter((at) => at < bytes.length).toSorted((a, b) => a - b)];
      const portions = places.map((at, i) => bytes.subarray(at, places[i + 1] ?? bytes.length));
      expect(feed(trusting(), ...portions)).toEqual(all);
    });
  });

  test("gives back each portion once, and none that a frame lies in", () => {
    forAll([frames, fc.array(fc.nat(400), { maxLength: 20 })], (all, cuts) => {
      const bytes = bytesOf(all);
      const places = [0, ...cuts.filter((at) => at < bytes.length).toSorted((a, b) => a - b)];
      const portions = places.map((at, i) => bytes.slice(at, places[i + 1] ?? bytes.length));
      const back: Uint8Array[] = [];
      const parser = new FrameParser({
        giveBack(portion) {
          expect(portions.some((one) => one === portion)).toBe(true);
          back.push(portion.fill(0xee));
        },
      });
      parser.trust();
      expect(feed(parser, ...portions)).toEqual(all);
      expect(new Set(back).size).toBe(back.length);
    });
    const [one, two] = [frame(1, 1, new Uint8Array(50)), frame(2, 2, new Uint8Array(50))];
    const back: number[] = [];
    const parser = new FrameParser({ giveBack: ({ length }) => void back.push(length) });
    feed(parser, one.subarray(0, 20), one.subarray(20, 59), two, one.subarray(0, 7));
    expect(back).toEqual([20, 39]);
  });

  test("frees a frame whose memory is its own, and no other", () => {
    const [one, two] = [frame(1, 1, new Uint8Array(50)), frame(2, 2, new Uint8Array(50))];
    const both = concat([one, two]);
    const shared = feed(trusting(), both);
    for (const each of shared) freeFrame(each);
    expect(shared.map(({ body }) => body.length)).toEqual([50, 50]);
    const [own] = feed(trusting(), one.slice(0, 30), one.slice(30));
    if (own) freeFrame(own);
    expect(own?.body.length).toBe(0);
  });

  test("knows whether it is in the middle of a frame", () => {
    const parser = trusting();
    const one = frame(1, 1, new Uint8Array(3));
    expect(parser.isMidFrame).toBe(false);
    expect(feed(parser, one.subarray(0, 2))).toEqual([]);
    expect(parser.isMidFrame).toBe(true);
    expect(feed(parser, one.subarray(2)).length).toBe(1);
    expect(parser.isMidFrame).toBe(false);
    expect(feed(parser, one, one.subarray(0, 1)).length).toBe(1);
    expect(parser.isMidFrame).toBe(true);
    expect(feed(parser, new Uint8Array())).toEqual([]);
    expect(parser.isMidFrame).toBe(true);
  });

  test("is trusted from the very next frame on", () => {
    const long = frame(2, 2, new Uint8Array(HELLO_FRAME_BYTES));
    const parser = new FrameParser();
    const found: number[] = [];
    for (const { kind } of parser.push(concat([frame(1, 1, new Uint8Array(1)), long]))) {
      found.push(kind);
      parser.trust();
    }
    expect(found).toEqual([1, 2]);
  });

  test.each([
    ["0", 0],
    ["4, which leaves no room for a kind and an id", 4],
    ["one more than a hello may have", HELLO_FRAME_BYTES + 1],
    ["one more than any may have", FRAME_BYTES + 1],
    ["4 GiB", 0xffff_ffff],
  ])("refuses a length of %s as soon as it has the length", (_, length) => {
    errorOf("protocol", () => feed(new FrameParser(), raw(length)));
    errorOf("protocol", () =>
      feed(new FrameParser(), ...Array.from(raw(length), (b) => new Uint8Array([b]))),
    );
    errorOf("protocol", () =>
      feed(trusting(), raw(length === HELLO_FRAME_BYTES + 1 ? FRAME_BYTES + 1 : length)),
    );
    // After a good frame, and at the end of the same portion.
    errorOf("protocol", () =>
      feed(new FrameParser(), concat([frame(1, 1, new Uint8Array(9)), raw(length)])),
    );
  });

  test.each([
    [HELLO_FRAME_BYTES, new FrameParser()],
    [FRAME_BYTES, trusting()],
  ])("takes a frame of exactly %d bytes", (length, parser) => {
    const [only] = feed(parser, raw(length, new Uint8Array(length)));
    expect(only?.body.length).toBe(length - 5);
  });

  test("before it is trusted, a frame of ordinary length is refused", () => {
    errorOf("protocol", () => feed(new FrameParser(), raw(FRAME_BYTES)));
    expect(feed(trusting(), raw(FRAME_BYTES))).toEqual([]);
  });

  test("a peer that drips single bytes does not make it keep an object for each", () => {
    const parser = trusting();
    const body = new Uint8Array(5000).fill(1);
    const whole = frame(1, 1, body);
    const portions = Array.from(whole, (byte) => new Uint8Array([byte]));
    expect(feed(parser, ...portions.slice(0, -1))).toEqual([]);
    // What it has not copied yet, it still has by reference: that shows in the body.
    for (const portion of portions.slice(9, -1)) portion[0] = 2;
    const [only] = feed(parser, ...portions.slice(-1));
    expect(only?.body.length).toBe(body.length);
    expect(only?.body.filter((byte) => byte === 2).length).toBeLessThanOrEqual(64);
  });
});

describe("an error", () => {
  const NUMBERS: Record<ErrorCode, number> = {
    failed: 1,
    usage: 2,
    config: 3,
    partly: 4,
    noSuchName: 5,
    tooFew: 6,
    incomplete: 7,
    putFailed: 8,
    conflict: 9,
    login: 10,
    integrity: 11,
    interrupted: 12,
    unread: 40,
    open: 13,
    protocol: 20,
    down: 21,
    identity: 22,
    noRoom: 23,
    noPiece: 24,
    badPiece: 25,
    damaged: 26,
    folder: 27,
    epoch: 28,
    lives: 31,
    forbidden: 29,
    unsynced: 30,
  };
  const through = (id: number, error: unknown): { id: number; error: DfsError } => {
    const [only] = feed(new FrameParser(), concat(errorFrame(id, error)));
    expect(only?.kind).toBe(ERROR);
    return { id: only?.id ?? -1, error: errorIn(only?.body ?? new Uint8Array()) };
  };

  test.each(Object.entries(NUMBERS) as [ErrorCode, number][])(
    "of code %s has number %d, and arrives as it was",
    (code, number) => {
      expect(wireNumber(code)).toBe(number);
      expect(codeOfWire(number)).toBe(code);
      const { id, error } = through(77, new DfsError(code, "why: ü 😀"));
      expect(id).toBe(77);
      expect(error).toBeInstanceOf(DfsError);
      const told = code === "interrupted" ? "failed" : code;
      expect([error.code, error.message]).toEqual([told, "why: ü 😀"]);
    },
  );

  test("of any message fits: a long one is cut, and what is no DfsError is a failure of one line", () => {
    forAll(
      [fc.oneof(any.textUpTo(2000), fc.string({ unit: "grapheme", size: "xlarge" }))],
      (message) => {
        const { error } = through(0, new DfsError("damaged", message));
        expect(error.code).toBe("damaged");
        expect(error.message.slice(0, 200)).toBe(
          printable(message.slice(0, 256).toWellFormed()).slice(0, 200),
        );
      },
    );
    expect(through(0, new DfsError("failed", "\uFFFF".repeat(10_000))).error.code).toBe("failed");
    expect(through(0, new Error("one\ntwo")).error.message).toBe("one");
    expect(through(0, "just text").error.message).toBe("just text");
  });

  test("says nothing to a terminal but its text", () => {
    const { message } = through(1, new DfsError("failed", "a\u001b[2Jb\u009b")).error;
    expect(message).toBe("a\\u001b[2Jb\\u009b");
  });

  test("of a number that this version does not know is a failure", () => {
    expect(codeOfWire(9999)).toBe("failed");
    const body = encode(struct({ code: u8, rest: u8 }), { code: 0xff, rest: 0xff });
    expect(errorIn(concat([body, raw(0)])).code).toBe("failed");
  });

  test("of a server that says that this client was interrupted is a failure of that server", () => {
    expect(through(1, new DfsError("interrupted", "stop")).error.code).toBe("failed");
  });

  test("that is no error is against the protocol", () => {
    errorOf("protocol", () => errorIn(new Uint8Array()));
    errorOf("protocol", () => errorIn(concat([new Uint8Array(2), raw(9)])));
  });
});
