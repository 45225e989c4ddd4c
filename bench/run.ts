/**
 * `npm run bench`: its own four servers, several runs, medians; beside each row what plain programs do with the same bytes, in turn with
 * it. `--runs N` (default 5), `--size MIB` (1024), `--names N` (100,000), `--only TEXT`: rows whose names have it. Prints a table and writes
 * dist/bench.json.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { KIB, MIB } from "../src/limits.ts";
import { Stage } from "../test/acceptance/stage.ts";
import { newFolder, removeFolders } from "../test/cli/program.ts";
import { median, noiseOf } from "./client.ts";
import { putMany } from "./many_files.ts";
import { type Cost, costOf, syncsOf } from "./meter.ts";
import { type Inputs, type Row, rowsOf } from "./rows.ts";
import { openSealed } from "./sealed_stage.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    size: { type: "string", default: "1024" },
    names: { type: "string", default: "100000" },
    only: { type: "string", default: "" },
  },
});
const RUNS = Number(values.runs);

/** What a row came to: medians. */
interface Result extends Cost {
  readonly name: string;
  readonly syncs: number | null;
  readonly plain: string | null;
  readonly plainSeconds: number | null;
}

function writeInputs(): Inputs {
  const files = newFolder();
  const noise = noiseOf(Number(values.size) * MIB);
  writeFileSync(join(files, "big"), noise);
  const fill = (folder: string, count: number, bytes: number): string[] => {
    mkdirSync(join(files, folder));
    const names = Array.from({ length: count }, (_, i) => `${folder}${i}`);
    for (const [i, name] of names.entries())
      writeFileSync(join(files, folder, name), noise.subarray(i * 16, i * 16 + bytes));
    return names;
  };
  return { files, small: fill("small", 1000, 4 * KIB), tiny: fill("tiny", 10_000, KIB) };
}

async function plainSeconds(files: string, script: string): Promise<number> {
  const begun = performance.now();
  const child = Bun.spawn(["sh", "-c", script], {
    cwd: files,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if ((await child.exited) !== 0) throw new Error(`${script} failed`);
  return (performance.now() - begun) / 1000;
}

/** What was written before must not be on its way to the disk while something is timed. */
const settleDisk = (): Promise<number> => Bun.spawn(["sync"]).exited;

async function measureRow(row: Row, stage: Stage, files: string): Promise<Result> {
  const costs: Cost[] = [];
  const beside: number[] = [];
  const once = async (): Promise<Cost> => {
    await row.before?.(stage);
    try {
      return await costOf(stage, row.args, newFolder());
    } finally {
      await row.after?.(stage);
    }
  };
  for (let i = 0; i < RUNS; i++) {
    await settleDisk();
    costs.push(await once());
    await settleDisk();
    if (row.plain) beside.push(await plainSeconds(files, row.plain[1]));
  }
  const syncs = row.name.startsWith("put") ? await syncsOf(stage, once) : null;
  const of = (pick: (cost: Cost) => number | null): number =>
    median(costs.map((cost) => pick(cost) ?? Number.NaN));
  return {
    name: row.name,
    seconds: of(({ seconds }) => seconds),
    clientCpu: of(({ clientCpu }) => clientCpu),
    serverCpu: of(({ serverCpu }) => serverCpu),
    clientPeak: of(({ clientPeak }) => clientPeak),
    serverPeak: of(({ serverPeak }) => serverPeak),
    wire: costs.some(({ wire }) => wire !== null) ? of(({ wire }) => wire) : null,
    syncs,
    plain: row.plain?.[0] ?? null,
    plainSeconds: row.plain ? median(beside) : null,
  };
}

const mb = (bytes: number | null): string => (bytes === null ? "-" : (bytes / 1e6).toFixed(0));

const rowOf = (one: Result) => ({
  row: one.name,
  s: one.seconds.toFixed(3),
  beside: one.plain ?? "-",
  "its s": one.plainSeconds?.toFixed(3) ?? "-",
  ratio: one.plainSeconds ? (one.seconds / one.plainSeconds).toFixed(2) : "-",
  "CPU s": `${one.clientCpu.toFixed(2)} + ${one.serverCpu.toFixed(2)}`,
  "peak MB": `${mb(one.clientPeak)}, ${mb(one.serverPeak)}`,
  "wire MB": mb(one.wire),
  syncs: one.syncs ?? "-",
});

const inputs = writeInputs();
const wanted = rowsOf(inputs).filter(({ name }) => name.includes(values.only));
const results: Result[] = [];
const OPEN: Readonly<Record<Row["on"], () => Promise<Stage>>> = {
  plain: () => Stage.open(4, { users: null }),
  sealed: openSealed,
  many: async () => putMany(await Stage.open(4, { users: null }), Number(values.names)),
};
try {
  for (const on of ["plain", "sealed", "many"] as const) {
    const rows = wanted.filter((row) => row.on === on);
    if (rows.length === 0) continue;
    const stage = await OPEN[on]();
    for (const row of rows) {
      results.push(await measureRow(row, stage, inputs.files));
      console.error(Object.values(rowOf(results.at(-1) as Result)).join("  "));
    }
    await stage.close();
  }
  console.table(results.map(rowOf));
  const machine = `${cpus().length} x ${cpus()[0]?.model}`;
  const report = { date: new Date().toISOString(), machine, runs: RUNS, results };
  writeFileSync(join(import.meta.dir, "../dist/bench.json"), JSON.stringify(report, null, 2));
} finally {
  rmSync(inputs.files, { recursive: true, force: true });
  removeFolders();
}
