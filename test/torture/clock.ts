/** One clock for all processes of this machine: what `process.hrtime` and `performance.now` count begins anew in each. */
import { dlopen, ptr } from "bun:ffi";

const CLOCK_MONOTONIC = process.platform === "darwin" ? 6 : 1;
const LIBRARIES =
  process.platform === "darwin" ? ["libSystem.dylib"] : ["libc.so.6", "libc.musl-x86_64.so.1"];

function openClock(): (clock: number, into: ReturnType<typeof ptr>) => number {
  for (const library of LIBRARIES) {
    try {
      const form = { clock_gettime: { args: ["i32", "ptr"], returns: "i32" } } as const;
      return dlopen(library, form).symbols.clock_gettime;
    } catch {
      // The next one, perhaps.
    }
  }
  throw new Error("this machine's C library is not known here");
}

const getTime = openClock();
/** Seconds and nanoseconds, as C has them. */
const time = new BigInt64Array(2);
const address = ptr(time);

/** Milliseconds that never go back, the same in all processes. */
export function now(): number {
  getTime(CLOCK_MONOTONIC, address);
  return Number(time[0]) * 1000 + Number(time[1]) / 1e6;
}

/** Resolves at that time. */
export const at = (moment: number): Promise<void> => Bun.sleep(Math.max(0, moment - now()));
