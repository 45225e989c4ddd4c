/** Runs the built executable with something else behind its stdout than a reader: what tests of exit statuses need. */
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { newFolder } from "../harness/program.ts";

/** A reader; one that has gone; a disk that is full; a terminal. */
export const KINDS = ["open", "closed", "full", "terminal"] as const;
export type Kind = (typeof KINDS)[number];

/** Those that there can be here. */
export const isThere = (kind: Kind): boolean =>
  kind === "open" ||
  (process.platform === "linux" && (kind !== "terminal" || Bun.which("script") !== null));

export interface Outcome {
  readonly status: number;
  /** What was read of stdout. */
  readonly out: string;
}

const RUN_MS = 60_000;

/** Runs a command, without input, to its end. */
export async function runBefore(
  kind: Kind,
  command: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const fd = kind === "closed" ? unreadPipe() : kind === "full" ? openSync("/dev/full", "w") : null;
  const child = Bun.spawn(kind === "terminal" ? onTerminal(command) : [...command], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: cwd, ...env },
    stdin: "ignore",
    stdout: fd ?? "pipe",
    stderr: "ignore",
    timeout: RUN_MS,
  });
  if (fd !== null) closeSync(fd);
  const out = child.stdout instanceof ReadableStream ? new Response(child.stdout).text() : "";
  const status = await child.exited;
  return { status, out: await out };
}

/** The end to write to of a pipe whose other end is closed. */
function unreadPipe(): number {
  const path = join(newFolder(), "pipe");
  if (Bun.spawnSync(["mkfifo", path]).exitCode !== 0) throw new Error("mkfifo failed");
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, "w");
  closeSync(reader);
  return writer;
}

/** stdin stays what it is; stderr goes to the terminal too. */
const onTerminal = (command: readonly string[]): string[] => {
  const quoted = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  return ["script", "-qec", `${quoted.join(" ")} < /dev/null`, "/dev/null"];
};
