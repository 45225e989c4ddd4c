/**
 * `bun build.ts` makes dist/dfs-tool for this machine; `bun build.ts --all` makes one for every
 * platform, with dist/SHA256SUMS. The program reads its version as `process.env.DFS_VERSION` and
 * `process.env.DFS_COMMIT`, which are replaced here by their values.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import packageJson from "./package.json" with { type: "json" };

const TARGETS = [
  "linux-x64",
  "linux-x64-baseline",
  "linux-x64-musl",
  "linux-arm64",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "windows-x64",
] as const;

const dist = join(import.meta.dir, "dist");

/** The commit of the working tree, with `-dirty` where it was changed; "unknown" outside of git. */
function commit(): string {
  const command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"];
  if (!Bun.which("git")) return "unknown";
  const git = Bun.spawnSync(command, { cwd: import.meta.dir, stderr: "ignore" });
  return (git.success && git.stdout.toString().trim()) || "unknown";
}

async function compile(outfile: string, target?: (typeof TARGETS)[number]): Promise<string> {
  await Bun.build({
    entrypoints: [join(import.meta.dir, "src/main.ts")],
    target: "bun",
    format: "esm", // bytecode in any other format leaves an executable that dies
    minify: true,
    bytecode: true,
    splitting: true, // a command loads what it needs, and nothing else
    define: {
      "process.env.DFS_VERSION": JSON.stringify(packageJson.version),
      "process.env.DFS_COMMIT": JSON.stringify(commit()),
    },
    compile: {
      outfile,
      ...(target && { target: `bun-${target}` as const }),
      // The user's current folder must not change what the program does.
      autoloadDotenv: false,
      autoloadBunfig: false,
    },
  });
  return outfile;
}

/** A build can succeed and leave an executable that does not start, so it is started once. */
function tryOut(executable: string): string {
  const run = Bun.spawnSync([executable, "--version"], { stdin: "ignore", timeout: 30_000 });
  if (run.success && run.stdout.length > 0) return run.stdout.toString().trim();
  throw new Error(`${executable} --version fails: ${run.stderr.toString().trim()}`);
}

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

async function main(): Promise<void> {
  const exe = process.platform === "win32" ? ".exe" : "";
  mkdirSync(dist, { recursive: true });
  const own = await compile(join(dist, `dfs-tool${exe}`));
  console.log(`${own} ${tryOut(own)}`);
  if (!process.argv.includes("--all")) return;

  const sums = join(dist, "SHA256SUMS");
  rmSync(sums, { force: true });
  const lines: string[] = [];
  for (const target of TARGETS) {
    const suffix = target.startsWith("windows") ? ".exe" : "";
    const path = await compile(join(dist, `dfs-tool-${target}${suffix}`), target);
    lines.push(`${sha256(path)}  ${basename(path)}\n`);
    console.log(path);
  }
  writeFileSync(sums, lines.join(""));
}

await main();
