/** How many files and connections this process may have open. Used by `serve`. */
import { readFileSync } from "node:fs";
import { DESCRIPTORS_DEFAULT } from "../limits.ts";

/**
 * The limit of the system; Bun has raised it as far as possible. If the system does not tell it, a
 * safe number.
 */
export function descriptorsMax(): number {
  try {
    const limits = readFileSync("/proc/self/limits", "utf8");
    const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(limits) ?? [];
    if (soft === "unlimited") return Number.MAX_SAFE_INTEGER;
    return Number(soft ?? DESCRIPTORS_DEFAULT);
  } catch {
    return DESCRIPTORS_DEFAULT;
  }
}
