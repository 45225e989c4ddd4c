/** The markers of rules in src and the mutants that break them fit each other. */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { rulesIn } from "./marked.ts";
import { MUTANTS } from "./mutants.ts";
import { broken, mutated, pathOf, sources } from "./mutate.ts";

const root = join(import.meta.dir, "../..");
const texts = sources();

test("each rule is marked once", () => {
  const marked = [...texts.values()].flatMap(rulesIn);
  expect(marked.filter((rule, i) => marked.indexOf(rule) !== i)).toEqual([]);
});

test("each rule that is marked is broken by a mutant, and each that is broken is marked", () => {
  const marked = [...texts.values()].flatMap(rulesIn);
  const used = new Set(MUTANTS.flatMap(({ breaks }) => Object.keys(breaks)));
  expect([...used].sort()).toEqual(marked.sort());
});

test("the names of mutants are different", () => {
  expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
});

test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
  "%s differs from the program, and can be read",
  (_, mutant) => {
    const transpiler = new Bun.Transpiler({ loader: "ts" });
    for (const [path, text] of mutated(mutant, texts))
      expect(transpiler.transformSync(text)).not.toBe(transpiler.transformSync(texts.get(path)!));
  },
);

/** Copies the program, with all rules broken for which mutants have a text of their own. */
function writeBroken(folder: string): void {
  const all = new Map(texts);
  for (const { breaks } of MUTANTS)
    for (const [rule, how] of Object.entries(breaks)) {
      if (typeof how !== "function") continue;
      const path = pathOf(rule, all);
      all.set(path, broken(all.get(path) ?? "", rule, how));
    }
  for (const [path, code] of all) {
    const copy = join(folder, relative(root, path));
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, code);
  }
  for (const name of ["package.json", "tsconfig.json"])
    copyFileSync(join(root, name), join(folder, name));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
}

// Else a mutant with a name that is not there any more would be caught, but for nothing.
test("the texts of mutants fit the types of the program", () => {
  const folder = mkdtempSync(join(tmpdir(), "dfs-tool-rules-"));
  try {
    writeBroken(folder);
    const may = ["--noUnusedLocals", "false", "--noUnusedParameters", "false"];
    const check = Bun.spawnSync([process.execPath, "check", "src", ...may], { cwd: folder });
    expect([check.exitCode, check.stdout.toString()]).toEqual([0, expect.any(String)]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
