/** What follows the marker of a rule is found whatever it looks like, and is broken as a mutant says. */
import { describe, expect, test } from "bun:test";
import { markedAs, rulesIn } from "./marked.ts";
import type { Break } from "./mutant.ts";
import { broken } from "./mutate.ts";

const R = "// rule: r\n";

/** The value and the whole of what follows the marker. */
function partsOf(code: string) {
  const { whole, value } = markedAs(code, "r");
  return [value && code.slice(value.start, value.end), code.slice(whole.start, whole.end)];
}

describe("a statement", () => {
  test.each([
    // code, value, whole
    [`a();\n${R}b(c, d); e();`, "b(c, d)", "b(c, d);"],
    [`${R}await b();`, "await b()", "await b();"],
    [`${R}return a && b ? c : d; }`, "a && b ? c : d", "return a && b ? c : d;"],
    [`if (x)\n${R}return y;\nz();`, "y", "return y;"],
    [`if (x) y(); else\n${R}z();`, "z()", "z();"],
    [`{ ${R}return; }`, null, "return;"],
    [`{ ${R}b(c) }`, "b(c)", "b(c)"],
    [`${R}throw new A(b);`, "new A(b)", "throw new A(b);"],
    [`${R}const a: B<C> = b.c ?? [];`, "b.c ?? []", "const a: B<C> = b.c ?? [];"],
    [`${R}export const A = 16;`, "16", "export const A = 16;"],
    [`${R}let a;`, null, "let a;"],
    [`${R}this.#a = b === c;`, "b === c", "this.#a = b === c;"],
    [`${R}const f = (a = 1) => {\n return ";"; };`, '(a = 1) => {\n return ";"; }', null],
    [`${R}a.each((b = 1) => b);`, "a.each((b = 1) => b)", null],
    [`${R}if (a && (b || c)) d();\ne();`, "a && (b || c)", "if (a && (b || c)) d();"],
    [`${R}if (a) { d(); }\ne();`, "a", "if (a) { d(); }"],
    [`${R}if (a) { d(); } else if (b) c(); else { f(); }\ne();`, "a", null],
    [`${R}if (a)\n  if (b) c();\n  else d();\ne();`, "a", "if (a)\n  if (b) c();\n  else d();"],
    [`${R}while (a) b();`, "a", "while (a) b();"],
    [
      `${R}for (let i = 0; i < n; i++) { a(); }\nb();`,
      null,
      "for (let i = 0; i < n; i++) { a(); }",
    ],
    [`${R}for await (const a of b()) c(a); d();`, null, "for await (const a of b()) c(a);"],
    [`${R}{ a(); b(); } c();`, null, "{ a(); b(); }"],
  ])("%j", (code, value, whole) => {
    const all = code.slice(code.indexOf(R) + R.length);
    const rest = /\ne\(\);$/.exec(all) ? all.slice(0, -"\ne();".length) : all;
    expect(partsOf(code)).toEqual([value, whole ?? rest]);
  });
});

describe("a property", () => {
  test.each([
    [`f({ a,\n${R}b: c && d, e })`, "c && d", "b: c && d,"],
    [`f({\n${R}b: [c, d], e })`, "[c, d]", "b: [c, d],"],
    [`f({ a, /* rule: r */ "b c": d })`, "d", '"b c": d'],
    [`f({ a,\n${R}b, c })`, null, "b,"],
    [`f({ a,\n${R}b })`, null, "b"],
  ])("%j", (code, value, whole) => {
    expect(partsOf(code)).toEqual([value, whole]);
  });
});

describe("an operand or an argument", () => {
  test.each([
    ["if (/* rule: r */ a > b && c) d();", "a > b"],
    ["if (c || /* rule: r */ !a(b, c)) d();", "!a(b, c)"],
    ["return c ?? /* rule: r */ a.b;", "a.b"],
    ["return /* rule: r */ a?.b === c ? d : e;", "a?.b === c"],
    ["return a ? /* rule: r */ b : c;", "b"],
    ['return a ? b : /* rule: r */ { is: "c" };', '{ is: "c" }'],
    ["return /* rule: r */ (a && b) || c;", "(a && b)"],
    ["return a >= /* rule: r */ Math.min(b, c);", "Math.min(b, c)"],
    [`const f = (a: A): boolean =>\n${R}a > b && c;`, "a > b"],
    ["f((a) => /* rule: r */ b(a) ? c : d)", "b(a)"],
  ])("%j", (code, value) => {
    expect(partsOf(code)).toEqual([value, value]);
  });

  test.each([
    ["f(/* rule: r */ true, () => {})", "true", "true,"],
    ["f(a, /* rule: r */ true, b)", "true", "true,"],
    ["f(a, /* rule: r */ b ? c : d)", "b", "b"],
    ["f(a, /* rule: r */ b)", "b", "b"],
    [`f(\n a,\n // rule: r. It says why.\n b,\n)`, "b", "b,"],
  ])("%j", (code, value, whole) => {
    expect(partsOf(code)).toEqual([value, whole]);
  });
});

test.each([
  ["in a string", `${R}a("; } )", '\\'; }'); b();`, `a("; } )", '\\'; }');`],
  ["in a template", `${R}a(\`; } \${b ? "}" : \`\${c};\`} )\`); d();`, null],
  ["in a comment", `${R}a(b /* ; ) */, // ; }\n c); d();`, "a(b /* ; ) */, // ; }\n c);"],
  ["in a regular expression", `${R}a = b.c(/[;/)]\\/;}/g); d();`, "a = b.c(/[;/)]\\/;}/g);"],
  ["in a division", `${R}a = (b / c) / d[0] / 2; e / f;`, "a = (b / c) / d[0] / 2;"],
])("an end %s is none", (_, code, whole) => {
  const rest = code.slice(R.length, code.lastIndexOf(" d();"));
  expect(partsOf(code)[1]).toBe(whole ?? rest);
});

test("formatting, names and other comments do not matter", () => {
  const code = "/* rule: r */\n\n// Why.\n/* And how. */ if\n(\n  a\n    && b)\n{\n  c()\n}\nd();";
  expect(partsOf(code)).toEqual(["a\n    && b", "if\n(\n  a\n    && b)\n{\n  c()\n}"]);
});

test("only a comment that begins so is a marker", () => {
  const code = `// A rule: a\n"// rule: b"; /* rule: c-2. Why. */ x; /** rule: d */ y; // rule: e\nz;`;
  expect(rulesIn(code)).toEqual(["c-2", "d", "e"]);
});

test.each([
  ["rule r is not marked", "a();"],
  ["rule r is not marked exactly once", `${R}a();\n${R}b();`],
  ["before function", `${R}function f() {}`],
  ["nothing follows", `{ a(); ${R}}`],
  ["nothing follows", R],
  ["a bracket is not closed", `${R}f(`],
  ["a string has no end", `${R}"`],
  ["a template has no end", `${R}\`\${a}`],
])("throws: %s", (why, code) => {
  expect(() => markedAs(code, "r")).toThrow(why.replace("rule r", "the rule r"));
});

test.each<[string, Break, string]>([
  ["if (/* rule: r */ a && b) c();", "never", "if (/* rule: r */ (false) && b) c();"],
  [`${R}if (a) b();`, "always", `${R}if ((true)) b();`],
  [`if (x)\n${R}a();\nelse b();`, "skip", `if (x)\n${R};\nelse b();`],
  ["f({ a, /* rule: r */ b: c, d })", "skip", "f({ a, /* rule: r */  d })"],
  ["f(a, /* rule: r */ b)", () => "d", "f(a, /* rule: r */ (d))"],
  [`${R}return a ?? b;`, (was) => `c || ${was}`, `${R}return (c || (a ?? b));`],
])("%j broken: %s", (code, how, becomes) => {
  expect(broken(code, "r", how)).toBe(becomes);
});

test("what cannot be broken so is said", () => {
  expect(() => broken(`${R}return;`, "r", "never")).toThrow("has no value");
  expect(() => broken(`${R}a();`, "r", (was) => was)).toThrow("nothing of the rule r is broken");
});
