/** What one command costs: its time, and the time, memory, bytes and syncs of the client and of all servers. Linux only. */
import { readFileSync, writeFileSync } from "node:fs";
import { peakOf, type Stage } from "../test/acceptance/stage.ts";
import { executable } from "../test/cli/program.ts";

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

/** Runs a client command to its end in the home of a stage; throws when it fails. */
export async function costOf(stage: Stage, args: readonly string[], cwd?: string): Promise<Cost> {
  const running = stage.servers.filter((server) => server.isUp);
  for (const { pid } of running) writeFileSync(`/proc/${pid}/clear_refs`, FORGET_PEAK);
  const before = sumOf(running.map(({ pid }) => cpuOf(pid)));
  const begun = performance.now();
  const child = Bun.spawn([executable, ...args], {
    cwd: cwd ?? stage.home,
    env: { HOME: stage.home, DFS_CONFIG: stage.config },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [out, clientPeak, status] = await Promise.all([
    new Response(child.stdout).text(),
    peakOf(child),
    child.exited,
  ]);
  const seconds = (performance.now() - begun) / 1000;
  if (status !== 0) throw new Error(`${args.slice(0, 3).join(" ")}: exit status ${status}`);
  const used = child.resourceUsage();
  return {
    seconds,
    clientCpu: Number(used?.cpuTime.total ?? 0) / 1e6,
    serverCpu: sumOf(running.map(({ pid }) => cpuOf(pid))) - before,
    clientPeak,
    serverPeak: Math.max(0, ...running.map((server) => server.memory.peak)),
    wire: args.includes("--json") ? wireOf(out) : null,
  };
}

function wireOf(out: string): number | null {
  const { traffic } = JSON.parse(out) as { traffic?: { sent: number; received: number } };
  return traffic ? traffic.sent + traffic.received : null;
}

/** How often all servers together call fsync or fdatasync while `work` runs; null where there is no strace. */
export async function syncsOf(stage: Stage, work: () => Promise<unknown>): Promise<number | null> {
  if (!Bun.which("strace")) {
    await work();
    return null;
  }
  const pids = stage.servers
    .filter((server) => server.isUp)
    .flatMap(({ pid }) => ["-p", String(pid)]);
  const tracer = Bun.spawn(["strace", "-f", "-c", "-e", "trace=fsync,fdatasync", ...pids], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  await Bun.sleep(300);
  await work();
  tracer.kill("SIGINT");
  const said = await new Response(tracer.stderr).text();
  const calls = [...said.matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+.*f(?:data)?sync$/gm)];
  return sumOf(calls.map(([, count]) => Number(count)));
}
