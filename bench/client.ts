/** A client command of the built executable, timed, with what it said and what memory it took. Linux only. */
import { peakOf, type Stage } from "../test/harness/stage.ts";
import { executable } from "../test/harness/program.ts";

/** As many random bytes as the system gives in one go. */
const RANDOM_BYTES = 65_536;

export interface Measured {
  readonly seconds: number;
  /** Bytes of memory at its peak. */
  readonly peak: number;
  readonly status: number;
  readonly out: string;
}

/** Runs it to its end in the home of these servers; throws when its exit status is none of `expected`. */
export async function measure(
  stage: Stage,
  args: readonly string[],
  expected: readonly number[] = [0],
): Promise<Measured> {
  const begun = performance.now();
  const child = Bun.spawn([executable, ...args], {
    cwd: stage.home,
    env: { HOME: stage.home, DFS_CONFIG: stage.config },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out, peak, status] = await Promise.all([
    new Response(child.stdout).text(),
    peakOf(child),
    child.exited,
  ]);
  const seconds = (performance.now() - begun) / 1000;
  if (!expected.includes(status)) throw new Error(`${args[0]}: exit status ${status}`);
  return { seconds, peak, status, out };
}

/** So many bytes that no program can make smaller. */
export function noiseOf(bytes: number): Uint8Array<ArrayBuffer> {
  const noise = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += RANDOM_BYTES)
    crypto.getRandomValues(noise.subarray(at, at + RANDOM_BYTES));
  return noise;
}
