/** Removes temporary folders of a command. Used by the demo and the benchmark. */
import { rmSync } from "node:fs";

/**
 * Removes a folder and everything in it. A failure is ignored: it must not hide the result of the
 * command, or its own error.
 */
export function removeTemporary(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Ignored: see above.
  }
}
