/** Values of the kinds that many tests are about: ids, ballots, versions, registers. */
import fc from "fast-check";
import { HISTORY_LENGTH, PIECES_MAX } from "../src/limits.ts";
import type { Accepted, Ballot, Register, Version, Vid } from "../src/version.ts";

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

export const version: fc.Arbitrary<Version> = fc.record({
  vid,
  seq: u53,
  history: fc.array(vid, { maxLength: HISTORY_LENGTH }),
  birthFloor: ballot,
  deleted: fc.boolean(),
  pieces: u8,
  needed: u8,
  copies: u8,
  ring: fc.array(u8, { maxLength: PIECES_MAX }),
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

/** A version with only what a test is about. */
export const versionOf = (some: Partial<Version> & { vid: Vid }): Version => ({
  seq: 1,
  history: [],
  birthFloor: 0n,
  deleted: false,
  pieces: 0,
  needed: 0,
  copies: 0,
  ring: [],
  size: 0,
  body: new Uint8Array(),
  ...some,
});

/** The ring of a version on all of `y` servers, from x on. */
export const ringFrom = (x: number, y: number): number[] =>
  Array.from({ length: y }, (_, j) => (x + j) % y);

/** A vid that can be read: 7 is "0…07". */
export const vidOf = (n: number): Vid => n.toString(16).padStart(32, "0");
