/**
 * The targets that get writes to. A file appears only when it is whole. A stream is written in
 * order: stdout, or a path that is no file (/dev/null, a named pipe). Used by get and the
 * benchmark.
 */
import { linkSync, renameSync, rmSync, type Stats, write as writeFrom } from "node:fs";
import { copyFile, type FileHandle, open as openPath, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Found, Sink } from "../../client/fetch/sink.ts";
import { assert, DfsError, isDfsError } from "../../errors.ts";
import { knownIn } from "../../file/attributes.ts";
import { bunRandom } from "../../io/bun.ts";
import { bunDisk, createFile, openToRead, type RealFile, settable } from "../../io/bun_disk.ts";
import { codeOf, reasonOf } from "../../io/reason.ts";
import { undoAtInterrupt } from "../../terminal/interrupt.ts";
import { endOfLinks } from "./local_target.ts";
import { writeBytes } from "../../terminal/stdout.ts";

/**
 * The permission bits that a stored file may bring along. None of them changes the user that a
 * program runs as.
 */
const PERMISSIONS = 0o777;
/** Those of a file that brings none along. */
const MODE = 0o666;
const STDOUT = 1;
const writeSome = promisify(writeFrom);

/** How long to wait for a full descriptor that another process has made non-blocking. */
const RETRY_MS = 5;

/** How to write a target that is a file. */
export interface TargetOptions {
  /** Should it get the time of the file that was put? By default it does. */
  readonly times?: boolean | undefined;
  /** May it replace a file that is there? By default it may. */
  readonly clobber?: boolean | undefined;
  /** Is it made durable before it appears? Its name is durable only once its folder is. */
  readonly sync?: boolean | undefined;
}

/** A sink that must be ended: by `keep` when it is complete, else by `discard`. */
export interface Target extends Sink {
  /** The folder of the file; null for a stream. */
  readonly folder: string | null;
  keep(): Promise<void>;
  discard(): Promise<void>;
}

/** Runs `work`, then keeps the target. If `work` throws, the target is as it was before. */
export async function keepOrDiscard<T>(target: Target, work: () => Promise<T>): Promise<T> {
  try {
    const result = await work();
    await target.keep();
    return result;
  } catch (error) {
    // The first error counts, not one of the cleaning up.
    await target.discard().catch(() => {});
    throw error;
  }
}

const nothing = (): Promise<void> => Promise.resolve();

/** A target that passes bytes on, and cannot take them back. */
function streamTarget(
  path: string,
  { open, write, close }: Pick<Target, "write"> & Record<"open" | "close", () => Promise<void>>,
): Target {
  let written = 0;
  return {
    inOrder: true,
    folder: null,
    open(found) {
      if (written === 0) return open();
      const why =
        "it was replaced while it was read, and a part of it is written already; get it again";
      return Promise.reject(new DfsError("conflict", `${found.name}: ${why}`));
    },
    write(bytes, offset) {
      written += bytes.length;
      return withPathInErrors(path, path, () => write(bytes, offset));
    },
    keep: close,
    discard: close,
  };
}

const stdoutTarget = (): Target =>
  streamTarget("stdout", { open: nothing, write: (bytes) => writeBytes(bytes), close: nothing });

/** A descriptor that the caller has opened; writing continues at its position. */
export const descriptorTarget = (descriptor: number): Target =>
  descriptor === STDOUT
    ? stdoutTarget()
    : streamTarget(`/dev/fd/${descriptor}`, {
        open: nothing,
        write: (bytes) => writeOn(descriptor, bytes),
        close: nothing,
      });

async function writeOn(descriptor: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    try {
      done += (await writeSome(descriptor, bytes, done, bytes.length - done, null)).bytesWritten;
    } catch (error) {
      if (codeOf(error) !== "EAGAIN") throw error;
      await Bun.sleep(RETRY_MS);
    }
  }
}

/** The target for a path. Throws DfsError("failed") if it is a folder, or a file that must stay. */
export async function targetAt(path: string, options: TargetOptions = {}): Promise<Target> {
  // A link stays one: the file that it points to is replaced, or made.
  const { path: end, info } = endOfLinks(path);
  if (info?.isDirectory()) {
    throw new DfsError(
      "failed",
      `${path} is a folder; name a file, as in -o ${join(path, "NAME")}, or the folder with "/" at its end`,
    );
  }
  if (info && !info.isFile()) return deviceTarget(end);
  if (info && options.clobber === false) throw alreadyThere(path);
  return fileTarget(end, info, options);
}

const alreadyThere = (path: string): DfsError =>
  new DfsError("failed", `${path} is there already, and stays as it is (--no-clobber)`);

function deviceTarget(path: string): Target {
  let handle: FileHandle | null = null;
  return streamTarget(path, {
    open: () =>
      withPathInErrors(path, path, async () => {
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

function fileTarget(path: string, old: Stats | null, options: TargetOptions): Target {
  const suffix = Buffer.from(bunRandom.bytes(8)).toString("hex");
  const temporary = join(dirname(path), `.dfs-${suffix}.tmp`);
  let file: RealFile | null = null;
  let mode = 0;
  let time: bigint | null = null;
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
  const open = async (found: Found): Promise<void> => {
    const known = knownIn(found.attributes);
    mode = (old?.mode ?? (known.mode ?? MODE) & ~process.umask()) & PERMISSIONS;
    time = options.times === false ? null : (known.time ?? null);
    // It is open already if a newer version has replaced the one that was begun.
    if (file) await discard();
    forget = undoAtInterrupt(() => rmSync(temporary, { force: true }));
    file = await createFile(temporary);
  };
  const draft = (bytes: Uint8Array, offset: number): void => {
    assert(file, "the target is open");
    try {
      file.writeNow(bytes, offset);
    } catch (error) {
      throw pathInError(path, temporary, error);
    }
  };
  const keep = async (): Promise<void> => {
    assert(file, "the target is open");
    // On the file itself: in a folder where others write, its name may belong to another file by
    // now.
    await file.chmod(mode);
    if (time !== null) await file.setTime(time).catch(ignoreUnsettableTime);
    if (options.sync) await file.syncWhole();
    await close();
    if (options.clobber === false) await linkIfAbsent(temporary, path);
    else await replaceExisting(temporary, path, time, options.sync === true);
    forget();
  };
  return {
    inOrder: false,
    folder: dirname(path),
    open: (found) => withPathInErrors(path, temporary, () => open(found)),
    write: (bytes, offset) => withPathInErrors(path, temporary, () => draft(bytes, offset)),
    draft,
    keep: () => withPathInErrors(path, temporary, keep),
    discard,
  };
}

/** Some disks keep no times, or let nobody set them. The file is whole all the same. */
const ignoreUnsettableTime = (error: unknown): void => {
  if (!isDfsError(error, "failed")) throw error;
};

/**
 * Replaces the file that is there with the whole one. If something is mounted there, it is written
 * into that.
 */
async function replaceExisting(
  temporary: string,
  path: string,
  time: bigint | null,
  sync: boolean,
): Promise<void> {
  try {
    renameSync(temporary, path);
  } catch (error) {
    if (codeOf(error) !== "EBUSY") throw error;
    await copyFile(temporary, path);
    // Only the owner may set the time.
    if (time !== null) await utimes(path, new Date(), settable(time)).catch(() => {});
    if (sync) await syncAt(path);
    rmSync(temporary, { force: true });
  }
}

/** The whole file appears under a new name. Throws if something is there by now. */
async function linkIfAbsent(temporary: string, path: string): Promise<void> {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw alreadyThere(path);
    // A disk without hard links: between this check and the next step another process may be
    // faster.
    if (endOfLinks(path).info) throw alreadyThere(path);
    return renameSync(temporary, path);
  }
  rmSync(temporary, { force: true });
}

async function syncAt(path: string): Promise<void> {
  const file = await openToRead(path);
  try {
    await file.syncWhole();
  } finally {
    await file.close();
  }
}

/**
 * Turns errors into DfsErrors that name the file that the user asked for, not the temporary one.
 */
async function withPathInErrors<T>(
  path: string,
  temporary: string,
  work: () => Promise<T> | T,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw pathInError(path, temporary, error);
  }
}

const pathInError = (path: string, temporary: string, error: unknown): DfsError =>
  error instanceof DfsError
    ? new DfsError(error.code, error.message.replace(temporary, path))
    : new DfsError("failed", `${path}: ${reasonOf(error)}`);
