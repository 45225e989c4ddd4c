/** The files that a benchmark puts. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KIB } from "../src/limits.ts";
import { newFolder } from "../test/harness/program.ts";
import { noiseOf } from "./client.ts";

export interface Inputs {
  /** The folder of `big` and of the folders `small` and `tiny`. */
  readonly files: string;
  /** Of the large file. */
  readonly bytes: number;
  readonly small: readonly string[];
  readonly tiny: readonly string[];
}

/** A file of so many bytes, 1,000 of 4 KiB, 10,000 of 1 KiB: all noise. */
export function writeInputs(bytes: number): Inputs {
  const files = newFolder();
  const noise = noiseOf(Math.max(bytes, KIB * KIB));
  writeFileSync(join(files, "big"), noise.subarray(0, bytes));
  const fill = (folder: string, count: number, each: number): string[] => {
    mkdirSync(join(files, folder));
    const names = Array.from({ length: count }, (_, i) => `${folder}${i}`);
    for (const [i, name] of names.entries())
      writeFileSync(join(files, folder, name), noise.subarray(i * 16, i * 16 + each));
    return names;
  };
  return { files, bytes, small: fill("small", 1000, 4 * KIB), tiny: fill("tiny", 10_000, KIB) };
}
