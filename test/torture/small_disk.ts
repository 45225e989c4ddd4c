/** Disks that are quickly full. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Impossible, type Stage } from "./stage.ts";

/** A small disk of its own, with so many inodes (0: as many as it likes); throws Impossible where none can be had. */
export function mountDisk(stage: Stage, slot: number, mib: number, inodes = 0): string {
  const path = join(stage.folder, `disk${slot + 1}`);
  mkdirSync(path);
  const options = `size=${mib}m${inodes > 0 ? `,nr_inodes=${inodes}` : ""}`;
  const mounted = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path]);
  if (!mounted.success)
    throw new Impossible(`a small disk cannot be mounted: ${mounted.stderr.toString().trim()}`);
  stage.undo(() => void Bun.spawnSync(["umount", "-l", path]));
  return path;
}
