/**
 * Streams that put reads once, as they come: stdin, what a command prints, and named pipes. Used by
 * put.
 */
import { createReadStream, statSync } from "node:fs";
import type { ByteStream } from "../../client/send/byte_stream.ts";
import { DfsError } from "../../errors.ts";
import { attributesOf, storableTime } from "../../file/attributes.ts";
import { codeOf, reasonOf } from "../../io/reason.ts";
import { undoAtInterrupt } from "../../terminal/interrupt.ts";
import { NS_PER_MS } from "./source.ts";

/** The mode of a file that came in a stream. */
const STREAM_MODE = 0o644;

export interface LocalStream extends ByteStream {
  /** What to say where it had no bytes. */
  readonly emptyText: string;
}

/** Stdin. */
export const stdinStream = (): LocalStream =>
  streamOf("stdin was empty", explained("stdin", Bun.stdin.stream()));

/**
 * Everything that a shell command prints. The command begins when the stream is first read. The
 * stream throws DfsError("failed") unless the command ends with 0.
 */
export const commandStream = (command: string): LocalStream =>
  streamOf(`${command} printed nothing`, printedBy(command));

/** A named pipe; null where the path is something else. */
export function pipeStream(path: string): LocalStream | null {
  if (!isPipe(path)) return null;
  return streamOf(`${path} was empty`, explained(path, opened(path)));
}

/** It has the time at which it began. */
const streamOf = (emptyText: string, bytes: AsyncIterable<Uint8Array>): LocalStream => ({
  emptyText,
  bytes,
  attributes: attributesOf({
    time: storableTime(BigInt(Date.now()) * NS_PER_MS),
    mode: STREAM_MODE,
    by: "command",
  }),
});

function isPipe(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFIFO() ?? false;
  } catch {
    // Whoever opens the path says why that cannot be.
    return false;
  }
}

/** It is opened when it is first read: to open a pipe takes as long as nobody writes to it. */
async function* opened(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path) as AsyncIterable<Uint8Array>;
}

async function* printedBy(command: string): AsyncGenerator<Uint8Array> {
  const shell = process.platform === "win32" ? ["cmd", "/c"] : ["sh", "-c"];
  const child = Bun.spawn([...shell, command], { stdio: ["inherit", "pipe", "inherit"] });
  const forget = undoAtInterrupt(() => child.kill());
  try {
    yield* explained(command, child.stdout);
    await child.exited;
    if (child.exitCode === 0) return;
    const how = child.signalCode ?? `status ${child.exitCode}`;
    throw new DfsError("failed", `${command} ended with ${how}; nothing was stored`);
  } finally {
    child.kill();
    forget();
  }
}

/**
 * The same bytes; its errors say why it cannot be read. For example, stdin may be a folder, or open
 * only for writing.
 */
async function* explained(
  label: string,
  stream: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } catch (error) {
    const code = codeOf(error);
    const why =
      code === "EBADF"
        ? "is not open for reading"
        : code === "EISDIR"
          ? "is a folder"
          : `cannot be read: ${reasonOf(error)}`;
    throw new DfsError("failed", `${label} ${why}; use: dfs-tool put - --name NAME < FILE`);
  }
}
