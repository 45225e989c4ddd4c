/** Loads the program with a mutant's rules broken (mutant.ts): the source text is changed while it is loaded, so the program has no switch for any of them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { plugin } from "bun";
import { markedAs, rulesIn } from "./marked.ts";
import type { Break, Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";

const src = join(import.meta.dir, "../../src");

/** All source texts of the program, by path. */
export function sources(): Map<string, string> {
  const paths = [...new Bun.Glob("**/*.ts").scanSync(src)].map((path) => join(src, path));
  return new Map(paths.map((path) => [path, readFileSync(path, "utf8")]));
}

/** To be called before any file of the program is imported. Throws when there is no such mutant, or a rule of it is not marked. */
export function mutate(name: string): void {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (!mutant) throw new Error(`there is no mutant ${name}`);
  const texts = mutated(mutant, sources());
  void plugin({
    name: `mutant ${name}`,
    setup(build) {
      for (const [path, contents] of texts) {
        const filter = new RegExp(`${path.replaceAll(/[/.]/g, "\\$&")}$`);
        build.onLoad({ filter }, () => ({ contents, loader: "ts" }));
      }
    },
  });
}

/** The texts that differ in a mutant, by path. */
export function mutated({ breaks }: Mutant, texts: ReadonlyMap<string, string>) {
  const changed = new Map<string, string>();
  for (const [rule, how] of Object.entries(breaks)) {
    const path = pathOf(rule, texts);
    changed.set(path, broken(changed.get(path) ?? texts.get(path) ?? "", rule, how));
  }
  return changed;
}

/** The file in which a rule is marked. Throws where that is not one. */
export function pathOf(rule: string, texts: ReadonlyMap<string, string>): string {
  const paths = [...texts].flatMap(([path, code]) => (rulesIn(code).includes(rule) ? [path] : []));
  const [path, another] = paths;
  if (path === undefined) throw new Error(`no file of src has the marker "rule: ${rule}"`);
  if (another !== undefined) throw new Error(`${rule} is marked in ${path} and in ${another}`);
  return path;
}

/** The code with one rule broken. */
export function broken(code: string, rule: string, how: Break): string {
  const { is, whole, value } = markedAs(code, rule);
  const put = ({ start, end }: typeof whole, text: string): string =>
    code.slice(0, start) + text + code.slice(end);
  if (how === "skip") return put(whole, is === "statement" ? ";" : "");
  if (!value) throw new Error(`what follows the rule ${rule} has no value`);
  const was = code.slice(value.start, value.end);
  const text = how === "never" ? "false" : how === "always" ? "true" : how(`(${was})`);
  if (text === `(${was})`) throw new Error(`nothing of the rule ${rule} is broken`);
  return put(value, `(${text})`);
}
