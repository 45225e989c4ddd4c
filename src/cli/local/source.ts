/** Files of this machine as what put reads from, each as it was at one moment. Used by put; `spool` makes such files of streams. */
import { statSync } from "node:fs";
import type { Source } from "../../client/send/source.ts";
import { DfsError } from "../../errors.ts";
import { type FileFacts, factsIn, openToRead, type RealFile } from "../../io/bun_disk.ts";
import { reasonOf } from "../../io/reason.ts";

/** A file as it was when the command began. */
export interface LocalFile {
  /** What people call it. */
  readonly label: string;
  readonly bytes: number;
  readonly modified: number;
  readonly mode: number;
  readonly facts: FileFacts;
  /** Did it change just then? What comes in the same tick of the system's clock leaves its times as they are. */
  readonly isFresh: boolean;
  open(): Promise<RealFile>;
}

const PERMISSIONS = 0o777n;
const NS_PER_MS = 1_000_000n;
/** Longer than a tick of the clock by which file systems tell times. */
const TICK_MS = 20;

/** Throws DfsError("failed") unless there is a regular file that can be put. */
export async function localFile(path: string): Promise<LocalFile> {
  const info = infoOf(path);
  if (!info) throw new DfsError("failed", `${path}: no such file`);
  if (info.isDirectory()) throw new DfsError("failed", `${path} is a folder; name the files in it`);
  const facts = factsIn(info);
  // What takes no room on the disk may be a file of /proc or /sys, whose size means nothing.
  if (!info.isFile() || (info.blocks === 0n && !(await hasItsSize(path, facts.bytes))))
    throw isNotOrdinary(path);
  const mode = Number(info.mode & PERMISSIONS);
  return {
    label: path,
    ...timeOf(facts),
    bytes: facts.bytes,
    mode,
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

/** Milliseconds since 1970, of the facts of a file. */
export const timeOf = ({ modifiedNs }: FileFacts): { modified: number } => ({
  modified: Number(modifiedNs / NS_PER_MS),
});

const isNotOrdinary = (label: string): DfsError =>
  new DfsError(
    "failed",
    `${label} is no ordinary file; use: dfs-tool put - --name NAME < ${label}`,
  );

/** Does a file that claims so many bytes have them, and no more unless it grew just now? */
async function hasItsSize(path: string, bytes: number): Promise<boolean> {
  const file = await openToRead(path);
  try {
    if (bytes > 0) return (await file.read(new Uint8Array(1), bytes - 1)) > 0;
    return (await file.read(new Uint8Array(1), 0)) === 0 || file.facts().bytes > 0;
  } finally {
    await file.close();
  }
}

/** A source that knows whether its file grew meanwhile. */
export interface LocalSource extends Source {
  confirm(): Promise<void>;
  hasGrown(): boolean;
}

/** The file open for reading, for as long as `work` takes. */
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
 * Each read is followed by a look at the file: whatever changes it before the last byte is read is seen before the version can be
 * committed. Where it only grew, or it changed in something else than its time (a link to it, its rights; or the time was put back),
 * all that was read is read once more in the end: what is the same both times was the file at the moment between.
 */
function sourceOf(file: LocalFile, open: RealFile): LocalSource {
  const { label, bytes, modified, mode, facts } = file;
  const parts = new Parts();
  let isTouched = file.isFresh;
  let hasGrown = false;
  const changed = () =>
    new DfsError("putFailed", `${label} changed while it was read; put it again`);
  const look = (): void => {
    const now = open.facts();
    if (isSame(now, facts)) return;
    if (!mayBeAsItWas(now, facts)) throw changed();
    isTouched = true;
    hasGrown ||= now.bytes > bytes;
  };
  return {
    bytes,
    modified,
    mode,
    async read(into, offset) {
      const got = await open.read(into, offset);
      if (got < into.length) throw isSame(open.facts(), facts) ? isNotOrdinary(label) : changed();
      look();
      parts.add(offset, into);
    },
    async confirm() {
      if (isTouched && !(await parts.areAsTheyWere(open))) throw changed();
    },
    hasGrown: () => hasGrown,
  };
}

const isSame = (now: FileFacts, then: FileFacts): boolean =>
  now.changedNs === then.changedNs && isLike(now, then) && now.bytes === then.bytes;

const isLike = (now: FileFacts, then: FileFacts): boolean =>
  now.modifiedNs === then.modifiedNs && now.inode === then.inode;

const mayBeAsItWas = (now: FileFacts, then: FileFacts): boolean =>
  now.bytes > then.bytes ? now.inode === then.inode : now.bytes === then.bytes && isLike(now, then);

/** What was read of a file: which parts, and their sums. Plain arrays, for a large file has millions of them. */
class Parts {
  readonly #offsets: number[] = [];
  readonly #lengths: number[] = [];
  readonly #sums: number[] = [];

  add(offset: number, bytes: Uint8Array): void {
    this.#offsets.push(offset);
    this.#lengths.push(bytes.length);
    this.#sums.push(sumOf(bytes));
  }

  /** Reads them once more. */
  async areAsTheyWere(file: RealFile): Promise<boolean> {
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
