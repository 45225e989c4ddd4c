/** The steps of each run of a benchmark, and how long each takes. Used by bench.ts. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { median, sizeText } from "../../terminal/units.ts";
import { copyAlone } from "./bench_alone.ts";
import { BIG, type BenchFiles, SMALL_BYTES, writeFiles } from "./bench_files.ts";

/** The result of a step: medians of the runs. */
export interface Step {
  readonly what: string;
  readonly seconds: number;
  /** The size of the large file; null for other steps. */
  readonly bytes: number | null;
  readonly files: number;
  /** The same work without the store; null if there is nothing like it. */
  readonly alone: { readonly what: string; readonly seconds: number } | null;
}

/** A piece of work to time. */
interface Task extends Omit<Step, "seconds" | "alone"> {
  readonly work: () => Promise<void>;
  readonly alone: { readonly what: string; readonly work: () => Promise<void> } | null;
  /** Removes what it left on this machine. */
  readonly clear?: () => void;
}

/**
 * The steps of one run; when all are done, nothing is left in the store. Makes their files below
 * `folder`.
 */
export async function stepsOf(
  files: BenchFiles,
  folder: string,
  { bytes, files: count }: { readonly bytes: number; readonly files: number },
  stop: AbortSignal,
): Promise<Task[]> {
  const from = join(folder, "files");
  const back = join(folder, "back");
  const copies = [join(folder, "copy-1"), join(folder, "copy-2")];
  const small = await writeFiles(from, bytes, count, stop);
  const clear = (): void => {
    for (const made of [back, ...copies]) rmSync(made, { recursive: true, force: true });
  };
  const both = (what: string, names: string[], size: Pick<Task, "bytes" | "files">): Task[] => [
    {
      what: `put ${what}`,
      ...size,
      work: () => files.put(from, names),
      alone: {
        what: "written twice, synced",
        work: () => copyAlone({ from, to: copies, isDurable: true }, names, stop),
      },
      clear,
    },
    {
      what: `get ${what}`,
      ...size,
      work: () => files.get(back, names),
      alone: {
        what: "copied once",
        work: () => copyAlone({ from, to: copies.slice(1), isDurable: false }, names, stop),
      },
      clear,
    },
  ];
  const all = [BIG, ...small];
  return [
    ...both(sizeText(bytes), [BIG], { bytes, files: 1 }),
    ...both(`${count} x ${sizeText(SMALL_BYTES)}`, small, { bytes: null, files: count }),
    {
      what: `list ${all.length} names`,
      bytes: null,
      files: all.length,
      work: () => files.list(),
      alone: null,
    },
    {
      what: `delete ${all.length}`,
      bytes: null,
      files: all.length,
      work: () => files.delete(all),
      alone: null,
    },
  ];
}

/**
 * Runs all tasks in turn, `runs` times. The work of this machine alone comes right after each task,
 * so that both meet the same conditions.
 */
export async function measureSteps(tasks: readonly Task[], runs: number): Promise<Step[]> {
  const times = tasks.map(() => ({ store: [] as number[], alone: [] as number[] }));
  for (let run = 0; run < runs; run++)
    for (const [i, { work, alone, clear }] of tasks.entries()) {
      times[i]?.store.push(await secondsOf(work));
      if (alone) times[i]?.alone.push(await secondsOf(alone.work));
      clear?.();
    }
  return tasks.map(({ what, bytes, files, alone }, i) => ({
    what,
    bytes,
    files,
    seconds: median(times[i]?.store ?? []),
    alone: alone && { what: alone.what, seconds: median(times[i]?.alone ?? []) },
  }));
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}
