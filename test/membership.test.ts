import { describe, expect, test } from "bun:test";
import { concat, decode, encode } from "../src/bytes.ts";
import { SERVERS_MAX, SLOTS_MAX } from "../src/limits.ts";
import {
  type Config,
  CONFIG_FORMAT,
  configCodec,
  heirOf,
  membersOf,
  placesOf,
  slotOf,
} from "../src/membership.ts";
import { config, configOf, sidOf, vidOf, withHeirs } from "./arbitraries.ts";
import { forAll } from "./property.ts";
import { errorOf } from "./thrown.ts";

const through = (value: Config): Config => decode(configCodec, encode(configCodec, value));

describe("a configuration", () => {
  test("reads as it was written", () => {
    forAll([config], (value) => {
      expect(through(value)).toEqual(value);
      const body = encode(configCodec, value);
      errorOf("protocol", () => decode(configCodec, body.subarray(0, -1)));
      errorOf("protocol", () => decode(configCodec, concat([body, new Uint8Array(1)])));
    });
  });

  test("of one server, and the largest, reads as it was written", () => {
    const voters = Array.from({ length: SERVERS_MAX }, (_, i) => SLOTS_MAX - 1 - i);
    const seats = withHeirs(configOf(SLOTS_MAX).seats, { 0: 1, 1: SLOTS_MAX - 1 });
    for (const value of [
      configOf(1),
      configOf(SLOTS_MAX, {
        epoch: 0xffff_ffff,
        seats,
        voters,
        next: voters,
        leaving: voters.slice(1),
      }),
    ])
      expect(through(value)).toEqual(value);
  });

  test("lies in its bytes as it always did", () => {
    const seats = [{ sid: vidOf(1), name: "ab", host: "c", port: 0x1234, heir: 1 }];
    const vacant = { sid: null, name: "", host: "", port: 0, heir: null };
    const value = configOf(0, { epoch: 3, seats: [...seats, vacant], voters: [1], next: [0, 1] });
    const words = [
      ["02", "00000003", "00000002"],
      ["01", vidOf(1), "00000002", "6162", "00000001", "63", "1234", "01", "01"],
      ["00", "00000000", "00000000", "0000", "00"],
      ["00000001", "01", "01", "00000002", "0001", "00000000"],
    ];
    expect(encode(configCodec, value).toHex()).toBe(words.flat().join(""));
  });

  const four = configOf(4);
  const heirs = (some: Record<number, number>): Partial<Config> => ({
    seats: withHeirs(four.seats, some),
  });
  test.each<[string, Partial<Config>]>([
    ["nobody decides", { voters: [] }],
    ["nobody is to decide", { next: [] }],
    ["there are no seats", { seats: [] }],
    ["a slot that there is not decides", { voters: [0, 4] }],
    ["a slot that there is not is to decide", { next: [255] }],
    ["a slot that there is not leaves", { leaving: [4] }],
    ["a slot that there is not is an heir", heirs({ 3: 4 })],
    ["one decides twice", { voters: [0, 1, 2, 1] }],
    ["one is to decide twice", { next: [3, 3] }],
    ["one leaves twice", { leaving: [2, 2] }],
    ["one is its own heir", heirs({ 2: 2 })],
    ["an heir came before", heirs({ 3: 1 })],
    ["two are each other's heirs", heirs({ 1: 2, 2: 1 })],
  ])("is refused where %s", (_, wrong) => {
    expect(through(four)).toEqual(four);
    const { message } = errorOf("protocol", () => through({ ...four, ...wrong }));
    expect(message).toContain("contradicts itself");
  });

  test("is refused where it is of another format, whatever it says", () => {
    for (const format of [0, 1, 3, 255]) {
      const value = { ...four, format };
      expect(errorOf("protocol", () => through(value)).message).toContain(`format ${format}`);
    }
    expect(CONFIG_FORMAT).toBe(2);
  });

  test("is refused where it claims more seats or members than there may be", () => {
    const body = encode(configCodec, four);
    // After the format and the epoch: how many seats.
    const seats = body.slice();
    new DataView(seats.buffer).setUint32(5, SLOTS_MAX + 1);
    errorOf("protocol", () => decode(configCodec, seats));
    // Last come the number of voters, four of them, no next, and the number of those that leave.
    const voters = body.slice();
    new DataView(voters.buffer).setUint32(body.length - 13, SERVERS_MAX + 1);
    errorOf("protocol", () => decode(configCodec, voters));
  });
});

describe("who is what in a configuration", () => {
  test("members are those that decide and those that will, places those that are to hold pieces", () => {
    const one = configOf(6, { voters: [3, 0, 1], leaving: [1] });
    expect(membersOf(one)).toEqual([0, 1, 3]);
    expect(placesOf(one)).toEqual([0, 3]);
    const joint = { ...one, next: [5, 3, 4], leaving: [0, 4] };
    expect(membersOf(joint)).toEqual([0, 1, 3, 4, 5]);
    expect(placesOf(joint)).toEqual([3, 5]);
    expect([membersOf(configOf(4)), placesOf(configOf(4))]).toEqual([
      [0, 1, 2, 3],
      [0, 1, 2, 3],
    ]);
  });

  test("a server's slot is where its id is, members or not", () => {
    const one = configOf(4, { voters: [0, 1] });
    for (const slot of [0, 1, 2, 3]) expect(slotOf(one, sidOf(slot))).toBe(slot);
    expect(slotOf(one, vidOf(9))).toBe(-1);
  });

  test("the last heir stands in a slot's place, itself where it has none", () => {
    const seats = withHeirs(configOf(6).seats, { 0: 2, 2: 5, 3: 4 });
    const one = configOf(6, { seats });
    expect([0, 1, 2, 3, 4, 5].map((slot) => heirOf(one, slot))).toEqual([5, 1, 5, 4, 4, 5]);
    expect(heirOf(one, 77)).toBe(77);
  });
});
