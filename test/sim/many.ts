/** Many histories on all processors: run.ts in several processes, each with its share of the seeds. */
import { setPriority } from "node:os";
import { join } from "node:path";

const RUN = join(import.meta.dir, "run.ts");
const MOST_LINES = 60;
const NICE = 10;

/** What a run of these seeds says when it fails; null when no history is wrong. */
export async function failureIn(from: number, to: number, lanes: number): Promise<string | null> {
  const share = Math.ceil((to - from + 1) / lanes);
  const runs = Array.from({ length: lanes }, async (_, lane) => {
    const first = from + lane * share;
    const last = Math.min(to, first + share - 1);
    return first > last ? null : run("--seeds", `${first}..${last}`, "--stop");
  });
  return (await Promise.all(runs)).find((said) => said !== null) ?? null;
}

/** Runs the simulator; null when nothing was wrong, else the end of what it said. */
export async function run(...args: string[]): Promise<string | null> {
  const child = Bun.spawn([process.execPath, RUN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  // Tests beside it have deadlines; it has none.
  setPriority(child.pid, NICE);
  const [out, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) === 0) return null;
  return `${out}${errors}`.split("\n").slice(0, MOST_LINES).join("\n");
}
