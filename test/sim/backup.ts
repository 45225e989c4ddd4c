/** Copies of all that a simulated disk holds, and putting them back (disk.ts). */
import { Inode } from "./inode.ts";
import type { SimDatabaseFile } from "./database_file.ts";
import type { Volume } from "./volume.ts";

/** What a folder holds, as a copy of its files has it. */
export type Backup = ReadonlyMap<string, Uint8Array | SimDatabaseFile>;

/** All that there is, copied; only while nobody has a database open. */
export function backupOf(volume: Volume): Backup {
  const all: [string, Uint8Array | SimDatabaseFile][] = [];
  for (const [path, node] of volume.nodes())
    all.push([path, node instanceof Inode ? node.content.slice() : node.copy()]);
  return new Map(all);
}

/** Writes a backup over what is there, into the same files; or as new ones, into a folder of another name. */
export function restore(
  volume: Volume,
  backup: Backup,
  moved: { from: string; to: string } | null,
  wallMs: number,
): void {
  volume.clear();
  for (const [from, content] of backup) {
    const path = moved ? from.replace(moved.from, moved.to) : from;
    if (content instanceof Uint8Array) {
      volume.put(path, content, wallMs);
      continue;
    }
    const file = volume.putDatabase(path, content.image, moved ? undefined : content.born);
    file.checkpointed = content.checkpointed;
    file.logBytes = content.logBytes;
  }
}
