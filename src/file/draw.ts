/**
 * The weighted draw: which servers come first for a lot of names (rendezvous hashing, Thaler and Ravishankar 1998, with weights as in
 * straw2 of Ceph). Each server draws -log2(u) / weight, u from 0 to 1 by hash, and the smallest come first: so a server that comes or
 * goes changes the place of no other two. Integers only, for two clients that round differently would place differently. Used by
 * placement.ts.
 */

/** Bits after the point of a logarithm. */
const LOG_BITS = 48n;
const LOG_UNIT = 1n << LOG_BITS;
/** Bits after the point of what a logarithm is taken of. */
const ONE_BITS = 63n;
const ONE = 1n << ONE_BITS;
const WORD = (1n << 64n) - 1n;
/** 1 / ln 2. */
const PER_LN = 406_082_553_034_800n;
const TABLE_SIZE = 256;

/** What draws. */
export interface Drawer {
  /** The number that it draws with, below 2^16. */
  readonly founder: number;
  /** null: it comes first in any case. */
  readonly weight: bigint | null;
}

/** The lot of a digest, one of 65,536: its first 16 bits. */
export const lotOf = (digest: Uint8Array): number => ((digest[0] ?? 0) << 8) | (digest[1] ?? 0);

/** These in the order of what they draw for a lot. */
export function inDrawnOrder<T extends Drawer>(lot: number, drawers: readonly T[]): T[] {
  const drawn = drawers.map((one) => ({ one, number: drawnBy(one.founder, lot) }));
  return drawn
    .toSorted((a, b) => {
      const [v, w] = [a.one.weight, b.one.weight];
      if (v === null || w === null) return Number(w === null) - Number(v === null);
      // number / weight, compared without a rest.
      const [x, y] = [a.number * w, b.number * v];
      return x < y ? -1 : x > y ? 1 : a.one.founder - b.one.founder;
    })
    .map(({ one }) => one);
}

/** -log2(u / 2^64), u the hash of both, in units of 2^-48. */
function drawnBy(founder: number, lot: number): bigint {
  const u = mixed(BigInt(lot) * 65_536n + BigInt(founder));
  return 64n * LOG_UNIT - log2(u > 0n ? u : 1n);
}

/** splitmix64 (Steele, Lea and Flood 2014) of one state: 64 bits that seem to have nothing to do with those of the next one. */
export function mixed(state: bigint): bigint {
  let z = (state + 0x9e37_79b9_7f4a_7c15n) & WORD;
  z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & WORD;
  z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & WORD;
  return z ^ (z >> 31n);
}

/**
 * log2 of an integer from 1 to 2^64 - 1, in units of 2^-48: by a table for the first 8 bits after the leading one, and by the series of
 * ln(1 + r) for the rest.
 */
export function log2(x: bigint): bigint {
  const high = Number(x >> 32n);
  const whole = high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(Number(x));
  const part = x << BigInt(63 - whole);
  const step = Number(part >> (ONE_BITS - 8n)) - TABLE_SIZE;
  const r = (part * 256n) / BigInt(TABLE_SIZE + step) - ONE;
  const r2 = (r * r) >> ONE_BITS;
  const r3 = (r2 * r) >> ONE_BITS;
  const r4 = (r3 * r) >> ONE_BITS;
  const ln = r - r2 / 2n + r3 / 3n - r4 / 4n;
  return BigInt(whole) * LOG_UNIT + (table()[step] ?? 0n) + ((ln * PER_LN) >> ONE_BITS);
}

let made: readonly bigint[] | null = null;

/** log2(1 + i / 256) for each i, rounded down. */
const table = (): readonly bigint[] =>
  (made ??= Array.from({ length: TABLE_SIZE }, (_, i) => bitwiseLog2(i)));

/** The same bit by bit: of a square the logarithm is twice as large, and where it comes to 1 there is a bit. */
function bitwiseLog2(i: number): bigint {
  const bits = 127n;
  let part = BigInt(TABLE_SIZE + i) << (bits - 8n);
  let log = 0n;
  for (let n = 0n; n < LOG_BITS; n++) {
    part = (part * part) >> bits;
    log *= 2n;
    if (part >> bits < 2n) continue;
    part >>= 1n;
    log += 1n;
  }
  return log;
}
