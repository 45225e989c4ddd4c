/**
 * The weighted draw: the order of servers for a lot of names. It is rendezvous hashing (Thaler and
 * Ravishankar 1998), with weights as in straw2 of Ceph. Each server draws -log2(u) / weight, where
 * u is a hash from 0 to 1, and the smallest come first. So a server that comes or goes does not
 * change the order of any two others. It uses integers only: two clients that round differently
 * would place differently. Used by placement.ts.
 */

/** The bits after the point of a logarithm. */
const LOG_BITS = 48n;
const LOG_UNIT = 1n << LOG_BITS;
/** The bits after the point of a number that a logarithm is taken of. */
const ONE_BITS = 63n;
const ONE = 1n << ONE_BITS;
const WORD = (1n << 64n) - 1n;
/** 1 / ln 2. */
const PER_LN = 406_082_553_034_800n;
const TABLE_SIZE = 256;

/** A server that draws. */
export interface Drawer {
  /** The number that it draws with, below 2^16: the first slot of its line of heirs. */
  readonly founder: number;
  /** null: it always comes first. */
  readonly weight: bigint | null;
}

/** The lot of a digest: its first 16 bits, so one of 65,536. */
export const lotOf = (digest: Uint8Array): number => ((digest[0] ?? 0) << 8) | (digest[1] ?? 0);

/** The drawers in the order of what they draw for a lot. */
export function inDrawnOrder<T extends Drawer>(lot: number, drawers: readonly T[]): T[] {
  const drawn = drawers.map((drawer) => ({ drawer, number: drawnNumber(drawer.founder, lot) }));
  return drawn
    .toSorted((a, b) => {
      const [v, w] = [a.drawer.weight, b.drawer.weight];
      if (v === null || w === null) return Number(w === null) - Number(v === null);
      // Compares number / weight exactly, by cross-multiplying.
      const [x, y] = [a.number * w, b.number * v];
      return x < y ? -1 : x > y ? 1 : a.drawer.founder - b.drawer.founder;
    })
    .map(({ drawer }) => drawer);
}

/** -log2(u / 2^64) in units of 2^-48, where u is the hash of the lot and the founder. */
function drawnNumber(founder: number, lot: number): bigint {
  const u = splitmix64(BigInt(lot) * 65_536n + BigInt(founder));
  return 64n * LOG_UNIT - log2(u > 0n ? u : 1n);
}

/**
 * splitmix64 (Steele, Lea and Flood 2014) of one state. The outputs of neighbouring states look
 * unrelated.
 */
export function splitmix64(state: bigint): bigint {
  let z = (state + 0x9e37_79b9_7f4a_7c15n) & WORD;
  z = ((z ^ (z >> 30n)) * 0xbf58_476d_1ce4_e5b9n) & WORD;
  z = ((z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn) & WORD;
  return z ^ (z >> 31n);
}

/**
 * log2 of an integer from 1 to 2^64 - 1, in units of 2^-48. A table gives it for the first 8 bits
 * after the leading one, and the series of ln(1 + r) for the rest.
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

let computedTable: readonly bigint[] | null = null;

/** log2(1 + i / 256) for each i, rounded down. It is computed at the first use. */
const table = (): readonly bigint[] =>
  (computedTable ??= Array.from({ length: TABLE_SIZE }, (_, i) => bitwiseLog2(i)));

/**
 * log2(1 + i / 256), bit by bit. Squaring a number doubles its logarithm. The next bit is 1 where
 * the square reaches 2.
 */
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
