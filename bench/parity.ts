/**
 * `bun bench/parity.ts`: how fast the erasure code is, on one core: GB/s of data, for encoding and for making two lost data
 * pieces anew; and what it takes to get a stripe.
 */
import { codeOf, type Stripe } from "../src/file/parity/parity.ts";
import { KIB } from "../src/limits.ts";

/** Runs of about 2 ms each, with pauses between them in which others run: the best one is what the machine can do. */
const RUNS = 200;
const RUN_BYTES = 16 * 1024 * KIB;
/** The engine compiles a kernel anew, and better, while it runs. */
const WARM_UP_BYTES = 16 * RUN_BYTES;

const LAYOUTS = [
  [4, 2],
  [10, 4],
  [2, 2],
  [6, 3],
] as const;

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** Nanoseconds that it takes. */
function timed(work: () => void): number {
  const begun = Bun.nanoseconds();
  work();
  return Bun.nanoseconds() - begun;
}

/** Best and median of the GB/s. */
function speed(bytes: number, work: () => void): string {
  for (let done = 0; done < WARM_UP_BYTES; done += bytes) work();
  const times = Math.max(1, Math.round(RUN_BYTES / bytes));
  const run = () => {
    for (let i = 0; i < times; i++) work();
  };
  const speeds = Array.from({ length: RUNS }, () => (bytes * times) / timed(run));
  return `${Math.max(...speeds).toFixed(1)} / ${median(speeds).toFixed(1)}`;
}

const filled = (data: number, parity: number, bytes: number): Stripe => {
  const stripe = codeOf(data, parity).stripe(bytes);
  for (const [i, piece] of stripe.pieces.entries()) {
    for (let at = 0; at < bytes; at++) piece[at] = (at * 31 + (at >> 8) * 7 + i * 101) & 0xff;
  }
  return stripe;
};

const numbers = (from: number, end: number): number[] =>
  Array.from({ length: end - from }, (_, i) => from + i);

function coding(data: number, parity: number, bytes: number): Record<string, string> {
  const stripe = filled(data, parity, bytes);
  const [all, made] = [numbers(0, data), numbers(data, data + parity)];
  const first = timed(() => stripe.make(made, all, bytes));
  const encode = speed(data * bytes, () => stripe.make(made, all, bytes));
  const left = numbers(2, data + 2);
  const decode = speed(data * bytes, () => stripe.make([0, 1], left, bytes));
  stripe.release();
  return {
    layout: `${data}+${parity}`,
    "KiB a piece": String(bytes / KIB),
    "encode GB/s best / median": encode,
    "decode GB/s best / median": decode,
    "first encode, us": (first / 1000).toFixed(0),
  };
}

/** Microseconds from asking for a stripe to its first parity, beside those of the coding itself. */
function makingStripes(data: number, parity: number, bytes: number): Record<string, string> {
  const code = codeOf(data, parity);
  const [all, made] = [numbers(0, data), numbers(data, data + parity)];
  const fresh: number[] = [];
  const held: Stripe[] = [];
  for (let i = 0; i < 16; i++) fresh.push(timed(() => void held.push(code.stripe(bytes))));
  const used = held.map((stripe) => timed(() => stripe.make(made, all, bytes)));
  const again = held.map((stripe) => timed(() => stripe.make(made, all, bytes)));
  for (const stripe of held) stripe.release();
  const pooled = Array.from({ length: 1000 }, () => timed(() => code.stripe(bytes).release()));
  const us = (nanoseconds: readonly number[]) => (median(nanoseconds) / 1000).toFixed(1);
  return {
    layout: `${data}+${parity}`,
    "KiB a piece": String(bytes / KIB),
    "new stripe, us": us(fresh),
    "its first encode, us": us(used),
    "its second encode, us": us(again),
    "pooled stripe, us": us(pooled),
  };
}

const sizes = [64 * KIB, 256 * KIB];
console.log(
  Bun.inspect.table(LAYOUTS.flatMap(([k, m]) => sizes.map((bytes) => coding(k, m, bytes)))),
);
console.log(
  Bun.inspect.table(LAYOUTS.flatMap(([k, m]) => sizes.map((bytes) => makingStripes(k, m, bytes)))),
);
