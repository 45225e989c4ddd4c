/**
 * Where get writes to: a file, which appears only whole; or, in order, a stream, that is stdout or whatever in the
 * place of a file is no file (/dev/null, a named pipe).
 */
import { realpathSync, rmSync, statSync, type Stats } from "node:fs";
import { type FileHandle, open as openPath } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Sink } from "../client/get.ts";
import { assert, DfsError } from "../errors.ts";
import { bunRandom } from "../io/bun.ts";
import { bunDisk, createFile, type NewFile } from "../io/bun_disk.ts";
import { undoAtInterrupt } from "./interrupt.ts";
import { writeBytes } from "./stdout.ts";

/** Permission bits that a file may bring along: none that change who a program runs as. */
const PERMISSIONS = 0o777;

/** A sink that must be ended: by `keep` once all is in it, else by `discard`. */
export interface Target extends Sink {
  keep(): Promise<void>;
  discard(): Promise<void>;
}

/** The target keeps what `work` wrote, or, when it throws, is as it was before. */
export async function keeping<T>(target: Target, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    await target.keep();
    return result;
  } catch (error) {
    // What went wrong first is what counts, not what that keeps from being cleaned up.
    await target.discard().catch(() => {});
    throw error;
  }
}

const nothing = (): Promise<void> => Promise.resolve();

/** A target that hands on what it gets, and cannot take back what it has handed on. */
function streamTarget(
  path: string,
  { open, write, close }: Pick<Target, "write"> & Record<"open" | "close", () => Promise<void>>,
): Target {
  let written = 0;
  return {
    inOrder: true,
    open(found) {
      if (written === 0) return open();
      const why =
        "it was replaced while it was read, and a part of it is written already; get it again";
      return Promise.reject(new DfsError("conflict", `${found.name}: ${why}`));
    },
    write(bytes, offset) {
      written += bytes.length;
      return naming(path, path, () => write(bytes, offset));
    },
    keep: close,
    discard: close,
  };
}

export const stdoutTarget = (): Target =>
  streamTarget("stdout", { open: nothing, write: (bytes) => writeBytes(bytes), close: nothing });

/** The target for a path; throws DfsError("failed") when it is a folder. */
export async function targetAt(path: string): Promise<Target> {
  const info = await bunDisk.stat(path);
  if (!info) return fileTarget(path, null);
  if (info.isFolder) {
    throw new DfsError(
      "failed",
      `${path} is a folder; name a file, as in -o ${join(path, "NAME")}`,
    );
  }
  const old = statSync(path);
  // A link stays one: what it points to is replaced.
  return old.isFile() ? fileTarget(realpathSync(path), old) : deviceTarget(path);
}

function deviceTarget(path: string): Target {
  let handle: FileHandle | null = null;
  return streamTarget(path, {
    open: () =>
      naming(path, path, async () => {
        handle ??= await openPath(path, "w");
      }),
    async write(bytes) {
      assert(handle, "the target is open");
      for (let done = 0; done < bytes.length;) {
        done += (await handle.write(bytes, done, bytes.length - done, null)).bytesWritten;
      }
    },
    close: () => handle?.close() ?? nothing(),
  });
}

function fileTarget(path: string, old: Stats | null): Target {
  const suffix = Buffer.from(bunRandom.bytes(8)).toString("hex");
  const temporary = join(dirname(path), `.dfs-${suffix}.tmp`);
  let file: NewFile | null = null;
  let mode = 0;
  let forget = (): void => {};
  const close = async (): Promise<void> => {
    await file?.close();
    file = null;
  };
  const discard = async (): Promise<void> => {
    await close();
    await bunDisk.remove(temporary);
    forget();
  };
  return {
    inOrder: false,
    open: (found) =>
      naming(path, temporary, async () => {
        mode = old ? old.mode & PERMISSIONS : found.mode & PERMISSIONS & ~process.umask();
        // A second time when a newer version takes the place of the one that was begun.
        if (file) await discard();
        forget = undoAtInterrupt(() => rmSync(temporary, { force: true }));
        file = await createFile(temporary);
      }),
    write: (bytes, offset) =>
      naming(path, temporary, async () => {
        assert(file, "the target is open");
        await file.write(bytes, offset);
      }),
    keep: () =>
      naming(path, temporary, async () => {
        // Of the file itself: in a folder where others write its name may be another's by now.
        await file?.chmod(mode);
        await close();
        await bunDisk.rename(temporary, path);
        forget();
      }),
    discard,
  };
}

/** Errors are of the program's kind, and name the file that the user asked for, not the temporary one. */
async function naming(path: string, temporary: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof DfsError)
      throw new DfsError(error.code, error.message.replace(temporary, path));
    throw new DfsError(
      "failed",
      `${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** The file that a stored name becomes in the current folder: its last component. */
export function checkLocalName(base: string): string {
  // On Windows these would lead to another folder, or to a device.
  if (process.platform !== "win32" || !/[\\:]/.test(base)) return base;
  throw new DfsError(
    "usage",
    `${base} cannot be a file name on Windows; say where it goes with -o FILE`,
  );
}
