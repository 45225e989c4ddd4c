/** Folders that a command makes for itself. */
import { rmSync } from "node:fs";

/** Removes one with all in it; should that fail, neither the result of the command nor its own error may be lost for it. */
export function clearAway(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // As the docstring says.
  }
}
