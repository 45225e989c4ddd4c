/**
 * Local files that put reads from, each as it was at one moment. Used by put, by the benchmark, and
 * by stream.ts.
 */
import { statSync } from "node:fs";
import type { Source } from "../../client/send/source.ts";
import { DfsError } from "../../errors.ts";
import { type Attributes, attributesOf, storableTime } from "../../file/attributes.ts";
import { type FileFacts, factsIn, openToRead, type RealFile } from "../../io/bun_disk.ts";
import { reasonOf } from "../../io/reason.ts";

/** A file as it was when the command began. */
export interface LocalFile {
  /** The name that messages use. */
  readonly label: string;
  readonly bytes: number;
  readonly attributes: Attributes;
  readonly facts: FileFacts;
  /**
   * Did it change just then? A change in the same tick of the system's clock leaves its times as
   * they are.
   */
  readonly isFresh: boolean;
  open(): Promise<RealFile>;
}

const PERMISSIONS = 0o777n;
export const NS_PER_MS = 1_000_000n;
/** Longer than a tick of the clock that file systems take times from. */
const TICK_MS = 20;

/** Throws DfsError("failed") unless it is a regular file that can be put. */
export async function localFile(path: string): Promise<LocalFile> {
  const info = infoOf(path);
  if (!info) throw new DfsError("failed", `${path}: no such file`);
  if (info.isDirectory()) throw new DfsError("failed", `${path} is a folder; name the files in it`);
  const facts = factsIn(info);
  // A file without blocks on the disk may be one of /proc or /sys, whose size means nothing.
  if (!info.isFile() || (info.blocks === 0n && !(await hasStatedSize(path, facts.bytes))))
    throw isNotOrdinary(path);
  return {
    label: path,
    attributes: attributesFrom(facts, Number(info.mode & PERMISSIONS)),
    bytes: facts.bytes,
    facts,
    isFresh: Date.now() - Number(facts.changedNs / NS_PER_MS) < TICK_MS,
    open: () => openToRead(path),
  };
}

function infoOf(path: string) {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    throw new DfsError("failed", `${path}: ${reasonOf(error)}`);
  }
}

/** The attributes of a file that a command puts, from its facts and permission bits. */
const attributesFrom = ({ modifiedNs }: FileFacts, mode: number): Attributes =>
  attributesOf({ time: storableTime(modifiedNs), mode, by: "command" });

const isNotOrdinary = (label: string): DfsError =>
  new DfsError(
    "failed",
    `${label} is no ordinary file; use: dfs-tool put - --name NAME < ${label}`,
  );

/**
 * Does a file that claims to have so many bytes have them, and no more, unless it has just grown?
 */
async function hasStatedSize(path: string, bytes: number): Promise<boolean> {
  const file = await openToRead(path);
  try {
    if (bytes > 0) return (await file.read(new Uint8Array(1), bytes - 1)) > 0;
    return (await file.read(new Uint8Array(1), 0)) === 0 || file.facts().bytes > 0;
  } finally {
    await file.close();
  }
}

/** A source that knows whether its file has grown meanwhile. */
export interface LocalSource extends Source {
  confirm(): Promise<void>;
  hasGrown(): boolean;
}

/** Opens the file for reading, as long as `work` takes. */
export async function withSource<T>(
  file: LocalFile,
  work: (source: LocalSource) => Promise<T>,
): Promise<T> {
  const open = await file.open();
  try {
    return await work(sourceOf(file, open));
  } finally {
    await open.close();
  }
}

/**
 * Makes a source that notices changes of its file. It looks at the file after each read, so a
 * change before the last byte is read is noticed before the version can be committed.
 *
 * A change may be harmless: the file only grew, or something else than its time changed (a link to
 * it, its rights; or the time was set back). Then everything that was read is read again in the
 * end: bytes that are the same both times are the file at the moment between.
 */
function sourceOf(file: LocalFile, open: RealFile): LocalSource {
  const { label, bytes, attributes, facts } = file;
  const parts = new Parts();
  let isTouched = file.isFresh;
  let hasGrown = false;
  const changed = () =>
    new DfsError("putFailed", `${label} changed while it was read; put it again`);
  const check = (): void => {
    const now = open.facts();
    if (isSame(now, facts)) return;
    if (!mayBeUnchanged(now, facts)) throw changed();
    isTouched = true;
    hasGrown ||= now.bytes > bytes;
  };
  return {
    bytes,
    attributes,
    async read(into, offset) {
      const got = await open.read(into, offset);
      if (got < into.length) throw isSame(open.facts(), facts) ? isNotOrdinary(label) : changed();
      check();
      parts.add(offset, into);
    },
    async confirm() {
      if (isTouched && !(await parts.areUnchanged(open))) throw changed();
    },
    hasGrown: () => hasGrown,
  };
}

const isSame = (now: FileFacts, then: FileFacts): boolean =>
  now.changedNs === then.changedNs && hasSameTimeAndInode(now, then) && now.bytes === then.bytes;

const hasSameTimeAndInode = (now: FileFacts, then: FileFacts): boolean =>
  now.modifiedNs === then.modifiedNs && now.inode === then.inode;

const mayBeUnchanged = (now: FileFacts, then: FileFacts): boolean =>
  now.bytes > then.bytes
    ? now.inode === then.inode
    : now.bytes === then.bytes && hasSameTimeAndInode(now, then);

/**
 * The parts of a file that were read, and their sums. They are in plain arrays, for a large file
 * has millions of them.
 */
class Parts {
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  readonly #sums: number[] = [];

  add(offset: number, bytes: Uint8Array): void {
    this.#offsets.push(offset);
    this.#lengths.push(bytes.length);
    this.#sums.push(sumOf(bytes));
  }

  /** Reads the parts again, and compares them. */
  async areUnchanged(file: RealFile): Promise<boolean> {
    const buffer = new Uint8Array(
      this.#lengths.reduce((most, length) => Math.max(most, length), 0),
    );
    for (const [i, offset] of this.#offsets.entries()) {
      const part = buffer.subarray(0, this.#lengths[i]);
      if ((await file.read(part, offset)) < part.length || sumOf(part) !== this.#sums[i])
        return false;
    }
    return true;
  }
}

const sumOf = (bytes: Uint8Array): number => Number(BigInt.asUintN(53, Bun.hash.xxHash3(bytes)));
