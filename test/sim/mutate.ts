/** Loads the program with a mutant's edits; to be called before any of its files is imported. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { plugin } from "bun";
import { MUTANTS } from "./mutants.ts";

const root = join(import.meta.dir, "../..");

/** Throws when there is no such mutant, or an edit does not fit the source any more. */
export function mutate(name: string): void {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (!mutant) throw new Error(`there is no mutant ${name}`);
  const sources = new Map<string, string>();
  for (const { file, find, replace } of mutant.edits) {
    const path = join(root, file);
    const source = sources.get(path) ?? readFileSync(path, "utf8");
    if (source.split(find).length !== 2)
      throw new Error(`mutant ${name}: ${file} does not contain exactly once: ${find}`);
    sources.set(
      path,
      source.replace(find, () => replace),
    );
  }
  void plugin({
    name: `mutant ${name}`,
    setup(build) {
      for (const [path, contents] of sources) {
        const filter = new RegExp(`${path.replaceAll(/[/.]/g, "\\$&")}$`);
        build.onLoad({ filter }, () => ({ contents, loader: "ts" }));
      }
    },
  });
}
