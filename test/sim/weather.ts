/**
 * How bad the network of a history is: drawn once from its seed, so that some are calm and some are
 * dreadful.
 */
import { KIB, MIB } from "../../src/limits.ts";
import type { Rng } from "./random.ts";

/** Of a write that arrives byte by byte, so many do; the rest comes at once. */
const TRICKLE_BYTES = 200;

export interface Weather {
  /** A link's own latency is between these. */
  readonly nearMs: number;
  readonly farMs: number;
  /** On top of it, for each delivery. */
  readonly jitterMs: number;
  /** How often a delivery is late, and by how much at most. */
  readonly lateChance: number;
  readonly lateMs: number;
  /** How often a write arrives in several reads, and how often byte by byte. */
  readonly splitChance: number;
  readonly trickleChance: number;
  /** How often several writes arrive in one read, if they wait together. */
  readonly mergeChance: number;
  /** How often a first packet, which is to open a connection, is lost. */
  readonly lostChance: number;
  /** What a connection takes, each way, from a writer whose reader does not read. */
  readonly bufferBytes: number;
}

export const CALM: Weather = {
  nearMs: 0.05,
  farMs: 0.05,
  jitterMs: 0,
  lateChance: 0,
  lateMs: 0,
  splitChance: 0,
  trickleChance: 0,
  mergeChance: 0,
  lostChance: 0,
  bufferBytes: 256 * KIB,
};

/** The weather of one history. */
export const drawWeather = (rng: Rng): Weather => ({
  // Of a stream of its own, as all that came later.
  lostChance: rng.fork("lost").pick([0, 0, 0.05, 0.3]),
  nearMs: rng.pick([0.02, 0.1, 1]),
  farMs: rng.pick([0.1, 1, 10, 60]),
  jitterMs: rng.pick([0, 0.1, 2, 20]),
  lateChance: rng.pick([0, 0, 0.002, 0.02]),
  lateMs: rng.pick([20, 400, 3000]),
  splitChance: rng.pick([0, 0.02, 0.3]),
  trickleChance: rng.pick([0, 0.002, 0.02]),
  mergeChance: rng.pick([0, 0.5, 1]),
  bufferBytes: rng.pick([4 * KIB, 64 * KIB, 256 * KIB, MIB]),
});

/** How long a delivery takes, over a link of that latency. */
export function delayMs(rng: Rng, weather: Weather, latencyMs: number): number {
  let ms = latencyMs;
  if (weather.jitterMs > 0) ms += weather.jitterMs * rng.fraction() ** 3;
  if (rng.chance(weather.lateChance)) ms += weather.lateMs * rng.fraction();
  return ms;
}

/** The reads in which bytes that were sent together arrive: mostly one, at worst a byte each. */
export function fragments(rng: Rng, weather: Weather, bytes: Uint8Array): Uint8Array[] {
  if (rng.chance(weather.trickleChance)) {
    const single = Math.min(bytes.length, TRICKLE_BYTES);
    const reads = Array.from({ length: single }, (_, i) => bytes.subarray(i, i + 1));
    if (single < bytes.length) reads.push(bytes.subarray(single));
    return reads;
  }
  if (bytes.length < 2 || !rng.chance(weather.splitChance)) return [bytes];
  const reads: Uint8Array[] = [];
  let from = 0;
  for (let cuts = rng.between(1, 4); cuts > 0 && bytes.length - from > 1; cuts--) {
    const to = from + rng.between(1, bytes.length - from - 1);
    reads.push(bytes.subarray(from, to));
    from = to;
  }
  reads.push(bytes.subarray(from));
  return reads;
}
