/**
 * Reads one version of a file, whatever becomes of its name meanwhile. Used by store.ts.
 *
 * Servers keep content for as long as somebody reads it, and some minutes more. So an open reader
 * tells them now and then that it is there.
 */
import type { Cluster } from "../client/connect/cluster.ts";
import { checkGoesOn, orInterrupted } from "../client/connect/living/interruption.ts";
import { checkRange, cutTo, type Range, WHOLE } from "../client/fetch/portions.ts";
import { openStored } from "../client/files/stored_source.ts";
import { DfsError } from "../errors.ts";
import type { Name } from "../file/names.ts";
import { MIB, READERS_GRACE_MS } from "../limits.ts";
import type { Cid } from "../version.ts";
import { type Info, infoFrom } from "./info.ts";

/** A stream is read in parts of so many bytes. Each part comes from several servers at once. */
const PART_BYTES = MIB;
/** How many parts of a stream are on their way, or wait for whoever reads it. */
const PARTS_AHEAD = 4;
/** How often a reader tells the servers that it is there. */
const RENEW_MS = READERS_GRACE_MS / 3;

/** Fills `into` with the bytes from `offset` on; there are as many. */
type Fill = (into: Uint8Array, offset: number) => Promise<void>;

export interface ReaderOptions {
  /** The version that must be the current one. */
  readonly version?: string | undefined;
  /** Closes the reader once it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Opens the current version of a name; `over` closes the reader too. Throws as `Store.open`. */
export async function openReader(
  cluster: Cluster,
  name: Name,
  { version: wanted, signal }: ReaderOptions,
  over: AbortSignal,
): Promise<Reader> {
  const end = endOf(signal ? [signal, over] : [over]);
  try {
    const { found, version, source } = await openStored(cluster.during(end.signal), name);
    checkGoesOn(end.signal);
    if (wanted !== undefined && wanted !== version.vid)
      throw new DfsError("conflict", `${name} was changed by someone else: it has another version`);
    end.signal.addEventListener("abort", renewing(cluster, version.cid), { once: true });
    const fill: Fill = (into, offset) => orInterrupted(source.read(into, offset), end.signal);
    return new Reader(infoFrom(name, version, found), fill, end);
  } catch (error) {
    end.abort();
    throw error;
  }
}

/** Is aborted once one of these signals is. After that nothing of it stays at any of them. */
function endOf(signals: readonly AbortSignal[]): AbortController {
  const end = new AbortController();
  const abort = (): void => end.abort();
  for (const signal of signals) signal.addEventListener("abort", abort);
  end.signal.addEventListener(
    "abort",
    () => {
      for (const signal of signals) signal.removeEventListener("abort", abort);
    },
    { once: true },
  );
  if (signals.some(({ aborted }) => aborted)) abort();
  return end;
}

/** Tells all servers now and then that this content is being read. Returns what ends that. */
function renewing(cluster: Cluster, cid: Cid | null): () => void {
  if (cid === null) return () => {};
  const { clock } = cluster.ports;
  const renew = (): void => {
    // Whoever does not answer keeps it for as long as it would anyway.
    for (const slot of cluster.live) cluster.call(slot, "renew", { cid }).catch(() => {});
    stop = clock.after(RENEW_MS, renew);
  };
  let stop = clock.after(RENEW_MS, renew);
  return () => stop();
}

/** An open version. It may be read at many places at once. `close` it in the end. */
export class Reader {
  readonly info: Info;
  readonly #fill: Fill;
  readonly #end: AbortController;

  constructor(info: Info, fill: Fill, end: AbortController) {
    this.info = info;
    this.#fill = fill;
    this.#end = end;
  }

  /** In bytes. */
  get size(): number {
    return this.info.size;
  }

  /**
   * Fills `into` with the bytes from `offset` on, and returns how many these are: fewer than there
   * is room for only at the end of the file. All of them were verified. After a throw, what is in
   * `into` means nothing.
   *
   * Throws DfsError("usage"), ("incomplete"), ("tooFew"), ("integrity") where bytes do not verify
   * and there is no good copy, ("conflict", "noSuchName") where the servers have let go of this
   * version, and ("interrupted") once the reader is closed.
   */
  async read(into: Uint8Array, offset = 0): Promise<number> {
    const { length } = into;
    checkRange({ offset, length });
    const range = cutTo(this.size, { offset, length });
    if (range.length > 0) await this.#fill(into.subarray(0, range.length), range.offset);
    return range.length;
  }

  /**
   * The bytes of a range, in their order, each verified before it is given on; of the whole file
   * where none is named. Nothing is read before somebody reads the stream, and then a few MiB
   * ahead. It fails as `read` throws. Cancelling it leaves the reader open.
   */
  stream(wanted: Range = WHOLE): ReadableStream<Uint8Array> {
    checkRange(wanted);
    const { offset, length } = cutTo(this.size, wanted);
    const ahead: Promise<Uint8Array>[] = [];
    let begun = offset;
    const begin = (): void => {
      while (ahead.length < PARTS_AHEAD && begun < offset + length) {
        const part = this.#part(begun, Math.min(PART_BYTES, offset + length - begun));
        part.catch(() => {});
        ahead.push(part);
        begun += PART_BYTES;
      }
    };
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          begin();
          const part = ahead.shift();
          if (part) controller.enqueue(await part);
          if (ahead.length === 0 && begun >= offset + length) controller.close();
          else begin();
        },
        async cancel() {
          begun = offset + length;
          await Promise.allSettled(ahead);
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #part(offset: number, length: number): Promise<Uint8Array> {
    const part = new Uint8Array(length);
    await this.#fill(part, offset);
    return part;
  }

  /** Ends it, and all that is read through it. */
  close(): void {
    this.#end.abort();
  }
}
