/**
 * 64 clients at once, each putting and getting files of 1 MiB, beside the best that one client does with the same files by the same
 * program: one file after the other, or as many at once as a command has. They are in two processes, for two cores: 64 would
 * measure how processes start and share a core. Each has connections of its own, and to servers that is what a client is.
 */
import { MIB, FILES_IN_FLIGHT } from "../src/limits.ts";
import { peakOf, type Stage } from "../test/harness/stage.ts";
import { median } from "../src/terminal/units.ts";
import type { CrowdPart } from "./crowd_clients.ts";
import { resetPeaks, serversCost } from "./meter.ts";

const CLIENTS = 64;
const PROCESSES = 2;
const PROGRAM = `${import.meta.dir}/crowd_clients.ts`;

/** Milliseconds that an operation took. */
export interface Times {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Crowd {
  readonly clients: number;
  readonly seconds: number;
  /** Bytes put and got, a second. */
  readonly rate: number;
  readonly put: Times;
  readonly get: Times;
  readonly errors: string[];
  readonly clientCpu: number;
  readonly serverCpu: number;
  /** Bytes of memory: of all clients of a process together, and of the server that took most. */
  readonly clientPeak: number;
  readonly serverPeak: number;
}

/** A crowd, and what single clients did before and after it. */
export interface CrowdResult {
  readonly crowd: Crowd;
  readonly single: { readonly lanes: number; readonly rate: number; readonly errors: string[] }[];
}

export async function measureCrowd(stage: Stage, seconds: number): Promise<CrowdResult> {
  const single: CrowdResult["single"] = [];
  const alone = async (when: string): Promise<void> => {
    for (const lanes of [1, FILES_IN_FLIGHT]) {
      const { rate, errors } = await run(stage, 1, 1, lanes, seconds / 3, `${when}${lanes}`);
      single.push({ lanes, rate, errors });
    }
  };
  await alone("before");
  const crowd = await run(stage, PROCESSES, CLIENTS / PROCESSES, 1, seconds, "crowd");
  await alone("after");
  return { crowd, single };
}

/** Processes of so many clients each, to their end. */
async function run(
  stage: Stage,
  processes: number,
  clients: number,
  lanes: number,
  seconds: number,
  name: string,
): Promise<Crowd> {
  await Bun.spawn(["sync"]).exited;
  resetPeaks(stage);
  const used = serversCost(stage);
  const ran = await Promise.all(
    Array.from({ length: processes }, (_, i) =>
      runPart(stage, [clients, lanes, seconds].map(String), `${name}${i}`),
    ),
  );
  const { cpu, peak } = serversCost(stage);
  const sum = (of: (one: (typeof ran)[number]) => number): number =>
    ran.reduce((total, one) => total + of(one), 0);
  return {
    clients: processes * clients,
    seconds: Math.max(...ran.map((one) => one.part.seconds)),
    rate: sum(({ part }) => ((part.puts.length + part.gets.length) * MIB) / part.seconds),
    put: timesOf(ran.flatMap(({ part }) => part.puts)),
    get: timesOf(ran.flatMap(({ part }) => part.gets)),
    errors: ran.flatMap(({ part }) => part.errors),
    clientCpu: sum((one) => one.cpu),
    serverCpu: cpu - used.cpu,
    clientPeak: Math.max(...ran.map((one) => one.peak)),
    serverPeak: peak,
  };
}

async function runPart(stage: Stage, how: readonly string[], name: string) {
  const child = Bun.spawn([process.execPath, PROGRAM, stage.config, ...how, name], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out, peak, status] = await Promise.all([
    new Response(child.stdout).text(),
    peakOf(child),
    child.exited,
  ]);
  if (status !== 0) throw new Error(`the clients ended with exit status ${status}`);
  const cpu = Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return { part: JSON.parse(out) as CrowdPart, peak, cpu };
}

function timesOf(times: readonly number[]): Times {
  const sorted = times.toSorted((a, b) => a - b);
  const p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN;
  return { count: sorted.length, p50: median(sorted), p99, max: sorted.at(-1) ?? Number.NaN };
}
