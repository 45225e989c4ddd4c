/**
 * The files of a benchmark: in a local folder, and in the store under a prefix of their own. Used
 * by bench.ts and bench_steps.ts.
 */
import { randomFillSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../../client/connect/cluster.ts";
import { get } from "../../client/files/get.ts";
import { list } from "../../client/files/list.ts";
import { put, type PutOptions } from "../../client/files/put.ts";
import { remove } from "../../client/files/remove.ts";
import { inParallel } from "../../client/connect/window.ts";
import { DfsError, isDfsError } from "../../errors.ts";
import { checkNewName, type NewName } from "../../file/names.ts";
import { FILES_IN_FLIGHT, KIB, MIB } from "../../limits.ts";
import { bunDisk } from "../../io/bun_disk.ts";
import { keepOrDiscard, targetAt } from "../local/sink.ts";
import { localFile, withSource } from "../local/source.ts";

export const BIG = "big";
export const SMALL_BYTES = 4 * KIB;

/**
 * Writes one large file and `count` small ones, of random bytes. Returns the names of the small
 * ones.
 */
export async function writeFiles(
  folder: string,
  bytes: number,
  count: number,
  stop: AbortSignal,
): Promise<string[]> {
  await bunDisk.makeFolder(folder);
  const noise = randomFillSync(new Uint8Array(MIB));
  const big = await bunDisk.open(join(folder, BIG), "create");
  for (let done = 0; done < bytes; done += noise.length) {
    stop.throwIfAborted();
    await big.write(noise.subarray(0, Math.min(noise.length, bytes - done)), done);
  }
  await big.close();
  const names = Array.from({ length: count }, (_, i) => `small-${i + 1}`);
  for (const [i, name] of names.entries()) {
    const at = (i * 61) % (MIB - SMALL_BYTES);
    writeFileSync(join(folder, name), noise.subarray(at, at + SMALL_BYTES));
  }
  return names;
}

/**
 * The benchmark's files in the store. Once `stop` is aborted all work ends and throws; only the
 * deletion goes on.
 */
export class BenchFiles {
  readonly #cluster: Cluster;
  readonly #options: PutOptions;
  readonly #stop: AbortSignal;
  readonly prefix: string;
  /** Names that may be in the store. */
  readonly #stored = new Set<string>();

  constructor(cluster: Cluster, prefix: string, options: PutOptions, stop: AbortSignal) {
    this.#cluster = cluster;
    this.prefix = prefix;
    this.#options = options;
    this.#stop = stop;
  }

  get left(): number {
    return this.#stored.size;
  }

  put(from: string, names: readonly string[]): Promise<void> {
    return this.#each(names, async (name) => {
      const file = await localFile(join(from, name));
      this.#stored.add(name);
      await withSource(file, (source) => {
        const read = (into: Uint8Array, offset: number): Promise<void> => {
          this.#stop.throwIfAborted();
          return source.read(into, offset);
        };
        return put(this.#cluster, this.#named(name), { ...source, read }, this.#options);
      }).catch((error: unknown) => {
        // That error says that nothing was changed.
        if (isDfsError(error, "putFailed")) this.#stored.delete(name);
        throw error;
      });
    });
  }

  async get(into: string, names: readonly string[]): Promise<void> {
    await bunDisk.makeFolder(into);
    return this.#each(names, async (name) => {
      const target = await targetAt(join(into, name));
      const write = (bytes: Uint8Array, offset: number): Promise<void> => {
        this.#stop.throwIfAborted();
        return target.write(bytes, offset);
      };
      await keepOrDiscard(target, () =>
        get(this.#cluster, this.#named(name), { ...target, write }, {}),
      );
    });
  }

  /** Lists all names. Throws DfsError("failed") if there are not as many as were put. */
  async list(): Promise<void> {
    let count = 0;
    for await (const _ of list(this.#cluster, this.prefix)) count++;
    if (count !== this.#stored.size)
      throw new DfsError("failed", `the list has ${count} of ${this.#stored.size} names`);
  }

  delete(names: readonly string[]): Promise<void> {
    return this.#each(names, (name) => this.#remove(name));
  }

  /** Deletes everything that is there, as far as possible, even after `stop`. */
  async clear(): Promise<void> {
    await inParallel([...this.#stored], FILES_IN_FLIGHT, async (name) => {
      // A file that cannot be deleted now is still counted by `left`. The others must have their
      // turn.
      await this.#remove(name).catch(() => {});
    });
  }

  #named(name: string): NewName {
    return checkNewName(this.prefix + name);
  }

  async #remove(name: string): Promise<void> {
    try {
      await remove(this.#cluster, this.#named(name));
    } catch (error) {
      if (!isDfsError(error, "noSuchName")) throw error;
    }
    this.#stored.delete(name);
  }

  #each(names: readonly string[], work: (name: string) => Promise<void>): Promise<void> {
    return inParallel(names, FILES_IN_FLIGHT, async (name) => {
      this.#stop.throwIfAborted();
      await work(name);
    });
  }
}
