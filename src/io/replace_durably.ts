/**
 * A file that takes the place of another one: whatever happens meanwhile, there is the old one or
 * all of the new one. Used for format.json (store/recover), tls.pem (server/process/certificate),
 * files of users and dfc.conf (server/users/edit_users).
 */
import { DfsError, isDfsError } from "../errors.ts";
import type { Disk } from "./ports.ts";

/** What it takes of a disk: `open` makes the new file, with the rights that it shall have. */
export type ReplacingDisk = Pick<Disk, "open" | "rename" | "remove" | "syncFolder">;

/**
 * Replaces or makes the file at `path`, which lies in `folder`; it is durable then. Errors of the
 * disk name `path`.
 */
export async function replaceDurably(
  disk: ReplacingDisk,
  folder: string,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = `${path}.new`;
  try {
    // One that a crash has left may have other rights.
    await disk.remove(temporary);
    const file = await disk.open(temporary, "create");
    try {
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(temporary, path);
    await disk.syncFolder(folder);
  } catch (error) {
    await disk.remove(temporary).catch(() => {});
    if (!isDfsError(error)) throw error;
    throw new DfsError(error.code, error.message.replace(temporary, path));
  }
}
