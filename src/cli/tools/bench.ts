/**
 * dfs-tool bench: measures the user's own cluster, beside what this machine does alone. It deletes
 * everything that it stores.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineCommand } from "citty";
import type { Cluster } from "../../client/connect/cluster.ts";
import { DfsError, exitStatus } from "../../errors.ts";
import { MIB } from "../../limits.ts";
import { bunRandom } from "../../io/bun.ts";
import { BenchFiles } from "./bench_files.ts";
import { measureSteps, type Step, stepsOf } from "./bench_steps.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { firstInterrupt, undoAtInterrupt } from "../../terminal/interrupt.ts";
import { printToStderr } from "../../terminal/log.ts";
import { type Setup, setUp, withCluster } from "../config/open.ts";
import { print, printJson } from "../../terminal/stdout.ts";
import { removeTemporary } from "../local/temporary.ts";
import { sizeText, tableLines } from "../../terminal/units.ts";

const SIZE_MAX = 1024 * 1024;
const FILES_MAX = 100_000;
const RUNS_MAX = 1000;

export const benchCommand = defineCommand({
  meta: { description: "Measure your cluster, beside what this machine does alone" },
  args: {
    size: {
      type: "string",
      valueHint: "MIB",
      default: "64",
      description: "MiB of the large file",
    },
    files: {
      type: "string",
      valueHint: "COUNT",
      default: "200",
      description: "How many small files, of 4 KiB",
    },
    runs: {
      type: "string",
      valueHint: "COUNT",
      default: "3",
      description: "How often all is done; the medians are told",
    },
    ...plainFlags,
  },
  async run({ args }) {
    const plan = {
      bytes: MIB * countOf("size", args.size, SIZE_MAX),
      files: countOf("files", args.files, FILES_MAX),
      runs: countOf("runs", args.runs, RUNS_MAX),
    };
    const setup = await setUp(args);
    const stop = firstInterrupt();
    const folder = mkdtempSync(join(tmpdir(), "dfs-bench-"));
    const clear = (): void => removeTemporary(folder);
    const forget = undoAtInterrupt(clear);
    try {
      const report = await withCluster(setup, (cluster) =>
        benchmark(setup, cluster, plan, folder, stop),
      );
      await (args.json ? printJson(report) : printTable(report, folder));
      return report.left === 0 ? 0 : exitStatus("failed");
    } catch (error) {
      // After an interruption other errors mean nothing.
      throw stop.aborted ? stop.reason : error;
    } finally {
      clear();
      forget();
    }
  },
});

interface Plan {
  readonly bytes: number;
  readonly files: number;
  readonly runs: number;
}

interface Report extends Plan {
  readonly steps: readonly Step[];
  /** Bytes on the wire, of all runs. */
  readonly traffic: { readonly sent: number; readonly received: number };
  /** How many files could not be deleted, and the prefix of their names. */
  readonly left: number;
  readonly prefix: string;
}

function countOf(flag: string, text: string, most: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= most) return count;
  throw new DfsError("usage", `--${flag} is a number from 1 to ${most}, not ${text}`);
}

/**
 * Does all runs. In the end it deletes everything in the store that can be deleted, whatever
 * happens.
 */
async function benchmark(
  { configuration, log }: Setup,
  cluster: Cluster,
  plan: Plan,
  folder: string,
  stop: AbortSignal,
): Promise<Report> {
  const prefix = `.bench-${Buffer.from(bunRandom.bytes(8)).toString("hex")}/`;
  const { layout, placement } = configuration;
  const files = new BenchFiles(cluster, prefix, { layout, placement }, stop);
  const reportLeft = (): void => {
    if (files.left === 0) return;
    const how = `dfs-tool list ${prefix} shows them, dfs-tool rm deletes them`;
    printToStderr(`the benchmark's files are left in the store: ${how}`);
  };
  const forget = undoAtInterrupt(reportLeft);
  let steps: Step[] = [];
  try {
    steps = await measureSteps(await stepsOf(files, folder, plan, stop), plan.runs);
  } finally {
    if (stop.aborted) log.warn("interrupted: what was stored is being deleted");
    await files.clear();
    forget();
    reportLeft();
  }
  return { ...plan, steps, traffic: cluster.traffic, left: files.left, prefix };
}

async function printTable({ steps, runs, traffic }: Report, folder: string): Promise<void> {
  const rows = steps.map(({ what, seconds, bytes, files, alone }) => [
    what,
    seconds.toFixed(3),
    bytes === null ? `${Math.round(files / seconds)} files/s` : `${sizeText(bytes / seconds)}/s`,
    alone?.what ?? "",
    alone?.seconds.toFixed(3) ?? "",
    alone ? (seconds / alone.seconds).toFixed(2) : "",
  ]);
  const heads = ["WHAT", "SECONDS", "RATE", "THIS MACHINE ALONE", "SECONDS", "TIMES AS LONG"];
  for (const line of tableLines([heads, ...rows])) await print(line);
  await print("");
  const { sent, received } = traffic;
  await print(
    `medians of ${runs}; ${sizeText(sent)} sent and ${sizeText(received)} received in all; alone: in ${folder}`,
  );
}
