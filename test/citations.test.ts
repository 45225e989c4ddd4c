/** No file cites a document, or a part of the model, that is not there; each failure names file and line. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "..");
const FILES = ["*.md", "{src,test,bench,model,docs}/**/*.{ts,md}"];

/** What is elsewhere in the world has an address, and what is a pattern a star. */
const CITATION = /(?<![\w/*.:-])(?:[\w.-]+\/)*(?:[\w-]+\.md|model\/[\w-]+\.ts)\b/g;
/** These have examples of citations, or the documents of other times. */
const CITES_FREELY = new Set(["test/citations.test.ts", "test/documents.test.ts", "CHANGELOG.md"]);

/** The documents that a file cites and that are not where it says, from its folder or from the root. */
function* wrongsIn(path: string, text: string): Generator<string> {
  for (const match of text.matchAll(CITATION)) {
    const [cited] = match;
    const line = text.slice(0, match.index).split("\n").length;
    const isThere = [dirname(path), "."].some((from) => existsSync(join(root, from, cited)));
    if (!isThere) yield `${path}:${line} cites ${cited}, which is not there`;
  }
}

test("each document that is cited is there", () => {
  const paths = FILES.flatMap((files) => [...new Bun.Glob(files).scanSync(root)]).sort();
  const wrongs = paths
    .filter((path) => !CITES_FREELY.has(path))
    .flatMap((path) => [...wrongsIn(path, readFileSync(join(root, path), "utf8"))]);
  expect(wrongs).toEqual([]);
});

test.each([
  ["src/client/put.ts", "/** As docs/nothing.md has it. */"],
  ["src/wire/README.md", "see `../file/NOTHING.md`, section 3"],
  ["docs/design.md", "the model is `model/nothing.ts`"],
])("in %s a citation of what is not there is found: %s", (path, text) => {
  expect([...wrongsIn(path, text)]).toEqual([expect.stringContaining(`${path}:1`)]);
});

test.each([
  ["src/client/put.ts", "/** README.md of the root, docs/design.md, src/README.md. */"],
  ["src/wire/README.md", "`README.md`, [that](../file/README.md), `*.md`, https://a.example/b.md"],
])("in %s citations of what is there pass: %s", (path, text) => {
  expect([...wrongsIn(path, text)]).toEqual([]);
});
