/** Values of the kinds that many tests are about: ids, ballots, versions, registers, configurations. */
import fc from "fast-check";
import { type Attributes, attributesOf, type Known } from "../../src/file/attributes.ts";
import {
  HISTORY_LENGTH,
  HOST_BYTES,
  PIECES_MAX,
  SERVERS_MAX,
  WEIGHT_MAX,
} from "../../src/limits.ts";
import {
  CHANGE_BYTES,
  type Config,
  CONFIG_FORMAT,
  NO_BIRTH,
  type Seat,
} from "../../src/membership.ts";
import {
  type Accepted,
  type Ancestor,
  type Ballot,
  type Cid,
  NO_CONTENT,
  type Place,
  type Register,
  type Version,
  type Vid,
} from "../../src/version.ts";

/** `n` bytes as hexadecimal digits. */
export const hexOf = (n: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: n, maxLength: n }).map((bytes) => bytes.toHex());

export const bytesUpTo = (max: number, size: fc.SizeForArbitrary = "small") =>
  fc.uint8Array({ maxLength: max, size });
export const bytesOf = (n: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: n, maxLength: n });

/** Strings of all code points but surrogates, of up to `bytes` bytes of UTF-8. */
export const textUpTo = (bytes: number): fc.Arbitrary<string> =>
  fc
    .string({ unit: "binary", maxLength: bytes })
    .filter((text) => new TextEncoder().encode(text).length <= bytes);

export const u8 = fc.nat(0xff);
export const u16 = fc.nat(0xffff);
export const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
export const u53 = fc.oneof(fc.nat(), fc.maxSafeNat());
export const ballot: fc.Arbitrary<Ballot> = fc.oneof(
  fc.bigInt({ min: 0n, max: 3n }),
  fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
);
export const vid: fc.Arbitrary<Vid> = hexOf(16);

/** Zeros stand for "no content". */
export const cid: fc.Arbitrary<Cid | null> = fc
  .option(vid)
  .map((id) => (id === NO_CONTENT ? null : id));

const ancestor: fc.Arbitrary<Ancestor> = fc.record({ vid, cid, put: u53, keep: u32 });

/** Attributes that a version may have, well-known and other ones, in any order. */
export const attributes: fc.Arbitrary<Attributes> = fc
  .tuple(
    fc.record(
      {
        time: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        mode: u32,
        by: textUpTo(20),
        type: textUpTo(20),
      },
      { requiredKeys: [] },
    ),
    fc.constantFrom<Known>({}, { kind: "folder" }, { kind: "link", target: "../a" }),
    fc.dictionary(
      textUpTo(20).map((key) => `x${key.replaceAll(/\p{Cc}/gu, "")}`),
      bytesUpTo(40),
    ),
  )
  .map(([some, kind, others]) =>
    attributesOf({ ...some, ...kind }, new Map(Object.entries(others))),
  );

export const version: fc.Arbitrary<Version> = fc.record({
  vid,
  seq: u53,
  history: fc.array(ancestor, { maxLength: HISTORY_LENGTH }),
  birthFloor: ballot,
  put: u53,
  keepMax: u32,
  deleted: fc.boolean(),
  cid,
  pieces: u8,
  needed: u8,
  copies: u8,
  striped: fc.boolean(),
  ring: fc.array(u16, { maxLength: PIECES_MAX }),
  at: fc.array(fc.record({ piece: u8, slot: u16 }), { maxLength: 3 }),
  size: u53,
  body: bytesUpTo(600, "medium"),
});

export const accepted: fc.Arbitrary<Accepted> = fc.record({ ballot, version });

/** A register such as a server may have: com.b <= acc.b <= prom, and one value a ballot. */
export const register: fc.Arbitrary<Register> = fc
  .tuple(fc.array(ballot, { minLength: 3, maxLength: 3 }), version, version, fc.nat(3))
  .map(([ballots, one, other, shape]) => {
    const [low = 0n, middle = 0n, prom = 0n] = ballots.toSorted((a, b) => (a < b ? -1 : 1));
    const acc = { ballot: middle, version: one };
    const com = low === middle ? acc : { ballot: low, version: other };
    if (shape === 0) return { prom, acc: null, com: null };
    if (shape === 1) return { prom, acc, com: null };
    return { prom, acc, com: shape === 2 ? acc : com };
  });

/** Ancestors of which only the ids matter. */
export const historyOf = (...vids: Vid[]): Ancestor[] =>
  vids.map((one) => ({ vid: one, cid: null, put: 0, keep: 0 }));

/** A version with only what a test is about. What it has pieces of is its own content. */
export const versionOf = (some: Partial<Version> & { vid: Vid }): Version => ({
  seq: 1,
  history: [],
  birthFloor: 0n,
  put: 0,
  keepMax: 0,
  deleted: false,
  cid: some.pieces ? some.vid : null,
  at: [],
  pieces: 0,
  needed: 0,
  copies: 0,
  striped: (some.pieces ?? 0) > (some.needed ?? 0),
  ring: [],
  size: 0,
  body: new Uint8Array(),
  ...some,
});

/** The place after a parent, at no special time. */
export const placeAfter = (parent: Version | null, floor: Ballot = 0n): Place => ({
  parent,
  floor,
  now: 0,
  last: 0,
});

/** The ring of a version on all of `y` servers, from x on. */
export const ringFrom = (x: number, y: number): number[] =>
  Array.from({ length: y }, (_, j) => (x + j) % y);

/** A vid that can be read: 7 is "0…07". */
export const vidOf = (n: number): Vid => n.toString(16).padStart(32, "0");

/** The id of the server in a slot of `configOf`. */
export const sidOf = (slot: number): string => vidOf(0x100 + slot);

/** The configuration of a cluster of `y` servers as it begins, and what a test changes in it. */
export const configOf = (y: number, some: Partial<Config> = {}): Config => ({
  format: CONFIG_FORMAT,
  epoch: 1,
  seats: Array.from({ length: y }, (_, slot) => ({
    sid: sidOf(slot),
    name: `DFS${slot + 1}`,
    host: "127.0.0.1",
    port: 10001 + slot,
    heir: null,
    weight: WEIGHT_MAX,
    zone: "",
  })),
  voters: Array.from({ length: y }, (_, slot) => slot),
  next: null,
  leaving: [],
  birth: NO_BIRTH,
  awaited: [],
  largest: 0,
  keepers: [],
  floor: 0n,
  log: [],
  ...some,
});

/** The same seats, and who is the heir of whom. */
export const withHeirs = (seats: readonly Seat[], heirs: Record<number, number>): Seat[] =>
  seats.map((seat, slot) => ({ ...seat, heir: heirs[slot] ?? null }));

const seat = fc.record({
  sid: fc.option(hexOf(16)),
  name: textUpTo(HOST_BYTES),
  host: textUpTo(HOST_BYTES),
  port: u16,
  weight: fc.integer({ min: 1, max: WEIGHT_MAX }),
  zone: textUpTo(HOST_BYTES),
  /** How much later its heir comes, from 1. */
  later: fc.option(fc.nat(9)),
});

/** A configuration that does not contradict itself, whoever decides in it. */
export const config: fc.Arbitrary<Config> = fc
  .array(seat, { minLength: 1, maxLength: SERVERS_MAX })
  .chain((seats) => {
    const slots = (minLength: number) =>
      fc.uniqueArray(fc.nat(seats.length - 1), { minLength, maxLength: SERVERS_MAX });
    return fc.record({
      format: fc.constant(CONFIG_FORMAT),
      epoch: u32,
      seats: fc.constant(
        seats.map(({ later, ...rest }, slot) => {
          const heir = later === null ? null : slot + 1 + later;
          return { ...rest, heir: heir !== null && heir < seats.length ? heir : null };
        }),
      ),
      voters: slots(1),
      next: fc.option(slots(1)),
      leaving: slots(0),
      birth: hexOf(16),
      awaited: slots(0),
      largest: u53,
      keepers: slots(0),
      floor: ballot,
      log: fc.array(bytesUpTo(CHANGE_BYTES), { maxLength: 3 }),
    });
  })
  .map((drawn) => {
    // Some server keeps the pieces, nobody leaves who is not there, and who decides has a server.
    const { voters, next, leaving, seats, awaited } = drawn;
    const deciding = next ?? voters;
    const [keeper] = deciding;
    const members = new Set([...voters, ...deciding]);
    const isFirst = (sid: string, slot: number): boolean =>
      seats.findIndex((one) => one.sid === sid) === slot;
    const sidFor = (sid: string | null, slot: number): string | null => {
      if (sid !== null && isFirst(sid, slot) && !awaited.includes(slot)) return sid;
      return deciding.includes(slot) ? sidOf(slot) : null;
    };
    return {
      ...drawn,
      leaving: leaving.filter((slot) => slot !== keeper && members.has(slot)),
      seats: seats.map((one, slot) => ({ ...one, sid: sidFor(one.sid, slot) })),
      awaited: awaited.filter((slot) => !deciding.includes(slot)),
      keepers: drawn.keepers.filter((slot) => voters.includes(slot)),
    };
  });
