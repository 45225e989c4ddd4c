/**
 * Does the benchmark's work on this machine alone, without the store, for comparison. Used by
 * bench_steps.ts.
 */
import { join } from "node:path";
import { inParallel } from "../../client/connect/window.ts";
import { FILES_IN_FLIGHT, MIB } from "../../limits.ts";
import { bunDisk } from "../../io/bun_disk.ts";

/** From which folder to copy, and to which: a new folder for each copy of the files. */
export interface Alone {
  readonly from: string;
  readonly to: readonly string[];
  /** Must each copy be synced to the disk before it counts? */
  readonly isDurable: boolean;
}

/**
 * Copies the files into all these folders, as many at once as a client does. Throws once `stop` is
 * aborted.
 */
export async function copyAlone(
  { from, to, isDurable }: Alone,
  names: readonly string[],
  stop: AbortSignal,
): Promise<void> {
  for (const folder of to) {
    await bunDisk.makeFolder(folder);
    await inParallel(names, FILES_IN_FLIGHT, (name) =>
      copyOne(join(from, name), join(folder, name), isDurable, stop),
    );
  }
}

async function copyOne(from: string, to: string, isDurable: boolean, stop: AbortSignal) {
  const source = await bunDisk.open(from, "read");
  const copy = await bunDisk.open(to, "create");
  try {
    const chunk = new Uint8Array(MIB);
    for (let offset = 0; ;) {
      stop.throwIfAborted();
      const got = await source.read(chunk, offset);
      await copy.write(chunk.subarray(0, got), offset);
      offset += got;
      if (got < chunk.length) break;
    }
    if (isDurable) await copy.sync();
  } finally {
    await Promise.all([source.close(), copy.close()]);
  }
}
