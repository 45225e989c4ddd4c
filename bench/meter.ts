/** What one command costs: its time, and the time, memory, bytes and syncs of the client and of all servers. Linux only. */
import { readFileSync, writeFileSync } from "node:fs";
import { peakOf, type Stage } from "../test/harness/stage.ts";
import { executable } from "../test/harness/program.ts";

export interface Cost {
  readonly seconds: number;
  readonly clientCpu: number;
  readonly serverCpu: number;
  /** Bytes of memory at their peaks; of the servers the largest. */
  readonly clientPeak: number;
  readonly serverPeak: number;
  /** Bytes on the wire, both ways; null where the command does not tell. */
  readonly wire: number | null;
}

const TICKS_PER_SECOND = 100;
/** Makes the kernel forget the peak of a process's memory so far (proc(5)). */
const FORGET_PEAK = "5";

/** Processor seconds that a process has used so far. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

const runningOf = (stage: Stage) => stage.servers.filter((server) => server.isUp);

/** Begins a new look at the peaks of the servers. */
export function resetPeaks(stage: Stage): void {
  for (const { pid } of runningOf(stage)) writeFileSync(`/proc/${pid}/clear_refs`, FORGET_PEAK);
}

/** Processor seconds that all servers have used so far, and the largest of their peaks since `resetPeaks`. */
export function serversCost(stage: Stage): { cpu: number; peak: number } {
  const running = runningOf(stage);
  return {
    cpu: sumOf(running.map(({ pid }) => cpuOf(pid))),
    peak: Math.max(0, ...running.map((server) => server.memory.peak)),
  };
}

/** Runs a client command to its end in a folder; throws when it fails. */
export async function costOf(stage: Stage, args: readonly string[], cwd: string): Promise<Cost> {
  resetPeaks(stage);
  const before = serversCost(stage);
  const begun = performance.now();
  const child = Bun.spawn([executable, ...args], {
    cwd,
    env: { HOME: stage.home, DFS_CONFIG: stage.config },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, said, clientPeak, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    peakOf(child),
    child.exited,
  ]);
  const seconds = (performance.now() - begun) / 1000;
  if (status !== 0) {
    const [why] = said.split("\n", 1);
    throw new Error(`${args.slice(0, 3).join(" ")}: exit status ${status}: ${why}`);
  }
  const used = child.resourceUsage();
  const after = serversCost(stage);
  return {
    seconds,
    clientCpu: Number(used?.cpuTime.total ?? 0) / 1e6,
    serverCpu: after.cpu - before.cpu,
    clientPeak,
    serverPeak: after.peak,
    wire: args.includes("--json") ? wireOf(out) : null,
  };
}

function wireOf(out: string): number | null {
  const { traffic } = JSON.parse(out) as { traffic?: { sent: number; received: number } };
  return traffic ? traffic.sent + traffic.received : null;
}
