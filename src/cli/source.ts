/** Files of this machine as what put reads from. */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Source } from "../client/source.ts";
import { assert, DfsError } from "../errors.ts";
import { bunDisk } from "../io/bun_disk.ts";
import type { FileInfo, OpenFile } from "../io/ports.ts";
import { undoAtInterrupt } from "./interrupt.ts";

/** A file as it was when the command began. */
export interface LocalFile {
  /** What people call it. */
  readonly label: string;
  readonly path: string;
  readonly bytes: number;
  readonly modified: number;
  readonly mode: number;
}

const PERMISSIONS = 0o777;
/** The mode of what came from stdin. */
const STDIN_MODE = 0o644;

/** Throws DfsError("failed") unless there is a regular file that can be put. */
export async function localFile(path: string): Promise<LocalFile> {
  const info = await bunDisk.stat(path);
  if (!info) throw new DfsError("failed", `${path}: no such file`);
  if (info.isFolder) throw new DfsError("failed", `${path} is a folder; name the files in it`);
  const facts = statSync(path);
  // What has no size of its own (a pipe, a device, a file of /proc) cannot be read at any offset, more than once.
  if (!facts.isFile() || (info.bytes === 0 && (await isNotEmpty(path)))) {
    throw new DfsError(
      "failed",
      `${path} is no ordinary file; use: dfs-tool put - --name NAME < ${path}`,
    );
  }
  const { bytes, modified } = info;
  return { label: path, path, bytes, modified, mode: facts.mode & PERMISSIONS };
}

async function isNotEmpty(path: string): Promise<boolean> {
  const file = await bunDisk.open(path, "read");
  try {
    return (await file.read(new Uint8Array(1), 0)) > 0;
  } finally {
    await file.close();
  }
}

/**
 * Reads all of stdin into a temporary file, which only this user can read, so that it can be read more than once;
 * `remove` it after.
 */
export async function spoolStdin(): Promise<{ file: LocalFile; remove: () => void }> {
  const folder = mkdtempSync(join(tmpdir(), "dfs-tool-"));
  const clear = (): void => rmSync(folder, { recursive: true, force: true });
  const keep = undoAtInterrupt(clear);
  const remove = (): void => {
    clear();
    keep();
  };
  try {
    const path = join(folder, "stdin");
    const bytes = await copyStdin(path);
    const info = await bunDisk.stat(path);
    assert(info?.bytes === bytes, "all of stdin is in the file");
    const file = { label: "stdin", path, bytes, modified: Date.now(), mode: STDIN_MODE };
    return { file: { ...file, modified: info.modified }, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

async function copyStdin(path: string): Promise<number> {
  const file = await bunDisk.open(path, "create");
  let bytes = 0;
  try {
    for await (const part of Bun.stdin.stream()) {
      await file.write(part, bytes);
      bytes += part.length;
    }
  } finally {
    await file.close();
  }
  return bytes;
}

/** The file open for reading, for as long as `work` takes. */
export async function withSource<T>(
  file: LocalFile,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  const open = await bunDisk.open(file.path, "read");
  try {
    return await work(sourceOf(file, open));
  } finally {
    await open.close();
  }
}

/**
 * Each read is followed by a look at the file's size and time: whatever changes the file before the last byte is read
 * is seen before the version can be committed.
 */
function sourceOf({ label, path, bytes, modified, mode }: LocalFile, open: OpenFile): Source {
  const isSame = (now: FileInfo | null): boolean =>
    now?.bytes === bytes && now.modified === modified;
  return {
    bytes,
    modified,
    mode,
    async read(into, offset) {
      const got = await open.read(into, offset);
      if (got === into.length && isSame(await bunDisk.stat(path))) return;
      throw new DfsError("putFailed", `${label} changed while it was read; put it again`);
    },
  };
}
