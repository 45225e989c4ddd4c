/**
 * `npm run bench`: its own four servers, several runs, medians; beside each row what plain programs do with the same bytes, in turn
 * with it. Prints a table, and which of the limits hold, and writes dist/bench.json. See README.md for the options.
 */
import { rmSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { tableLines } from "../src/terminal/units.ts";
import { MIB } from "../src/limits.ts";
import { Stage } from "../test/harness/stage.ts";
import { newFolder, removeFolders } from "../test/harness/program.ts";
import { type CrowdResult, measureCrowd } from "./crowd.ts";
import { writeInputs } from "./inputs.ts";
import { putMany } from "./many_files.ts";
import { countSyncs, measureRows, type Result, tracing } from "./measure_rows.ts";
import { largeRows, manyRows, oneRows, type Row, sealed, smallRows } from "./rows.ts";
import { openSealed } from "./sealed_stage.ts";
import { crowdLines, rowLines } from "./table.ts";
import { judge, verdictCells } from "./targets.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    size: { type: "string", default: "1024" },
    names: { type: "string", default: "100000" },
    seconds: { type: "string", default: "30" },
    only: { type: "string", default: "" },
  },
});
const [runs, size, names, seconds] = [values.runs, values.size, values.names, values.seconds].map(
  Number,
) as [number, number, number, number];
/** So many times as often runs what takes a moment only. */
const QUICK = 3;
const CROWD = "64 clients";

/** Rows that share their servers. */
interface Lot {
  readonly rows: readonly Row[];
  readonly runs: number;
  /** Opens the servers, each started by `launcher`. */
  readonly open: (launcher: readonly string[]) => Promise<Stage>;
}

const openPlain = (launcher: readonly string[] = []): Promise<Stage> =>
  Stage.open(4, { users: null, launcher });
const isWanted = ({ name }: Pick<Row, "name">): boolean => name.includes(values.only);

async function withStage<T>(open: () => Promise<Stage>, work: (stage: Stage) => Promise<T>) {
  const stage = await open();
  try {
    // The first command makes four servers a cluster, and a user's key: that is no part of the row that comes first.
    await stage.dfs("list");
    return await work(stage);
  } finally {
    await stage.close();
    rmSync(stage.home, { recursive: true, force: true });
  }
}

/** Counts the syncs of a lot, on servers of its own. */
async function traced({ open, rows }: Lot, results: readonly Result[]): Promise<void> {
  const log = join(newFolder(), "syncs");
  await withStage(
    () => open(tracing(log)),
    (stage) => countSyncs(stage, rows, results, log),
  );
}

async function measureAll(): Promise<{ rows: Result[]; crowd: CrowdResult | null }> {
  const inputs = writeInputs(size * MIB);
  const one = oneRows(inputs);
  const more = [...largeRows(inputs), ...smallRows(inputs)];
  const lots: Lot[] = [
    { rows: one, open: openPlain, runs: QUICK * runs },
    { rows: largeRows(inputs), open: openPlain, runs },
    { rows: smallRows(inputs), open: openPlain, runs },
    { rows: sealed(one), open: openSealed, runs: QUICK * runs },
    { rows: sealed(more), open: openSealed, runs },
  ];
  const many = { rows: manyRows(names), open: async () => putMany(await openPlain(), names), runs };
  const rows: Result[] = [];
  for (const lot of [...lots, many]) {
    if (!lot.rows.some(isWanted)) continue;
    const results = await withStage(
      () => lot.open([]),
      (stage) => measureRows(stage, lot.rows, isWanted, lot.runs),
    );
    rows.push(...results);
    if (lot !== many && Bun.which("strace")) await traced(lot, results);
  }
  rmSync(inputs.files, { recursive: true });
  const crowd = isWanted({ name: CROWD })
    ? await withStage(openPlain, (stage) => measureCrowd(stage, seconds))
    : null;
  return { rows, crowd };
}

try {
  const begun = performance.now();
  const { rows, crowd } = await measureAll();
  const verdicts = judge({ rows, crowd, millionPeak: null });
  const machine = `${cpus().length} x ${cpus()[0]?.model}, ${(totalmem() / 1e9).toFixed(0)} GB of memory`;
  const options = { runs, size, names, seconds };
  const report = { date: new Date().toISOString(), machine, options, rows, crowd, verdicts };
  writeFileSync(join(import.meta.dir, "../dist/bench.json"), JSON.stringify(report, null, 2));
  const minutes = (performance.now() - begun) / 60_000;
  const lines = [
    `${machine}; medians of ${runs}; ${minutes.toFixed(0)} minutes`,
    "",
    ...rowLines(rows, crowd),
    "",
    ...(crowd ? [...crowdLines(crowd), ""] : []),
    ...tableLines(verdicts.map(verdictCells)),
  ];
  if (runs < 5 || size !== 1024 || names !== 100_000 || seconds < 30)
    lines.push("", "a trial: the limits are for five runs of the usual sizes");
  console.log(lines.join("\n"));
} finally {
  removeFolders();
}
