/** What the documents promise each other: links lead somewhere, the README is short, and each exit status is told. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { COMMANDS } from "../src/cli/command_table.ts";

const root = join(import.meta.dir, "..");
const README_LINES = 150;
const PLACES = ["*.md", ...["docs", "src", "bench", "model"].map((folder) => `${folder}/**/*.md`)];

const documents = PLACES.flatMap((place) => [...new Bun.Glob(place).scanSync(root)]).sort();
const textOf = (path: string): string => readFileSync(join(root, path), "utf8");

/** The text without its blocks of code, in which brackets are no links; lines stay where they are. */
const proseOf = (text: string): string =>
  text.replace(/^ {0,3}```[^]*?^ {0,3}```/gm, (block) => block.replace(/[^\n]/g, ""));

/** What a heading is called in a link: as GitHub makes it. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
    .replaceAll(" ", "-");

function anchorsIn(text: string): Set<string> {
  const all = new Set<string>();
  for (const [, heading = ""] of proseOf(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const anchor = anchorOf(heading);
    let name = anchor;
    for (let n = 1; all.has(name); n++) name = `${anchor}-${n}`;
    all.add(name);
  }
  return all;
}

/** The links of a document that lead nowhere, each with its line. */
function* deadLinks(path: string, text: string): Generator<string> {
  const prose = proseOf(text).replace(/`[^`\n]*`/g, (code) => " ".repeat(code.length));
  for (const match of prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)/gm)) {
    const link = match[1] ?? match[2] ?? "";
    if (/^[a-z]+:/i.test(link)) continue;
    const line = prose.slice(0, match.index).split("\n").length;
    const [file = "", anchor] = link.split("#");
    const target = file === "" ? path : normalize(join(dirname(path), decodeURIComponent(file)));
    if (target.startsWith("..") || !existsSync(join(root, target))) {
      yield `${path}:${line} ${link}: there is no ${target}`;
    } else if (anchor !== undefined && !isHeading(target, anchor)) {
      yield `${path}:${line} ${link}: ${target} has no such heading`;
    }
  }
}

const isHeading = (target: string, anchor: string): boolean =>
  statSync(join(root, target)).isFile() && anchorsIn(textOf(target)).has(anchor);

test("every link of a document leads to a file, and to a heading of it", () => {
  expect(documents.flatMap((path) => [...deadLinks(path, textOf(path))])).toEqual([]);
});

test("the README is read in three minutes", () => {
  expect(textOf("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(README_LINES);
});

test("every document is found from the README, at most over one other", () => {
  const linksOf = (path: string): string[] =>
    [...proseOf(textOf(path)).matchAll(/\]\(([^)#\s]+)/g)].map(([, link = ""]) =>
      normalize(join(dirname(path), link)),
    );
  const near = ["README.md", ...linksOf("README.md")].filter((path) => documents.includes(path));
  const found = new Set([...near, ...near.flatMap(linksOf)]);
  expect(documents.filter((path) => !found.has(path))).toEqual([]);
});

test("docs/commands.md tells every command, and every exit status of the errors", () => {
  const text = textOf("docs/commands.md");
  const titles = [...text.matchAll(/^## (.+)$/gm)].flatMap(([, title = ""]) => title.split(", "));
  expect(Object.keys(COMMANDS).filter((name) => !titles.includes(name))).toEqual([]);

  const told = new Set([...text.matchAll(/^\| (\d+) \|/gm)].map(([, status]) => Number(status)));
  const thrown = [...textOf("src/errors.ts").matchAll(/\bexit: (\d+)/g)].map(([, n]) => Number(n));
  expect(thrown.length).toBeGreaterThan(0);
  expect(thrown.filter((status) => !told.has(status))).toEqual([]);
});

test.each([
  ["[a](nothing.md)", "docs/x.md:1 nothing.md: there is no docs/nothing.md"],
  ["one\n[a](../README.md#nothing)", "docs/x.md:2 ../README.md#nothing: README.md has no"],
  ["[a](../../elsewhere.md)", "docs/x.md:1 ../../elsewhere.md: there is no ../elsewhere.md"],
  ["[a]: nothing.md", "docs/x.md:1 nothing.md: there is no docs/nothing.md"],
])("a dead link is found in %p", (text, expected) => {
  expect([...deadLinks("docs/x.md", text)]).toEqual([expect.stringContaining(expected)]);
});

test.each([
  "[a](../README.md), [b](../src/file/README.md), [c](https://example.org/nothing.md)",
  "[a](../README.md#how-it-compares)",
  "```\n[a](nothing.md)\n```\n`[b](nothing.md)`",
])("what leads somewhere, or is no link, is let pass: %p", (text) => {
  expect([...deadLinks("docs/x.md", text)]).toEqual([]);
});
