/**
 * A lock that the system ends with its process: an SQLite database of no bytes, which nobody writes. Its file stays: who removed it could
 * leave two processes each with a lock of its own.
 */
import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";

const OWNER_ONLY = 0o600;

/** Takes the lock, if it can be had within `ms`; returns what lets it go, null where somebody else has it. Throws what the system does. */
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
 * SQLite would make it with the rights of the umask, and says less of why it cannot. One that is there is not opened: to close it would
 * end the locks that this process has on it.
 */
function make(path: string): void {
  try {
    closeSync(openSync(path, "wx", OWNER_ONLY));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
