/** Disks of any size for the servers of a test: each a file system of its own, in memory. Only root may make one. */
import { mkdirSync } from "node:fs";
import { newFolder } from "../harness/program.ts";

const mounted = new Set<string>();
process.on("exit", unmountDisks);

/** Makes an empty folder a disk of so many MiB; false where that is not allowed here. */
export function mountDisk(folder: string, mib: number): boolean {
  mkdirSync(folder, { recursive: true });
  const { success } = Bun.spawnSync([
    "mount",
    "-t",
    "tmpfs",
    "-o",
    `size=${mib}m`,
    "tmpfs",
    folder,
  ]);
  if (success) mounted.add(folder);
  return success;
}

/** Takes all of them away, with what is on them. */
export function unmountDisks(): void {
  for (const folder of mounted) Bun.spawnSync(["umount", "-l", folder]);
  mounted.clear();
}

/** May such disks be made here? */
export function canMount(): boolean {
  const mayTry = process.platform === "linux" && Bun.which("mount") !== null;
  const can = mayTry && mountDisk(newFolder(), 1);
  unmountDisks();
  return can;
}
