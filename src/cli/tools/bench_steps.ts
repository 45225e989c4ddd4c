/** What a benchmark does in each of its runs, step by step, and how long each takes. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { median, sizeText } from "../../terminal/units.ts";
import { copyAlone } from "./bench_alone.ts";
import { BIG, type BenchFiles, SMALL_BYTES, writeFiles } from "./bench_files.ts";

/** What a step came to: medians of the runs. */
export interface Step {
  readonly what: string;
  readonly seconds: number;
  /** Of a large file. */
  readonly bytes: number | null;
  readonly files: number;
  /** The same work without the store; null: there is nothing like it. */
  readonly alone: { readonly what: string; readonly seconds: number } | null;
}

/** Something to time. */
interface Task extends Omit<Step, "seconds" | "alone"> {
  readonly work: () => Promise<void>;
  readonly alone: { readonly what: string; readonly work: () => Promise<void> } | null;
  /** Takes away what it left on this machine. */
  readonly clear?: () => void;
}

/** The steps of one run, which leave nothing behind when all are done; makes the files for them below `folder`. */
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

/** Runs all tasks in turn, so often; what this machine does alone comes right after each, so that both meet the same machine. */
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
