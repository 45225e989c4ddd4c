/**
 * A lock that ends with its process: an empty SQLite database, to which nothing is written. The
 * file of the lock stays: if somebody removed it, two processes could each hold a lock of their
 * own. Used by edit_users.ts.
 */
import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";

const OWNER_ONLY = 0o600;

/**
 * Takes the lock, if it is free within `ms`. Returns the function that releases it, or null if
 * another process holds it. Throws errors of the system.
 */
export async function lockFile(
  path: string,
  ms: number,
  pollMs: number,
): Promise<(() => void) | null> {
  make(path);
  const until = performance.now() + ms;
  for (;;) {
    const database = new Database(path, { create: true });
    try {
      database.run("BEGIN EXCLUSIVE");
      return () => database.close();
    } catch (error) {
      database.close();
      if ((error as { code?: string }).code !== "SQLITE_BUSY") throw error;
    }
    if (performance.now() > until) return null;
    await Bun.sleep(pollMs);
  }
}

/**
 * Makes the file of the lock. SQLite would make it with the rights of the umask, and with less
 * clear errors. A file that is there is not opened: to close it would end the locks that this
 * process holds on it.
 */
function make(path: string): void {
  try {
    closeSync(openSync(path, "wx", OWNER_ONLY));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
