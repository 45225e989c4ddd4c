import { describe, expect, test } from "bun:test";
import { concat, decode, encode } from "../src/bytes.ts";
import { SERVERS_MAX, SLOTS_MAX, WEIGHT_MAX } from "../src/limits.ts";
import {
  type Config,
  CONFIG_FORMAT,
  configCodec,
  heirOf,
  listedIn,
  membersOf,
  NO_BIRTH,
  placesOf,
  requestIdOf,
  slotOf,
  vacantIn,
} from "../src/membership.ts";
import { renewFormat, takeSeats } from "../src/seating.ts";
import { config, configOf, sidOf, vidOf, withHeirs } from "./harness/arbitraries.ts";
import { forAll } from "./harness/property.ts";
import { errorOf } from "./harness/thrown.ts";

/** The seats of a configuration, some of them without a server. */
const vacated = ({ seats }: Config, ...slots: number[]): Config["seats"] =>
  seats.map((seat, slot) => (slots.includes(slot) ? { ...seat, sid: null } : seat));

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

  const two = [
    { sid: vidOf(1), name: "ab", host: "c", port: 0x1234, heir: 1, weight: WEIGHT_MAX, zone: "" },
    { sid: null, name: "", host: "", port: 0, heir: null, weight: WEIGHT_MAX, zone: "" },
  ];
  const firstWords = ["01", vidOf(1), "00000002", "6162", "00000001", "63", "1234", "01", "01"];
  const secondWords = ["00", "00000000", "00000000", "0000", "00"];
  const seatWords = [...firstWords, ...secondWords];

  test("of the oldest format, in which seats without a server decide, reads and lies in its bytes as it always did", () => {
    const value = configOf(0, { format: 2, epoch: 3, seats: two, voters: [1], next: [0, 1] });
    const words = [
      ["02", "00000003", "00000002"],
      seatWords,
      ["00000001", "01", "01", "00000002", "0001", "00000000"],
    ];
    expect(encode(configCodec, value).toHex()).toBe(words.flat().join(""));
    expect(through(value)).toEqual(value);
    expect(value).toMatchObject({ birth: NO_BIRTH, awaited: [] });
  });

  test("of the format before, in which all servers weigh the same, lies in its bytes like that, and after it come its birth and the seats that are kept", () => {
    const more = { birth: vidOf(7), awaited: [1] };
    const value = configOf(0, {
      format: 3,
      epoch: 3,
      seats: two,
      voters: [0],
      next: null,
      ...more,
    });
    const words = [
      ["03", "00000003", "00000002"],
      seatWords,
      ["00000001", "00", "00", "00000000", vidOf(7), "00000001", "01"],
    ];
    expect(encode(configCodec, value).toHex()).toBe(words.flat().join(""));
    expect(through(value)).toEqual(value);
  });

  test("of the format before, with the weight of each seat, and last what weights are parts of", () => {
    const seats = two.map((seat, i) => ({ ...seat, weight: i === 0 ? 0x0203 : WEIGHT_MAX }));
    const more = { birth: vidOf(7), awaited: [1], largest: 0x1234_5678_9abc };
    const value = configOf(0, { format: 4, epoch: 3, seats, voters: [0], next: null, ...more });
    const words = [
      ["04", "00000003", "00000002"],
      [...firstWords, "0203", ...secondWords, "ffff"],
      ["00000001", "00", "00", "00000000", vidOf(7), "00000001", "01"],
      ["0000123456789abc"],
    ];
    expect(encode(configCodec, value).toHex()).toBe(words.flat().join(""));
    expect(through(value)).toEqual(value);
  });

  test("lies in its bytes with slots of 16 bits, zones, keepers, a floor and a log", () => {
    const seats = two.map((seat, i) => ({ ...seat, zone: i === 0 ? "z" : "" }));
    const more = { birth: vidOf(7), awaited: [1], largest: 9, keepers: [0], floor: 5n };
    const log = [new Uint8Array([0xab])];
    const value = configOf(0, { epoch: 3, seats, voters: [0], next: null, log, ...more });
    const words = [
      ["05", "00000003", "00000002"],
      [...firstWords.slice(0, -1), "0001", "ffff", "00000001", "7a"],
      [...secondWords, "ffff", "00000000"],
      ["00000001", "0000", "00", "00000000", vidOf(7), "00000001", "0001"],
      ["0000000000000009", "00000001", "0000", vidOf(5), "00000001", "00000001", "ab"],
    ];
    expect(encode(configCodec, value).toHex()).toBe(words.flat().join(""));
    expect(through(value)).toEqual(value);
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
    ["one that was never seen decides", { seats: vacated(four, 2) }],
    ["one that was never seen is to decide", { seats: vacated(four, 3), next: [2, 3] }],
    ["a seat is kept that has a server", { voters: [0, 1, 2], awaited: [3] }],
    ["a seat is kept that there is not", { awaited: [4] }],
    ["one weighs nothing", { seats: four.seats.map((seat) => ({ ...seat, weight: 0 })) }],
    ["a seat is kept twice", { seats: vacated(four, 3), voters: [0, 1, 2], awaited: [3, 3] }],
  ])("is refused where %s", (_, wrong) => {
    expect(through(four)).toEqual(four);
    const { message } = errorOf("protocol", () => through({ ...four, ...wrong }));
    expect(message).toContain("contradicts itself");
  });

  test("is refused where it is of another format, whatever it says", () => {
    for (const format of [0, 1, 6, 255]) {
      const value = { ...four, format };
      expect(errorOf("protocol", () => through(value)).message).toContain(`format ${format}`);
    }
    expect(CONFIG_FORMAT).toBe(5);
  });

  test("is refused where it claims more seats or members than there may be", () => {
    const body = encode(configCodec, four);
    // After the format and the epoch: how many seats.
    const seats = body.slice();
    new DataView(seats.buffer).setUint32(5, SLOTS_MAX + 1);
    errorOf("protocol", () => decode(configCodec, seats));
    // Last come the number of voters, four of them, no next, the number of those that leave, the birth, the number of those awaited, the largest disk, the number of keepers, the floor, and the length of the log.
    for (const at of [69, 56, 36, 24]) {
      const many = body.slice();
      new DataView(many.buffer).setUint32(body.length - at, SERVERS_MAX + 1);
      errorOf("protocol", () => decode(configCodec, many));
    }
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

  test("a seat that is kept has a place for pieces, and decides nothing", () => {
    const seats = vacated(configOf(5), 1, 4);
    const one = configOf(5, { seats, voters: [3, 0, 2], awaited: [4, 1] });
    expect(membersOf(one)).toEqual([0, 2, 3]);
    expect(placesOf(one)).toEqual([0, 1, 2, 3, 4]);
    expect(listedIn(one)).toEqual([0, 1, 2, 3, 4]);
    expect(vacantIn(one)).toEqual([1, 4]);
    // Nobody waits for one of them any more.
    const fewer = { ...one, awaited: [4] };
    expect([placesOf(fewer), listedIn(fewer), vacantIn(fewer)]).toEqual([
      [0, 2, 3, 4],
      [0, 2, 3, 4],
      [4],
    ]);
  });

  test("a server that has come gets its seat, and is to decide", () => {
    const one = configOf(4, { seats: vacated(configOf(4), 1, 3), voters: [0, 2], awaited: [1, 3] });
    const now = takeSeats(one, new Map([[3, { sid: vidOf(9), host: "other", port: 7 }]]));
    expect(now.seats[3]).toEqual({ ...one.seats[3]!, sid: vidOf(9), host: "other", port: 7 });
    expect(now).toMatchObject({ voters: [0, 2], next: [0, 2, 3], awaited: [1] });
    expect(placesOf(now)).toEqual([0, 1, 2, 3]);
    expect(through(now)).toEqual(now);
  });

  test("a change of who decides ends that seats of a format before decide without a server", () => {
    const old = configOf(4, { format: 2, seats: vacated(configOf(4), 1, 3) });
    expect(vacantIn(old)).toEqual([1, 3]);
    expect(renewFormat({ ...old, leaving: [0] }).format).toBe(2);
    const now = takeSeats(old, new Map([[3, { sid: vidOf(9), host: "other", port: 7 }]]));
    expect(now).toMatchObject({ format: CONFIG_FORMAT, birth: NO_BIRTH });
    expect(now).toMatchObject({ voters: [0, 1, 2, 3], next: [0, 2, 3], awaited: [1] });
    expect(through(now)).toEqual(now);
    // Of two that are removed nobody waits for the one.
    expect(renewFormat({ ...old, next: [0, 1, 2] })).toMatchObject({
      next: [0, 2],
      awaited: [1],
    });
  });

  test("each change of the format before is one of today's, and nothing else of it is another", () => {
    const seats = vacated(configOf(4), 3);
    const old = configOf(4, { format: 3, seats, voters: [0, 1, 2], awaited: [3], birth: vidOf(7) });
    expect(renewFormat({ ...old, leaving: [0] })).toEqual({ ...old, leaving: [0], format: 5 });
    expect(renewFormat({ ...old, next: [1, 2] })).toEqual({ ...old, next: [1, 2], format: 5 });
    expect(through({ ...old, next: [1, 2] })).toEqual({ ...old, next: [1, 2] });
    expect(renewFormat(configOf(4))).toEqual(configOf(4));
  });

  test("requests call a cluster by its birth, once it has one", () => {
    const [one, list] = [configOf(4, { birth: vidOf(7) }), vidOf(8)];
    expect(requestIdOf(one, list)).toBe(vidOf(7));
    expect(requestIdOf({ ...one, epoch: 0 }, list)).toBe(list);
    expect(requestIdOf({ ...one, birth: NO_BIRTH }, list)).toBe(list);
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
