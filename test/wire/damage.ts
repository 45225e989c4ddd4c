/**
 * Damaged inputs, the same ones for the same seed. FUZZ_SECONDS=n goes on for so long, with inputs of its own each time; DFS_SEED=n
 * begins elsewhere.
 */
import { concat } from "../../src/bytes.ts";
import { isDfsError } from "../../src/errors.ts";

export const seconds = Number(process.env["FUZZ_SECONDS"] ?? 0);
export const seed = Number(process.env["DFS_SEED"] ?? (seconds > 0 ? Date.now() % 2 ** 31 : 1));

/** Numbers from 0 to below n, the same ones for the same seed (mulberry32). */
export function dice(start: number): (n: number) => number {
  let state = start >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return Math.floor((((z ^ (z >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}
export type Dice = ReturnType<typeof dice>;

const INTERESTING = [0, 1, 2, 4, 5, 0x7f, 0x80, 0x81, 0xfe, 0xff];

/** One small damage: bits flipped, bytes set, put in, taken out or repeated, an end cut off. */
export function damage(bytes: Uint8Array, roll: Dice): Uint8Array {
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

/** Only DfsError("protocol") may be thrown here; returns whether it was. */
export function refuses(work: () => unknown): boolean {
  try {
    work();
    return false;
  } catch (error) {
    if (isDfsError(error, "protocol")) return true;
    throw error;
  }
}
