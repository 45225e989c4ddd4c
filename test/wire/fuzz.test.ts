/**
 * Damaged frames: whatever comes over a connection, parsing it ends, and ends well or with DfsError("protocol").
 * FUZZ_SECONDS=n goes on for so long, with inputs of its own each time; DFS_SEED=n begins elsewhere. A failure prints the input.
 */
import { expect, test } from "bun:test";
import { type Codec, concat, decode, encode, u32 } from "../../src/bytes.ts";
import { isDfsError } from "../../src/errors.ts";
import { configCodec } from "../../src/membership.ts";
import { errorFrame, errorOf, FrameParser, frameOf, REPLY } from "../../src/wire/frames.ts";
import { MESSAGES } from "../../src/wire/messages.ts";
import { config } from "../arbitraries.ts";
import { samples } from "../property.ts";
import { EXCHANGES, KINDS } from "./exchanges.ts";

const INPUTS = 20_000;
const seconds = Number(process.env["FUZZ_SECONDS"] ?? 0);
const seed = Number(process.env["DFS_SEED"] ?? (seconds > 0 ? Date.now() % 2 ** 31 : 1));

/** Numbers from 0 to below n, the same ones for the same seed (mulberry32). */
function dice(start: number): (n: number) => number {
  let state = start >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}
type Dice = ReturnType<typeof dice>;

const CODECS = KINDS.flatMap((kind) => [
  MESSAGES[kind].request,
  MESSAGES[kind].reply,
]) as Codec<unknown>[];

const FRAMES: Uint8Array[] = [
  ...KINDS.flatMap((kind) => {
    const { number, request, reply } = MESSAGES[kind];
    const requests = samples<unknown>(EXCHANGES[kind].request, 6);
    const replies = samples<unknown>(EXCHANGES[kind].reply, 6);
    return [
      ...requests.map((value, id) => concat(frameOf(number, id, request as Codec<unknown>, value))),
      ...replies.map((value, id) => concat(frameOf(REPLY, id, reply as Codec<unknown>, value))),
    ];
  }),
  ...samples(config, 4).map((value) => concat(frameOf(REPLY, 1, configCodec, value))),
  concat(errorFrame(1, new Error("a message"))),
];

const INTERESTING = [0, 1, 2, 4, 5, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/** One small damage: bits flipped, bytes set, put in, taken out or repeated, an end cut off. */
function damage(bytes: Uint8Array, roll: Dice): Uint8Array {
  const at = roll(bytes.length);
  const end = Math.min(bytes.length, at + 1 + roll(12));
  switch (roll(6)) {
    case 0:
      return bytes.with(at, (bytes[at] ?? 0) ^ (1 << roll(8)));
    case 1:
      return bytes.with(at, INTERESTING[roll(INTERESTING.length)] ?? 0);
    case 2:
      return concat([bytes.subarray(0, at), crop(bytes, roll), bytes.subarray(at)]);
    case 3:
      return concat([bytes.subarray(0, at), bytes.subarray(end)]);
    case 4:
      return concat([bytes.subarray(0, end), bytes.subarray(at)]);
    default:
      return bytes.slice(0, at);
  }
}

const crop = (bytes: Uint8Array, roll: Dice): Uint8Array => {
  const at = roll(bytes.length);
  return bytes.subarray(at, at + 1 + roll(8));
};

/** One frame whose length is right and whose body is damaged; or up to three, damaged anywhere. */
function input(roll: Dice): Uint8Array {
  const isBody = roll(2) === 0;
  const frames = Array.from(
    { length: isBody ? 1 : 1 + roll(3) },
    () => FRAMES[roll(FRAMES.length)]!,
  );
  let bytes = concat(frames).subarray(isBody ? 9 : 0);
  for (let times = 1 + roll(4); times > 0 && bytes.length > 0; times--) {
    // Mostly in the first bytes: there are the lengths.
    const split = roll(2) === 0 ? bytes.length : Math.min(bytes.length, 64);
    bytes = concat([damage(bytes.subarray(0, split), roll), bytes.subarray(split)]);
  }
  return isBody ? concat([encode(u32, 5 + bytes.length), frames[0]!.subarray(4, 9), bytes]) : bytes;
}

/** Only DfsError("protocol") may be thrown here; returns whether it was. */
function refuses(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (isDfsError(error, "protocol")) return true;
    throw error;
  }
}

/** Parses it in portions, and reads each body as everything that it might be; returns how many values were read. */
function readAll(bytes: Uint8Array, roll: Dice): number {
  const parser = new FrameParser();
  if (roll(4) > 0) parser.trust();
  let frames = 0;
  let values = 0;
  refuses(() => {
    for (let at = 0; at < bytes.length;) {
      const end = roll(3) === 0 ? bytes.length : at + 1 + roll(200);
      for (const { body } of parser.push(bytes.subarray(at, end))) {
        frames++;
        for (const codec of CODECS) if (!refuses(() => check(codec, body))) values++;
        refuses(() => decode(configCodec, body));
        refuses(() => errorOf(body));
      }
      at = end;
    }
  });
  expect(frames).toBeLessThanOrEqual(bytes.length / 9);
  return values;
}

/** What was read can be written again, and is then as long. */
function check(codec: Codec<unknown>, body: Uint8Array): void {
  const value = decode(codec, body);
  if (encode(codec, value).length > body.length)
    throw new Error("a value is longer than what it was read from");
}

test(
  "damaged frames are refused as such, or are other frames",
  () => {
    const until = performance.now() + seconds * 1000;
    let values = 0;
    for (let n = 0; n < INPUTS || performance.now() < until; n++) {
      const roll = dice(seed * 1_000_003 + n);
      const bytes = input(roll);
      try {
        values += readAll(bytes, roll);
      } catch (error) {
        throw new Error(`input ${n} of seed ${seed}: ${bytes.toHex()}`, { cause: error });
      }
    }
    // Were nearly all inputs refused at their first byte, this would test nothing.
    expect(values).toBeGreaterThan(INPUTS / 4);
  },
  (seconds + 60) * 1000,
);
