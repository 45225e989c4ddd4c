/**
 * The real disk, on Bun. Short operations are done at once on this thread: to hand them to another
 * thread would take longer than the work. Bulk data, and operations that wait for the disk itself,
 * go to other threads. Used by the server's process, and by commands that read and write local
 * files.
 */
import { constants, Database } from "bun:sqlite";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { hostname } from "node:os";
import { promisify } from "node:util";
import { DfsError, type ErrorCode, isDfsError } from "../errors.ts";
import { KIB } from "../limits.ts";
import type { Disk, OpenFile } from "./ports.ts";
import { codeOf, reasonOf } from "./reason.ts";

const SHORT_BYTES = 32 * KIB;
/** What is not yet whole is nobody else's; who wants it otherwise says so in the end. */
const OWNER_ONLY = 0o600;

/** Hexadecimal digits that tell a disk from all others. */
const DISK_DIGITS = 16;

/** A computer since its start: numbers of devices are worth nothing on another one. */
function computer(): string {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8");
  } catch {
    return hostname();
  }
}
let here: string | null = null;

const diskOf = (path: string): string =>
  createHash("sha256")
    .update(`${(here ??= computer())} ${fs.statSync(path).dev}`)
    .digest("hex")
    .slice(0, DISK_DIGITS);

const read = promisify(fs.read);
const write = promisify(fs.write);
const datasync = promisify(fs.fdatasync);
const sync = promisify(fs.fsync);

/** Runs a file operation; its errors become those of `namedError`. */
async function io<T>(
  path: string,
  work: () => Promise<T> | T,
  otherwise: ErrorCode = "failed",
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw namedError(path, error, otherwise);
  }
}

/** A DfsError that names the path, of this code where nothing else is known. */
function namedError(path: string, error: unknown, otherwise: ErrorCode = "failed"): DfsError {
  if (isDfsError(error)) return error;
  const code = codeOf(error);
  if (code === "ENOSPC" || code === "EDQUOT")
    return new DfsError("noRoom", `${path}: the disk is full`);
  return new DfsError(otherwise, `${path}: ${reasonOf(error)}`);
}

/** What `work` finds; `instead` where nothing is there. */
function unlessAbsent<T, U>(instead: U, work: () => T): T | U {
  try {
    return work();
  } catch (error) {
    if (codeOf(error) === "ENOENT") return instead;
    throw error;
  }
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  for (let put = 0; put < bytes.length;)
    put += fs.writeSync(fd, bytes, put, bytes.length - put, offset + put);
}

async function writeAllElsewhere(fd: number, bytes: Uint8Array, offset: number): Promise<void> {
  for (let put = 0; put < bytes.length;)
    put += (await write(fd, bytes, put, bytes.length - put, offset + put)).bytesWritten;
}

async function readAll(fd: number, into: Uint8Array, offset: number): Promise<number> {
  let got = 0;
  while (got < into.length) {
    const left = into.length - got;
    const n =
      left <= SHORT_BYTES
        ? fs.readSync(fd, into, got, left, offset + got)
        : (await read(fd, into, got, left, offset + got)).bytesRead;
    if (n === 0) break;
    got += n;
  }
  return got;
}

/** What tells whether a file is as it was. */
export interface FileFacts {
  readonly bytes: number;
  readonly inode: bigint;
  readonly modifiedNs: bigint;
  /** When anything of it changed last; nobody can set that back. */
  readonly changedNs: bigint;
}

/**
 * A file of this machine, with what only the command line needs: its facts, and its rights, its
 * owner and its time set.
 */
export interface RealFile extends OpenFile {
  /**
   * As `write`, on this thread: what is written now need not be kept until later, nor copied.
   * Returns when it is done.
   */
  writeNow(bytes: Uint8Array, offset: number): void;
  facts(): FileFacts;
  chmod(mode: number): Promise<void>;
  /** Gives it to this user and group, unless it is theirs. */
  chown(uid: number, gid: number): Promise<void>;
  /** Sets when it was changed last, in nanoseconds since 1970, as near as `settable` comes. */
  setTime(ns: bigint): Promise<void>;
  /** As `sync`, with the rights and the time of the file. */
  syncWhole(): Promise<void>;
}

/** The facts in what the system tells of a file. */
export const factsIn = (info: fs.BigIntStats): FileFacts => ({
  bytes: Number(info.size),
  inode: info.ino,
  modifiedNs: info.mtimeNs,
  changedNs: info.ctimeNs,
});

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/**
 * A time in nanoseconds since 1970 as the runtime takes it. Whole milliseconds come out as they
 * are. Others become seconds as a number of 53 bits, which until 2038 is within 120 ns of the time.
 * It is passed as a text: the runtime sets the present time where it is passed a number below 0.
 */
export const settable = (ns: bigint): Date | string =>
  ns % NS_PER_MS === 0n
    ? new Date(Number(ns / NS_PER_MS))
    : String(Number(ns / NS_PER_SECOND) + Number(ns % NS_PER_SECOND) / 1e9);

function openFile(path: string, fd: number): RealFile {
  const working = new Set<Promise<unknown>>();
  let closing: Promise<void> | null = null;
  /** The system lets one write of a file in at a time, and those that wait for it burn time. */
  let turn: Promise<unknown> = Promise.resolve();
  /**
   * Once the file is closed its number is another file's: nothing may be under way then, nor come
   * after.
   */
  const use = <T>(work: () => Promise<T> | T): Promise<T> =>
    io(path, () => {
      if (closing) throw new Error("the file is closed");
      const done = work();
      if (!(done instanceof Promise)) return done;
      working.add(done);
      return done.finally(() => working.delete(done));
    });
  return {
    read: (into, offset) => use(() => readAll(fd, into, offset)),
    write: (bytes, offset) =>
      use(() => {
        if (bytes.length <= SHORT_BYTES) return writeAll(fd, bytes, offset);
        const mine = turn.then(() => writeAllElsewhere(fd, bytes, offset));
        turn = mine.catch(() => {});
        return mine;
      }),
    writeNow(bytes, offset) {
      try {
        if (closing) throw new Error("the file is closed");
        writeAll(fd, bytes, offset);
      } catch (error) {
        throw namedError(path, error);
      }
    },
    sync: () => use(() => io(path, () => datasync(fd), "unsynced")),
    facts: () => factsIn(fs.fstatSync(fd, { bigint: true })),
    chmod: (mode) => use(() => fs.fchmodSync(fd, mode)),
    chown: (uid, gid) =>
      use(() => {
        const now = fs.fstatSync(fd);
        if (now.uid !== uid || now.gid !== gid) fs.fchownSync(fd, uid, gid);
      }),
    setTime: (ns) => use(() => fs.futimesSync(fd, new Date(), settable(ns))),
    syncWhole: () => use(() => io(path, () => sync(fd), "unsynced")),
    close: () =>
      (closing ??= io(path, async () => {
        if (working.size > 0) await Promise.allSettled(working);
        fs.closeSync(fd);
      })),
  };
}

/** Makes a file that only its owner may read; throws if it is there already. */
export const createFile = (path: string): Promise<RealFile> =>
  io(path, () => openFile(path, fs.openSync(path, "wx+", OWNER_ONLY)));

/** Opens a file that is there, for reading. */
export const openToRead = (path: string): Promise<RealFile> =>
  io(path, () => openFile(path, fs.openSync(path, "r")));

export const bunDisk: Disk = {
  open: (path, mode) => (mode === "create" ? createFile(path) : openToRead(path)),
  rename: (from, to) => io(to, () => fs.renameSync(from, to)),
  remove: (path) => io(path, () => unlessAbsent(undefined, () => fs.unlinkSync(path))),
  makeFolder: (path) => io(path, () => void fs.mkdirSync(path, { recursive: true })),
  list: (path) =>
    io(path, () => unlessAbsent([] as string[], () => fs.readdirSync(path)).toSorted()),
  syncFolder: (path) =>
    io(path, async () => {
      const fd = fs.openSync(path, "r");
      try {
        await io(path, () => sync(fd), "unsynced");
      } finally {
        fs.closeSync(fd);
      }
    }),
  stat: (path) =>
    io(path, () => {
      const info = fs.statSync(path, { bigint: true, throwIfNoEntry: false });
      if (!info) return null;
      return {
        bytes: Number(info.size),
        isFolder: info.isDirectory(),
        modified: Number(info.mtimeMs),
        born: info.birthtimeNs > 0n ? String(info.birthtimeNs) : null,
      };
    }),
  space: (path) =>
    io(path, () => {
      const { bavail, blocks, bsize, ffree, files } = fs.statfsSync(path);
      // Some network file systems know no sizes, and some others no inodes: that is not the same as
      // to have none.
      return {
        bytes: blocks > 0 ? { free: bavail * bsize, total: blocks * bsize } : null,
        files: files > 0 ? { free: ffree, total: files } : null,
        disk: diskOf(path),
      };
    }),
  database(path) {
    const database = new Database(path, { create: true, strict: true });
    database.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
    return database;
  },
};
