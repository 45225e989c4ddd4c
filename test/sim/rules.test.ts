/** The markers of rules in src and the mutants that break them fit each other. */
import { expect, test } from "bun:test";
import { rulesIn } from "./marked.ts";
import { MUTANTS } from "./mutants.ts";
import { mutated, pathOf, sources } from "./mutate.ts";
import { tokensOf } from "./tokens.ts";

const texts = sources();
const broken = MUTANTS.flatMap(({ breaks }) => Object.keys(breaks));

test("each rule is marked once", () => {
  const marked = [...texts.values()].flatMap(rulesIn);
  expect(marked.filter((rule, i) => marked.indexOf(rule) !== i)).toEqual([]);
});

test("each rule that is marked is broken by a mutant, and each that is broken is marked", () => {
  const marked = [...texts.values()].flatMap(rulesIn);
  expect([...new Set(broken)].sort()).toEqual(marked.sort());
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

const KEYWORDS = ["new", "null", "true", "false", "this", "undefined"];

/** The words of a text that a file, or what comes after a dot all files, do not have. */
function unknownIn(text: string, file: string): string[] {
  const wordsOf = (code: string) => tokensOf(code).filter(({ kind }) => kind === "word");
  const here = new Set(wordsOf(file).map((word) => word.text));
  const tokens = tokensOf(text);
  // A parameter of its own.
  const isOwn = (name: string) =>
    tokens.some(
      (token, i) => token.text === name && /^(?:=>|\)|\})$/.test(tokens[i + 1]?.text ?? ""),
    );
  return tokens.flatMap(({ kind, text: name }, i) => {
    const isKnown =
      kind !== "word" ||
      /^\d/.test(name) ||
      KEYWORDS.includes(name) ||
      here.has(name) ||
      name in globalThis;
    if (isKnown) return [];
    if (tokens[i - 1]?.text !== ".") return isOwn(name) ? [] : [name];
    return name in Bun || [...texts.values()].some((code) => code.includes(name)) ? [] : [name];
  });
}

test("the text of a mutant has no name that its file does not have", () => {
  for (const { breaks } of MUTANTS)
    for (const [rule, how] of Object.entries(breaks))
      if (typeof how === "function")
        expect([rule, unknownIn(how(""), texts.get(pathOf(rule, texts)) ?? "")]).toEqual([
          rule,
          [],
        ]);
});
