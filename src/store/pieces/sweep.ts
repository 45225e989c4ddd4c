/** Removes the pieces that no name has held for a while. Used by pieces.ts. */
import type { Clock, Disk } from "../../io/ports.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Arrivals } from "./arrivals.ts";
import type { FolderPaths } from "./folder_paths.ts";
import type { Renewals } from "./renewals.ts";

/** A file that is being removed; `over` is to be called after that. */
interface Removal {
  readonly path: string;
  readonly over: () => void;
}

/** What a sweep needs to know. */
interface Sweeping {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly paths: FolderPaths;
  readonly catalog: Catalog;
  readonly arrivals: Arrivals;
  readonly renewals: Renewals;
  /** How long pieces stay that no name holds, and how long those that somebody reads. */
  readonly graceMs: number;
  readonly readersMs: number;
}

/** Removes the pieces that no name has held, and nobody has read, for so long. */
export async function sweepIdle(sweeping: Sweeping): Promise<void> {
  const { clock, disk, catalog, graceMs } = sweeping;
  for (;;) {
    const since = clock.wall() - graceMs;
    if (catalog.contents.idleUntil(since).length === 0) return;
    const removals: Removal[] = [];
    try {
      // The rows go first, so that what ended the holdings is durable. A link in between finds
      // no row. A file that is left without a row is adopted later.
      const dropped = await catalog.write(true, () => dropIdle(sweeping, since, removals));
      if (dropped === 0) return;
      for (const { path } of removals) await disk.remove(path);
    } finally {
      for (const { over } of removals) over();
    }
  }
}

/**
 * Drops the rows of idle pieces, and collects the files to remove in `removals`. Until those are
 * over, no sender can bring these pieces again.
 */
function dropIdle(
  { clock, paths, catalog, arrivals, renewals, readersMs }: Sweeping,
  until: number,
  removals: Removal[],
): number {
  let dropped = 0;
  for (const { cid, piece, isInline } of catalog.contents.idleUntil(until)) {
    const age = renewals.age(cid);
    if (age < readersMs) {
      // It counts as idle from then on, so the next sweep does not meet it again.
      catalog.contents.renewIdle(cid, piece, clock.wall() - age);
      continue;
    }
    const path = paths.pathOf(cid, piece);
    // A piece that is just arriving again will be good, and will replace its row.
    if (arrivals.has(path)) continue;
    catalog.contents.drop(cid, piece);
    dropped++;
    if (isInline) continue;
    removals.push({ path, over: arrivals.remove(path) });
  }
  return dropped;
}
