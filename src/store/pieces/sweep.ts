/** Removes the pieces that no name has held for a while. Used by pieces.ts. */
import type { Disk } from "../../io/ports.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Arrivals } from "./arrivals.ts";
import type { FolderPaths } from "./folder_paths.ts";

/** A file that is being removed; `over` is to be called after that. */
interface Removal {
  readonly path: string;
  readonly over: () => void;
}

/** Removes the pieces that no name has held since `until()`, in milliseconds since 1970, or before. */
export async function sweepIdle(
  disk: Disk,
  paths: FolderPaths,
  catalog: Catalog,
  arrivals: Arrivals,
  until: () => number,
): Promise<void> {
  for (;;) {
    const since = until();
    if (catalog.contents.idleUntil(since).length === 0) return;
    const removals: Removal[] = [];
    try {
      // The rows go first, so that what ended the holdings is durable. A link in between finds
      // no row. A file that is left without a row is adopted later.
      const dropped = await catalog.write(/* rule: rows-go-first */ true, () =>
        dropIdle(paths, catalog, arrivals, since, removals),
      );
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
  paths: FolderPaths,
  catalog: Catalog,
  arrivals: Arrivals,
  until: number,
  removals: Removal[],
): number {
  let dropped = 0;
  for (const { cid, piece, isInline } of catalog.contents.idleUntil(until)) {
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
