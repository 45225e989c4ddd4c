/** What must hold of the figures (issue 6), as data. Nothing else in the tree asserts a time. */
import type { CrowdResult } from "./crowd.ts";
import { median } from "../src/terminal/units.ts";
import type { Result } from "./measure_rows.ts";
import type { Cost } from "./meter.ts";

export interface Figures {
  readonly rows: readonly Result[];
  readonly crowd: CrowdResult | null;
  /** The largest peak of a server with 1,000,000 names, in bytes. */
  readonly millionPeak: number | null;
}

interface Target {
  readonly says: string;
  /** NaN: it was not measured. */
  readonly figure: (figures: Figures) => number;
  readonly bound: readonly ["at most" | "at least" | "under", number];
  readonly unit?: string;
}

const MB = 1e6;

const rowOf = ({ rows }: Figures, id: string): Result | undefined =>
  rows.find((row) => row.id === id);

/** The median of something of a row. */
const medianOf = (figures: Figures, id: string, of: (cost: Cost) => number): number =>
  median((rowOf(figures, id)?.runs ?? []).map(of));

const seconds = (figures: Figures, id: string): number =>
  medianOf(figures, id, (cost) => cost.seconds);

/** Times the median of what stands first beside it. */
const timesBeside = (figures: Figures, id: string): number =>
  seconds(figures, id) / median(rowOf(figures, id)?.beside[0]?.seconds ?? []);

/** The largest peak of memory in any run of any row, in MB. */
const peak = (rows: readonly Result[], of: (cost: Cost) => number): number =>
  rows.length === 0 ? Number.NaN : Math.max(...rows.flatMap(({ runs }) => runs.map(of))) / MB;

/** How much of the rate at which 1,000 files go is left with 10,000. */
const rateKept = (figures: Figures, what: string): number =>
  10 * (seconds(figures, `${what} small`) / seconds(figures, `${what} tiny`));

const TARGETS: readonly Target[] = [
  {
    says: "commands that failed, and were run again",
    figure: ({ rows }) =>
      rows.length === 0 ? Number.NaN : rows.flatMap(({ failures }) => failures).length,
    bound: ["at most", 0],
  },
  {
    says: "put 1 GiB, times the two copies",
    figure: (all) => timesBeside(all, "put"),
    bound: ["at most", 1.3],
  },
  {
    says: "put 1 GiB, CPU of client and servers",
    figure: (all) => medianOf(all, "put", ({ clientCpu, serverCpu }) => clientCpu + serverCpu),
    bound: ["at most", 2.5],
    unit: "s",
  },
  {
    says: "get 1 GiB, times cp",
    figure: (all) => timesBeside(all, "get"),
    bound: ["at most", 1.6],
  },
  {
    says: "get with one server dead, times the healthy get",
    figure: (all) => seconds(all, "get, dead") / seconds(all, "get"),
    bound: ["at most", 1.1],
  },
  {
    says: "get with one server frozen, more than the healthy get",
    figure: (all) => seconds(all, "get, frozen") - seconds(all, "get"),
    bound: ["at most", 1.2],
    unit: "s",
  },
  {
    says: "get of rs:2+2 with two dead, times the healthy get of rs:2+2",
    figure: (all) => seconds(all, "get rs, dead") / seconds(all, "get rs"),
    bound: ["at most", 1.5],
  },
  {
    says: "the same, times the healthy get of pairs",
    figure: (all) => seconds(all, "get rs, dead") / seconds(all, "get"),
    bound: ["at most", 1.5],
  },
  {
    says: "put 1,000 x 4 KiB, times cp -r into two folders, each file synced",
    figure: (all) => timesBeside(all, "put small"),
    bound: ["at most", 1],
  },
  {
    says: "get 1,000 x 4 KiB",
    figure: (all) => seconds(all, "get small"),
    bound: ["at most", 0.5],
    unit: "s",
  },
  {
    says: "put 10,000 x 1 KiB, share of the rate of 1,000",
    figure: (all) => rateKept(all, "put"),
    bound: ["at least", 0.8],
  },
  {
    says: "get 10,000 x 1 KiB, share of the rate of 1,000",
    figure: (all) => rateKept(all, "get"),
    bound: ["at least", 0.8],
  },
  {
    says: "list of 100,000 names",
    figure: (all) => seconds(all, "list"),
    bound: ["under", 1.5],
    unit: "s",
  },
  {
    says: "its client's memory",
    figure: ({ rows }) =>
      peak(
        rows.filter(({ id }) => id === "list"),
        (one) => one.clientPeak,
      ),
    bound: ["under", 200],
    unit: "MB",
  },
  {
    says: "stat of one among them",
    figure: (all) => 1000 * seconds(all, "stat"),
    bound: ["under", 60],
    unit: "ms",
  },
  {
    says: "put of one small file",
    figure: (all) => 1000 * seconds(all, "put one"),
    bound: ["under", 90],
    unit: "ms",
  },
  {
    says: "get of one small file",
    figure: (all) => 1000 * seconds(all, "get one"),
    bound: ["under", 90],
    unit: "ms",
  },
  {
    says: "memory of a client, in any row",
    figure: ({ rows }) => peak(rows, ({ clientPeak }) => clientPeak),
    bound: ["under", 150],
    unit: "MB",
  },
  {
    says: "memory of a server, in any row",
    figure: ({ rows }) => peak(rows, ({ serverPeak }) => serverPeak),
    bound: ["under", 150],
    unit: "MB",
  },
  {
    says: "memory of a server with 64 clients",
    figure: ({ crowd }) => (crowd?.crowd.serverPeak ?? Number.NaN) / MB,
    bound: ["under", 150],
    unit: "MB",
  },
  {
    says: "errors of 64 clients",
    figure: ({ crowd }) => crowd?.crowd.errors.length ?? Number.NaN,
    bound: ["at most", 0],
  },
  {
    says: "rate of 64 clients, share of the best single client's",
    figure: ({ crowd }) =>
      crowd ? crowd.crowd.rate / Math.max(...crowd.single.map(({ rate }) => rate)) : Number.NaN,
    bound: ["at least", 0.8],
  },
  {
    says: "memory of a server with 1,000,000 names",
    figure: ({ millionPeak }) => (millionPeak ?? Number.NaN) / MB,
    bound: ["under", 300],
    unit: "MB",
  },
];

export interface Verdict {
  readonly says: string;
  readonly figure: number;
  readonly bound: string;
  readonly holds: boolean;
}

/** What can be told from these figures; what was not measured is left out. */
export function judge(figures: Figures): Verdict[] {
  return TARGETS.flatMap(({ says, figure: of, bound: [how, limit], unit }) => {
    const figure = of(figures);
    if (Number.isNaN(figure)) return [];
    const holds =
      how === "at least" ? figure >= limit : how === "under" ? figure < limit : figure <= limit;
    return [
      { says, figure, bound: [how, limit, unit].filter((x) => x !== undefined).join(" "), holds },
    ];
  });
}

/** A verdict a line. */
export const verdictCells = ({ says, figure, bound, holds }: Verdict): string[] => [
  holds ? "holds" : "MISSED",
  says,
  figure >= 10 || Number.isInteger(figure) ? figure.toFixed(0) : figure.toFixed(2),
  bound,
];
