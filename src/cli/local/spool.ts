/**
 * Keeps a stream, from stdin or from a command, in a temporary file, so that put can read it more
 * than once. Only this user can read the file, and it has no name any more, so nothing is left of
 * it however this process ends. Used by put.
 */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DfsError, isDfsError } from "../../errors.ts";
import { bunRandom } from "../../io/bun.ts";
import { createFile, type RealFile } from "../../io/bun_disk.ts";
import { codeOf, reasonOf } from "../../io/reason.ts";
import { undoAtInterrupt } from "../../terminal/interrupt.ts";
import { attributesFrom, type LocalFile } from "./source.ts";

/** The mode of a file that came in a stream. */
const STREAM_MODE = 0o644;

/** A spooled stream. It must be closed in the end. */
export interface Spooled {
  readonly file: LocalFile;
  close(): Promise<void>;
}

/** Reads all of stdin. */
export async function spoolStdin(): Promise<Spooled> {
  return spool("stdin", Bun.stdin.stream());
}

/**
 * Reads everything that a shell command prints. Throws DfsError("failed") unless the command ends
 * with 0.
 */
export async function spoolCommand(command: string): Promise<Spooled> {
  const shell = process.platform === "win32" ? ["cmd", "/c"] : ["sh", "-c"];
  const child = Bun.spawn([...shell, command], { stdio: ["inherit", "pipe", "inherit"] });
  const forget = undoAtInterrupt(() => child.kill());
  try {
    const spooled = await spool(command, child.stdout);
    await child.exited;
    if (child.exitCode === 0) return spooled;
    await spooled.close();
    const how = child.signalCode ?? `status ${child.exitCode}`;
    throw new DfsError("failed", `${command} ended with ${how}; nothing was stored`);
  } finally {
    child.kill();
    forget();
  }
}

async function spool(label: string, stream: AsyncIterable<Uint8Array>): Promise<Spooled> {
  const open = await unlinkedFile(label);
  try {
    let bytes = 0;
    for await (const part of stream) {
      await open.write(part, bytes);
      bytes += part.length;
    }
    const facts = open.facts();
    // The real close happens when the command is done with the file.
    const lent = { ...open, close: async () => {} };
    const attributes = attributesFrom(facts, STREAM_MODE);
    const about = { label, attributes, bytes, facts, isFresh: false };
    return { file: { ...about, open: async () => lent }, close: () => open.close() };
  } catch (error) {
    await open.close();
    throw isDfsError(error) ? error : unreadable(label, error);
  }
}

/** A new file without a name. Its errors say what it is for. */
async function unlinkedFile(label: string): Promise<RealFile> {
  const folder = tmpdir();
  const path = join(folder, `dfs-tool-${Buffer.from(bunRandom.bytes(8)).toString("hex")}`);
  const explained = (error: unknown): unknown => {
    if (!isDfsError(error)) return error;
    const what = `what comes from ${label} is kept there until it is stored; set TMPDIR to another folder`;
    return new DfsError(error.code, `${error.message.replace(path, folder)}: ${what}`);
  };
  try {
    const file = await createFile(path);
    rmSync(path);
    const write = async (bytes: Uint8Array, offset: number): Promise<void> => {
      await file.write(bytes, offset).catch((error: unknown) => {
        throw explained(error);
      });
    };
    return { ...file, write };
  } catch (error) {
    throw explained(error);
  }
}

/**
 * The error of a stream that cannot be read. For example, stdin may be a folder, or open only for
 * writing.
 */
function unreadable(label: string, error: unknown): DfsError {
  const code = codeOf(error);
  const why =
    code === "EBADF"
      ? "is not open for reading"
      : code === "EISDIR"
        ? "is a folder"
        : `cannot be read: ${reasonOf(error)}`;
  return new DfsError("failed", `${label} ${why}; use: dfs-tool put - --name NAME < FILE`);
}
