/** Runs the rows of a lot so often, in turn, and what plain programs do right after each: all meet the same machine. */
import { readFileSync, rmSync } from "node:fs";
import type { Stage } from "../test/harness/stage.ts";
import { newFolder } from "../test/harness/program.ts";
import type { Beside } from "./beside.ts";
import { type Cost, costOf } from "./meter.ts";
import type { Row } from "./rows.ts";
import { settleDisk, settleMemory } from "./settle.ts";

const TRIES = 3;

/** What a row came to, in all its runs. */
export interface Result {
  readonly id: string;
  readonly name: string;
  readonly runs: Cost[];
  readonly beside: { readonly name: string; readonly seconds: number[] }[];
  /** What went wrong in runs that were made again. */
  readonly failures: string[];
  /** Calls of fsync and fdatasync of all servers; null: nobody counted. */
  syncs: number | null;
}

const newResult = ({ id, name, beside }: Row): Result => ({
  id,
  name,
  runs: [],
  beside: beside.map((one) => ({ name: one.name, seconds: [] })),
  failures: [],
  syncs: null,
});

/** A run that fails is told of, and made again: on a machine that stands still for a second all servers seem to be down. */
async function again<T>(row: Row, failures: string[], run: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++)
    try {
      return await run();
    } catch (error) {
      failures.push(String(error));
      console.error(`${row.name}: ${String(error)}`);
      if (tries === TRIES) throw error;
    }
}

const neededOf = (all: readonly Row[], isWanted: (row: Row) => boolean): readonly Row[] =>
  all.slice(0, all.findLastIndex(isWanted) + 1);

/** Rows build on those before them: those before a wanted one run too, and are not told of. */
export async function measureRows(
  stage: Stage,
  all: readonly Row[],
  isWanted: (row: Row) => boolean,
  runs: number,
): Promise<Result[]> {
  const rows = neededOf(all, isWanted);
  const results = new Map(rows.filter(isWanted).map((row) => [row.id, newResult(row)]));
  for (let run = 1; run <= runs; run++) {
    /** What stands beside several rows is timed once in each turn of all. */
    const known = new Map<Beside, number>();
    for (const row of rows) {
      const result = results.get(row.id);
      const cost = await again(row, result?.failures ?? [], () =>
        once(row, stage, (cwd) => costOf(stage, row.args(run), cwd)),
      );
      if (!result) continue;
      result.runs.push(cost);
      for (const [i, beside] of row.beside.entries()) {
        const seconds = known.get(beside) ?? (await beside.seconds());
        known.set(beside, seconds);
        result.beside[i]?.seconds.push(seconds);
      }
      console.error(`${row.name}: run ${run} of ${runs}: ${cost.seconds.toFixed(3)} s`);
    }
  }
  return [...results.values()];
}

/** What starts a server so that each of its syncs is a line of this file; it is stopped at no other system call. */
export const tracing = (log: string): string[] =>
  `strace -D -f --seccomp-bpf -A -o ${log} -e trace=fsync,fdatasync`.split(" ");

/** Runs all once more, on servers that trace to this file, and notes the syncs; the time that takes is of no account. */
export async function countSyncs(
  stage: Stage,
  rows: readonly Row[],
  results: readonly Result[],
  log: string,
): Promise<void> {
  const isWanted = ({ id }: Row): boolean => results.some((one) => one.id === id);
  const count = (): number => readFileSync(log, "utf8").match(/sync\(/g)?.length ?? 0;
  for (const row of neededOf(rows, isWanted)) {
    const result = results.find(({ id }) => id === row.id);
    const syncs = await again(row, result?.failures ?? [], () =>
      once(row, stage, async (cwd) => {
        const before = count();
        await costOf(stage, row.args(0), cwd);
        return count() - before;
      }),
    );
    if (result) result.syncs = syncs;
  }
}

/** Has a row's command run in an empty folder; what is large there is removed. */
async function once<T>(row: Row, stage: Stage, run: (cwd: string) => Promise<T>): Promise<T> {
  const cwd = newFolder();
  await row.before?.(stage);
  await (row.isLarge ? settleMemory() : settleDisk());
  try {
    return await run(cwd);
  } finally {
    await row.after?.(stage);
    if (row.isLarge) rmSync(cwd, { recursive: true });
  }
}
