/** Runs the built executable as a user would: in a folder of its own, with an environment of its own. */
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The executable of `bun build.ts`, which `npm test` runs first. */
export const executable = join(import.meta.dir, "../../dist/dfs-tool");
if (!existsSync(executable)) throw new Error("dist/dfs-tool is not there: run bun build.ts first");

const folders: string[] = [];
/** Each test file ends with this: what it made is removed. */
export function removeFolders(): void {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** A new folder. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dfs-cli-test-"));
  folders.push(folder);
  return folder;
}

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

export interface How {
  readonly cwd?: string;
  readonly stdin?: string;
  readonly env?: Record<string, string>;
  /** What it is called by, as over a link of that name. */
  readonly name?: string;
}

const RUN_MS = 20_000;

/** Runs it to its end; nothing of this machine's configuration reaches it. */
export async function run(args: readonly string[], how: How = {}): Promise<Ran> {
  const cwd = how.cwd ?? newFolder();
  const child = Bun.spawn([how.name ? linkTo(how.name) : executable, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: cwd, ...how.env },
    stdin: new Blob([how.stdin ?? ""]),
    stdout: "pipe",
    stderr: "pipe",
    timeout: RUN_MS,
  });
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, out, err };
}

/** The executable under another name. */
function linkTo(name: string): string {
  const path = join(newFolder(), name);
  symlinkSync(executable, path);
  return path;
}

/** A dfc.conf of servers that nobody runs. */
export function writeDeadConfig(folder: string): void {
  // Port 1 is reserved: a connection to it is refused.
  writeFileSync(join(folder, "dfc.conf"), "Server DFS1 127.0.0.1:1\n");
}
