/** The figures as people read them. */
import { median, tableLines } from "../src/terminal/units.ts";
import { MIB } from "../src/limits.ts";
import type { Crowd, CrowdResult, Times } from "./crowd.ts";
import type { Result } from "./measure_rows.ts";
import type { Cost } from "./meter.ts";

const HEADS = [
  [
    "",
    "SECONDS",
    "",
    "CPU SECONDS",
    "",
    "PEAK MB",
    "",
    "WIRE",
    "SERVERS'",
    "BESIDE IT: SECONDS, AND",
  ],
  [
    "ROW",
    "MEDIAN",
    "ALL RUNS",
    "CLIENT",
    "SERVERS",
    "CLIENT",
    "SERVER",
    "MB",
    "SYNCS",
    "HOW MANY TIMES AS LONG IT TOOK",
  ],
];

const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);

/** All rows, medians of their runs. */
export const rowLines = (results: readonly Result[], crowd: CrowdResult | null): string[] =>
  tableLines([...HEADS, ...results.map(cellsOf), ...(crowd ? [crowdCells(crowd.crowd)] : [])]);

/** The cells of one row. */
function cellsOf({ name, runs, beside, syncs }: Result): string[] {
  const of = (pick: (cost: Cost) => number): number => median(runs.map(pick));
  const all = runs.map(({ seconds }) => seconds);
  const seconds = median(all);
  const wire = of((cost) => cost.wire ?? Number.NaN);
  return [
    name,
    seconds.toFixed(3),
    `${Math.min(...all).toFixed(2)}-${Math.max(...all).toFixed(2)}`,
    of(({ clientCpu }) => clientCpu).toFixed(2),
    of(({ serverCpu }) => serverCpu).toFixed(2),
    mb(of(({ clientPeak }) => clientPeak)),
    mb(of(({ serverPeak }) => serverPeak)),
    Number.isNaN(wire) ? "-" : mb(wire),
    String(syncs ?? "-"),
    beside
      .map((one) => {
        const its = median(one.seconds);
        return `${one.name} ${its.toFixed(3)} (${(seconds / its).toFixed(2)})`;
      })
      .join(", "),
  ];
}

function crowdCells({ clients, seconds, clientCpu, serverCpu, ...crowd }: Crowd): string[] {
  return [
    `${clients} clients, 1 MiB`,
    seconds.toFixed(3),
    "",
    clientCpu.toFixed(2),
    serverCpu.toFixed(2),
    mb(crowd.clientPeak),
    mb(crowd.serverPeak),
    "-",
    "-",
    "see below",
  ];
}

/** What the clients of a crowd met. */
export function crowdLines({ crowd, single }: CrowdResult): string[] {
  const rate = (bytes: number): string => `${(bytes / MIB).toFixed(0)} MiB/s`;
  const times = ({ count, p50, p99, max }: Times): string =>
    `${count}, p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms, longest ${max.toFixed(0)} ms`;
  return [
    `${crowd.clients} clients, put and got together: ${rate(crowd.rate)}; ${crowd.errors.length} errors`,
    `  puts: ${times(crowd.put)}`,
    `  gets: ${times(crowd.get)}`,
    ...single.map(
      (one) =>
        `  one client, ${one.lanes === 1 ? "one file after the other" : `${one.lanes} files at once`}: ${rate(one.rate)}`,
    ),
    ...crowd.errors.slice(0, 5).map((line) => `  error: ${line}`),
  ];
}
