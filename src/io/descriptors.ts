/** How many files and connections this process may have open. */
import { readFileSync } from "node:fs";
import { DESCRIPTORS_DEFAULT } from "../limits.ts";

/** As the system says; Bun has raised it as far as it may. Where no system says it, what is safe. */
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
