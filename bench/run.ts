/**
 * `npm run bench`: its own four servers, several runs, medians; beside each figure what plain programs do with the same bytes in
 * the same run. `--size MIB` (default 256), `--runs N` (default 5). Prints a table and writes dist/bench.json.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const root = join(import.meta.dir, "..");
const program = join(root, "dist/dfs-tool");
const { values } = parseArgs({
  options: { size: { type: "string", default: "256" }, runs: { type: "string", default: "5" } },
});
const sizeMib = Number(values.size);
const runs = Number(values.runs);
const SMALL_FILES = 1000;
const SMALL_BYTES = 4096;

interface Figure {
  readonly name: string;
  readonly seconds: number;
  readonly plain: string;
  readonly plainSeconds: number;
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;

async function timed(cwd: string, command: readonly string[]): Promise<number> {
  const begun = performance.now();
  const child = Bun.spawn([...command], { cwd, stdio: ["ignore", "ignore", "inherit"] });
  if ((await child.exited) !== 0) throw new Error(`${command.slice(0, 4).join(" ")} failed`);
  return (performance.now() - begun) / 1000;
}

/** Both commands in turn, so that both meet the same machine. */
async function pair(
  name: string,
  cwd: string,
  ours: string[],
  plain: string,
  theirs: string[],
): Promise<Figure> {
  const seconds: number[] = [];
  const plainSeconds: number[] = [];
  for (let i = 0; i < runs; i++) {
    seconds.push(await timed(cwd, ours));
    plainSeconds.push(await timed(cwd, theirs));
  }
  return { name, seconds: median(seconds), plain, plainSeconds: median(plainSeconds) };
}

/** Starts a server and resolves to its port. */
async function startServer(folder: string, servers: Bun.Subprocess[]): Promise<number> {
  const child = Bun.spawn([program, "serve", folder, "0"], { stdio: ["ignore", "ignore", "pipe"] });
  servers.push(child);
  const reader = child.stderr.getReader();
  const line = new TextDecoder().decode((await reader.read()).value);
  return Number(/:(\d+) \(/.exec(line)?.[1]);
}

async function measure(work: string): Promise<Figure[]> {
  const servers: Bun.Subprocess[] = [];
  try {
    const lines: string[] = [];
    for (let i = 1; i <= 4; i++)
      lines.push(`Server DFS${i} 127.0.0.1:${await startServer(join(work, `dfs${i}`), servers)}\n`);
    writeFileSync(join(work, "dfc.conf"), lines.join(""));
    const big = new Uint8Array(sizeMib * 1024 * 1024);
    for (let i = 0; i < big.length; i += 65_536)
      crypto.getRandomValues(big.subarray(i, i + 65_536));
    writeFileSync(join(work, "big"), big);
    mkdirSync(join(work, "small"));
    const small = Array.from({ length: SMALL_FILES }, (_, i) => `small/f${i}`);
    for (const path of small) writeFileSync(join(work, path), big.subarray(0, SMALL_BYTES));
    const names = small.map((path) => path.slice("small/".length));
    const sh = (script: string): string[] => ["sh", "-c", script];
    const twice = "cat big > c1 && cat big > c2 && sync -d c1 c2";
    const copies = "rm -rf s1 s2; cp -r small s1 && cp -r small s2 && sync -d s1/* s2/*";
    return [
      await pair(
        `put ${sizeMib} MiB`,
        work,
        [program, "put", "big"],
        "two copies, fdatasync",
        sh(twice),
      ),
      await pair(
        `get ${sizeMib} MiB`,
        work,
        [program, "get", "big", "-o", "back"],
        "cp",
        sh("cp big back2"),
      ),
      await pair(
        `put ${SMALL_FILES} files of 4 KiB`,
        work,
        [program, "put", ...small],
        "cp -r twice, fdatasync",
        sh(copies),
      ),
      await pair(
        `get ${SMALL_FILES} files of 4 KiB`,
        join(work, "small"),
        [program, "get", "--config", "../dfc.conf", ...names],
        "cp -r",
        sh("rm -rf ../s3; cp -r . ../s3"),
      ),
      await pair("list", work, [program, "list"], "ls", sh("ls small")),
    ];
  } finally {
    for (const server of servers) server.kill("SIGKILL");
  }
}

const work = mkdtempSync(join(tmpdir(), "dfs-bench-"));
try {
  const figures = await measure(work);
  for (const { name, seconds, plain, plainSeconds } of figures)
    console.log(
      `${name.padEnd(26)} ${seconds.toFixed(3)} s   ${plain}: ${plainSeconds.toFixed(3)} s   ratio ${(seconds / plainSeconds).toFixed(2)}`,
    );
  writeFileSync(join(root, "dist/bench.json"), JSON.stringify({ runs, sizeMib, figures }, null, 2));
} finally {
  rmSync(work, { recursive: true, force: true });
}
