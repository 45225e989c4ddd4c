/**
 * Properties: fast-check over inputs that are the same ones each time. A failure prints its seed and the smallest
 * input found; DFS_SEED=n takes other inputs, DFS_RUNS=k takes k times as many.
 */
import fc from "fast-check";

const seed = Number(process.env["DFS_SEED"] ?? 1);
const times = Number(process.env["DFS_RUNS"] ?? 1);

type Arbitraries<T> = { [K in keyof T]: fc.Arbitrary<T[K]> };

/** Holds for all values of these kinds: `holds` throws where it does not. */
export function forAll<T extends [unknown, ...unknown[]]>(
  arbitraries: Arbitraries<T>,
  holds: (...values: T) => void,
  runs = 200,
): void {
  fc.assert(fc.property(...arbitraries, holds), { seed, numRuns: runs * times });
}

/** The same where it takes awaiting. */
export async function forAllAsync<T extends [unknown, ...unknown[]]>(
  arbitraries: Arbitraries<T>,
  holds: (...values: T) => Promise<void>,
  runs = 50,
): Promise<void> {
  await fc.assert(fc.asyncProperty(...arbitraries, holds), { seed, numRuns: runs * times });
}

/** A few values of a kind, the same ones each time. */
export const samples = <T>(arbitrary: fc.Arbitrary<T>, count: number): T[] =>
  fc.sample(arbitrary, { seed, numRuns: count });
