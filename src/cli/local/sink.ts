/**
 * Where get writes to: a file, which appears only whole; or, in order, a stream, that is stdout or whatever in the
 * place of a file is no file (/dev/null, a named pipe).
 */
import { linkSync, renameSync, rmSync, type Stats, write as writeFrom } from "node:fs";
import { copyFile, type FileHandle, open as openPath, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Found, Sink } from "../../client/fetch/sink.ts";
import { assert, DfsError, isDfsError } from "../../errors.ts";
import { bunRandom } from "../../io/bun.ts";
import { bunDisk, createFile, openToRead, type RealFile } from "../../io/bun_disk.ts";
import { codeOf, reasonOf } from "../../io/reason.ts";
import { undoAtInterrupt } from "../../terminal/interrupt.ts";
import { endOfLinks } from "./local_target.ts";
import { writeBytes } from "../../terminal/stdout.ts";

/** Permission bits that a file may bring along: none that change who a program runs as. */
const PERMISSIONS = 0o777;
const STDOUT = 1;
const writeSome = promisify(writeFrom);

/** How long to wait for a descriptor that somebody has made non-blocking, and that is full. */
const RETRY_MS = 5;

/** What is asked of a target that is a file. */
export interface TargetHow {
  /** Does it get the time of the file that was put? It does where nothing is said. */
  readonly times?: boolean | undefined;
  /** May it take the place of a file that is there? It may where nothing is said. */
  readonly clobber?: boolean | undefined;
  /** Is it made durable before it appears? Its name is only once its folder is. */
  readonly sync?: boolean | undefined;
}

/** A sink that must be ended: by `keep` once all is in it, else by `discard`. */
export interface Target extends Sink {
  /** Where the file appears; null for a stream. */
  readonly folder: string | null;
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
    folder: null,
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

const stdoutTarget = (): Target =>
  streamTarget("stdout", { open: nothing, write: (bytes) => writeBytes(bytes), close: nothing });

/** A descriptor that the caller has opened, and left where it is to go on. */
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

/** The target for a path; throws DfsError("failed") when it is a folder, or a file that must stay. */
export async function targetAt(path: string, how: TargetHow = {}): Promise<Target> {
  // A link stays one: what it points to is replaced, or made.
  const { path: end, info } = endOfLinks(path);
  if (info?.isDirectory()) {
    throw new DfsError(
      "failed",
      `${path} is a folder; name a file, as in -o ${join(path, "NAME")}, or the folder with "/" at its end`,
    );
  }
  if (info && !info.isFile()) return deviceTarget(end);
  if (info && how.clobber === false) throw staysAsItIs(path);
  return fileTarget(end, info, how);
}

const staysAsItIs = (path: string): DfsError =>
  new DfsError("failed", `${path} is there already, and stays as it is (--no-clobber)`);

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

function fileTarget(path: string, old: Stats | null, how: TargetHow): Target {
  const suffix = Buffer.from(bunRandom.bytes(8)).toString("hex");
  const temporary = join(dirname(path), `.dfs-${suffix}.tmp`);
  let file: RealFile | null = null;
  let mode = 0;
  let modified: number | null = null;
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
    mode = old ? old.mode & PERMISSIONS : found.mode & PERMISSIONS & ~process.umask();
    modified = how.times === false ? null : found.modified;
    // A second time when a newer version takes the place of the one that was begun.
    if (file) await discard();
    forget = undoAtInterrupt(() => rmSync(temporary, { force: true }));
    file = await createFile(temporary);
  };
  const keep = async (): Promise<void> => {
    assert(file, "the target is open");
    // Of the file itself: in a folder where others write its name may be another's by now.
    await file.chmod(mode);
    if (modified !== null) await file.setModified(modified).catch(unlessTimeless);
    if (how.sync) await file.syncWhole();
    await close();
    if (how.clobber === false) await appear(temporary, path);
    else await takePlace(temporary, path, modified, how.sync === true);
    forget();
  };
  return {
    inOrder: false,
    folder: dirname(path),
    open: (found) => naming(path, temporary, () => open(found)),
    write: (bytes, offset) =>
      naming(path, temporary, async () => {
        assert(file, "the target is open");
        await file.write(bytes, offset);
      }),
    keep: () => naming(path, temporary, keep),
    discard,
  };
}

/** Some disks keep no times of their own, or let nobody set them: the file is whole all the same. */
const unlessTimeless = (error: unknown): void => {
  if (!isDfsError(error, "failed")) throw error;
};

/** A whole file takes the place of what is there; where something is mounted there, it is written into that. */
async function takePlace(
  temporary: string,
  path: string,
  modified: number | null,
  sync: boolean,
): Promise<void> {
  try {
    renameSync(temporary, path);
  } catch (error) {
    if (codeOf(error) !== "EBUSY") throw error;
    await copyFile(temporary, path);
    // Only its owner may set its time.
    if (modified !== null) await utimes(path, new Date(), new Date(modified)).catch(() => {});
    if (sync) await syncAt(path);
    rmSync(temporary, { force: true });
  }
}

/** A whole file appears where nothing is; throws where something is by now. */
async function appear(temporary: string, path: string): Promise<void> {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw staysAsItIs(path);
    // A disk without hard links: between this look and the next step somebody may be faster.
    if (endOfLinks(path).info) throw staysAsItIs(path);
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

/** Errors are of the program's kind, and name the file that the user asked for, not the temporary one. */
async function naming<T>(path: string, temporary: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DfsError)
      throw new DfsError(error.code, error.message.replace(temporary, path));
    throw new DfsError("failed", `${path}: ${reasonOf(error)}`);
  }
}
