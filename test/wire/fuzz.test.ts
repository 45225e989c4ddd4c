/**
 * Damaged frames: whatever comes over a connection, parsing it ends, and ends well or with DfsError("protocol").
 * FUZZ_SECONDS=n goes on for so long, with inputs of its own each time; DFS_SEED=n begins elsewhere. A failure prints the input.
 */
import { expect, test } from "bun:test";
import { type Codec, concat, decode, encode, u32 } from "../../src/bytes.ts";
import { configCodec } from "../../src/membership.ts";
import { errorFrame, errorOf, FrameParser, frameOf, REPLY } from "../../src/wire/frames.ts";
import { MESSAGES } from "../../src/wire/messages.ts";
import { config } from "../harness/arbitraries.ts";
import { samples } from "../harness/property.ts";
import { damage, type Dice, dice, refuses, seconds, seed } from "./damage.ts";
import { EXCHANGES, KINDS } from "./exchanges.ts";

const INPUTS = 20_000;
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
    let n = 0;
    for (; n < INPUTS || performance.now() < until; n++) {
      const roll = dice(seed * 1_000_003 + n);
      const bytes = input(roll);
      try {
        values += readAll(bytes, roll);
      } catch (error) {
        throw new Error(`input ${n} of seed ${seed}: ${bytes.toHex()}`, { cause: error });
      }
    }
    if (seconds > 0) console.log(`${n} inputs`);
    // Were nearly all inputs refused at their first byte, this would test nothing.
    expect(values).toBeGreaterThan(INPUTS / 4);
  },
  (seconds + 60) * 1000,
);
