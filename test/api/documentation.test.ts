/** The examples of docs/api.md are one program. It runs against real servers, and prints what the page says. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const page = readFileSync(join(root, "docs/api.md"), "utf8");
const program = [...page.matchAll(/^```ts\n([^]*?)^```/gm)].map(([, code]) => code).join("");

let stage: Stage;
let folder: string;
beforeAll(async () => {
  stage = await Stage.open(4);
  // A package finds itself by its own name only from within.
  mkdirSync(join(root, "dist"), { recursive: true });
  folder = mkdtempSync(join(root, "dist/examples-"));
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await stage.close();
});

test("the examples print what the page says", async () => {
  const path = join(folder, "examples.ts");
  writeFileSync(path, program);
  const child = Bun.spawn([process.execPath, path], {
    env: { PATH: process.env.PATH ?? "", HOME: folder, DFS_CONFIG: stage.config },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  const expected = [...program.matchAll(/\/\/ prints: (.*)$/gm)].map(([, line = ""]) => line);
  expect(expected.length).toBeGreaterThan(0);
  expect({ printed: printedAs(out), err, status: await child.exited }).toEqual({
    printed: expected,
    err: "",
    status: 0,
  });
});

/** Lines as printed; an object that has few fields is on one line. */
const printedAs = (out: string): string[] =>
  out
    .trimEnd()
    .replace(/\{\n\s+(.*),\n\}/g, "{ $1 }")
    .split("\n");
