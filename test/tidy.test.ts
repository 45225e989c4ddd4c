/** The rules that the code keeps for itself (docs/design.md, section 3); each failure names file and line. */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PARTS, mayImport, roomOf } from "./rooms.ts";
import packageJson from "../package.json" with { type: "json" };

const root = join(import.meta.dir, "..");
/** What pure code may take from node:crypto: synchronous, and the same for the same input, as signatures of Ed25519 are. */
const CRYPTO = new Set([
  "createCipheriv",
  "createDecipheriv",
  "createHash",
  "createHmac",
  "createPrivateKey",
  "createPublicKey",
  "hkdfSync",
  "pbkdf2Sync",
  "sign",
  "timingSafeEqual",
  "verify",
]);

/** The ways to the machine, to the time and to chance that need no import. Bun.hash is pure. */
const MACHINE = new RegExp(
  [
    String.raw`\bBun\.(?!hash\b)\w+`,
    String.raw`(?<![.\w])(?:process|performance)\.\w+`,
    String.raw`(?<![.\w])(?:setTimeout|setInterval|setImmediate|globalThis)\b`,
    String.raw`\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b`,
    String.raw`\bcrypto\.(?:subtle|getRandomValues|randomUUID|randomBytes)\b`,
  ].join("|"),
  "g",
);

/** Who may write to a terminal or a log: all others do it through these, which let nothing pass that is more than text. */
const SPEAKERS = new Set(["src/terminal/stdout.ts", "src/terminal/log.ts", "src/main.ts"]);
/** Help texts and scripts, which have lines and colours of their own. */
const OWN_WORDS = new Set([
  "src/terminal/stdout.ts",
  "src/cli/invocation/invoke.ts",
  "src/cli/commands/shell.ts",
  "src/cli/commands/completion.ts",
  "src/main.ts",
]);
const SPEAKING = new RegExp(
  [
    String.raw`\bconsole\s*\.\s*\w+`,
    String.raw`\b(?:process|Bun)\s*\.\s*(?:stdout|stderr)\b(?!\s*\.\s*(?:isTTY|columns)\b)`,
    String.raw`\bwriteSync\s*\((?!\s*fd\b)`,
    String.raw`\bwrite(?:File|v)?Sync\s*\(\s*[12]\s*,`,
    String.raw`\bcreateWriteStream\b|/dev/(?:stdout|stderr|tty)\b`,
  ].join("|"),
  "g",
);

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)(["'])([^"'\n]+)\1/g;
const CRYPTO_IMPORT = /\bimport\s+(?:type\s+)?\{([^}]*)\}\s*from\s*["']node:crypto["']/g;

/** The code with its comments, and with `strings` also its quoted strings, blanked out; lines stay where they are. */
function blank(code: string, strings: boolean): string {
  const tokens =
    /\/\/[^\n]*|\/\*[^]*?\*\/|`(?:\\[^]|[^`\\])*`|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g;
  return code.replace(tokens, (token) =>
    token.startsWith("/") || (strings && !token.startsWith("`"))
      ? token.replace(/[^\n]/g, " ")
      : token,
  );
}

function* matches(code: string, pattern: RegExp): Generator<{ line: number; match: string[] }> {
  for (const match of code.matchAll(pattern)) {
    yield { line: code.slice(0, match.index).split("\n").length, match: [...match] };
  }
}

/** What is wrong in one file of src. */
function* wrongsInSource(path: string, code: string): Generator<string> {
  const quoted = blank(code, false);
  const bare = blank(code, true);
  if (path !== "src/main.ts") {
    for (const { line } of matches(bare, /\bprocess\s*\.\s*exit\b/g)) {
      yield `${path}:${line} calls process.exit; only src/main.ts may`;
    }
  }
  if (!SPEAKERS.has(path)) {
    for (const { line, match } of matches(bare, SPEAKING)) {
      yield `${path}:${line} writes past src/terminal/stdout.ts and log.ts: ${match[0]}`;
    }
  }
  if (!OWN_WORDS.has(path)) {
    for (const { line } of matches(bare, /\bprintOwn\s*\(/g)) {
      yield `${path}:${line} calls printOwn; it is for what has nothing of anybody else's in it`;
    }
  }
  const part = PARTS[roomOf(path) ?? ""];
  if (part === undefined) {
    yield `${path}:1 is in no part that test/tidy.test.ts knows`;
    return;
  }
  for (const { line, match } of matches(quoted, IMPORT)) {
    const specifier = match[2] ?? "";
    if (!mayImport(path, part, specifier)) yield `${path}:${line} may not import ${specifier}`;
  }
  if (part.modules === "any") return;
  const named = [...matches(quoted, CRYPTO_IMPORT)];
  for (const { line, match } of named) {
    for (const item of (match[1] ?? "").split(",")) {
      const name = item.trim().split(" ")[0] ?? "";
      if (name !== "" && !CRYPTO.has(name)) {
        yield `${path}:${line} may not take ${name} from node:crypto`;
      }
    }
  }
  const all = [...matches(quoted, IMPORT)].filter(({ match }) => match[2] === "node:crypto");
  if (all.length > named.length) {
    yield `${path}:${all[0]?.line} may import node:crypto only by name, as in import { createHash }`;
  }
  for (const { line, match } of matches(bare, MACHINE)) {
    yield `${path}:${line} may not touch the machine: ${match[0]}`;
  }
}

const BAD_NAMES = /^(?:utils?|helpers?|common|types|index)$/;
const MOST_LINES = 300;

function* wrongsInShape(path: string, code: string): Generator<string> {
  const lines = code.split("\n").length - (code.endsWith("\n") ? 1 : 0);
  if (lines > MOST_LINES) yield `${path}:${lines} is past the ${MOST_LINES} lines of a file`;
  for (const name of path.split("/").map((segment) => segment.replace(/\..*$/, ""))) {
    if (BAD_NAMES.test(name)) yield `${path}:1 "${name}" does not say what is in it`;
  }
}

/** The files below a folder, as paths from the root; a folder that is not there yet has none. */
function filesIn(folder: string): { path: string; code: string }[] {
  if (!existsSync(join(root, folder))) return [];
  const paths = [...new Bun.Glob("**/*").scanSync(join(root, folder))].sort();
  return paths
    .map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
    .filter((path) => !path.startsWith("test/vectors/") && !/\.(?:wasm|zst)$/.test(path))
    .map((path) => ({ path, code: readFileSync(join(root, path), "utf8") }));
}

const source = filesIn("src").filter(({ path }) => path.endsWith(".ts"));

test("each part of src imports and touches only what it may", () => {
  expect(source.flatMap(({ path, code }) => [...wrongsInSource(path, code)])).toEqual([]);
});

test("files are short, and are named for what is in them", () => {
  const files = ["src", "test", "model"].flatMap(filesIn);
  expect(files.flatMap(({ path, code }) => [...wrongsInShape(path, code)])).toEqual([]);
});

const MOST_FILES = 16;

test("a room of src has no more files than can be taken in at a glance", () => {
  const files = new Map<string, number>();
  for (const { path } of filesIn("src"))
    files.set(dirname(path), (files.get(dirname(path)) ?? 0) + 1);
  expect([...files].filter(([, count]) => count > MOST_FILES)).toEqual([]);
});

test("no imports of src go in a circle, types included", () => {
  const imports = new Map(
    source.map(({ path, code }) => [
      path,
      [...matches(blank(code, false), IMPORT)]
        .map(({ match }) => match[2] ?? "")
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => join(dirname(path), specifier)),
    ]),
  );
  // What is left when files that import nothing of the rest are taken away, again and again.
  for (let before = -1; before !== imports.size;) {
    before = imports.size;
    for (const [path, targets] of imports)
      if (!targets.some((target) => imports.has(target))) imports.delete(path);
  }
  expect([...imports.keys()]).toEqual([]);
});

test("no file has the marks of a merge that was not finished", () => {
  const documents = [...new Bun.Glob("*.{md,json,ts}").scanSync(root)].map((path) => ({
    path,
    code: readFileSync(join(root, path), "utf8"),
  }));
  const files = [...documents, ...["src", "test", "bench", "docs", "model"].flatMap(filesIn)];
  const marks = /^(?:<{7}|>{7}|\|{7}) /mu;
  expect(files.filter(({ code }) => marks.test(code)).map(({ path }) => path)).toEqual([]);
});

test("package.json pins exact versions", () => {
  const lines = readFileSync(join(root, "package.json"), "utf8").split("\n");
  const pins = { ...packageJson.dependencies, ...packageJson.devDependencies };
  const loose = Object.entries(pins)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
    .map(([name, version]) => {
      const line = lines.findIndex((text) => text.includes(`"${name}": "${version}"`)) + 1;
      return `package.json:${line} ${name} ${version} is not one exact version`;
    });
  expect(loose).toEqual([]);
});

test.each([
  ["src/client/files/put.ts", `import { a } from "../../server/serve.ts";`],
  ["src/server/serve.ts", `\nimport type { A } from "../client/files/put.ts";`],
  ["src/server/serve.ts", `import { a } from "../io/bun.ts";`],
  ["src/client/agree/decide.ts", `import type { A } from "../files/put.ts";`],
  ["src/store/pieces/room.ts", `import { a } from "../store.ts";`],
  ["src/cli/local/sink.ts", `import { a } from "../commands/get.ts";`],
  ["src/terminal/log.ts", `import { a } from "../api/config/config.ts";`],
  ["src/errors.ts", `import { a } from "./limits.ts";`],
  ["src/membership.ts", `import type { Vid } from "./version.ts";`],
  ["src/version.ts", `import { a } from "./membership.ts";`],
  ["src/store/store.ts", `import { a } from "../file/seal.ts";`],
  ["src/store/store.ts", `import { open } from "node:fs/promises";`],
  ["src/wire/frames.ts", `export { a } from "../file/split.ts";`],
  ["src/file/seal.ts", `import { randomBytes } from "node:crypto";`],
  ["src/file/seal.ts", `import * as crypto from "node:crypto";`],
  ["src/file/seal.ts", `const a = await import("citty");`],
  ["src/file/names.ts", `const a = Bun.file("a");`],
  ["src/client/connect/peer.ts", `/* the\nclock */ const a = \`\${Date.now()}\`;`],
  ["src/cli/commands/put.ts", `process.exit(1);`],
  ["src/io/bun.ts", `console.log(1);`],
  ["src/cli/commands/put.ts", `console.error(1);`],
  ["src/cli/commands/put.ts", `process.stdout.write("a");`],
  ["src/cli/commands/put.ts", `await Bun.write(Bun.stderr, "a");`],
  ["src/cli/commands/put.ts", `await printOwn(name);`],
  ["src/cli/admin/serve.ts", `writeSync(STDERR, "a");`],
  ["src/helpers/a.ts", ``],
])("the rules catch a breach in %s: %s", (path, code) => {
  expect([...wrongsInSource(path, code)]).toEqual([expect.stringContaining(`${path}:`)]);
});

test.each([
  ["src/version.ts", `import { decode } from "./bytes.ts";`],
  ["src/client/files/put.ts", `import { a } from "../agree/propose.ts";`],
  ["src/store/store.ts", `import { a } from "./pieces/room.ts";`],
  ["src/store/store.ts", `import { type Config } from "../membership.ts";`],
  ["src/store/store.ts", `import { Database } from "bun:sqlite";\nimport "../file/checksum.ts";`],
  ["src/file/seal.ts", `import { createHash } from "node:crypto";\nBun.hash.xxHash64("a");`],
  ["src/file/seal.ts", `// Date.now() and import("node:fs")\nconst a = "process.env";`],
  ["src/io/bun.ts", `import { open } from "node:fs/promises";\nsetTimeout(open, Date.now());`],
  ["src/cli/commands/put.ts", `const wide = process.stderr.isTTY && process.stderr.columns;`],
])("the rules let pass %s: %s", (path, code) => {
  expect([...wrongsInSource(path, code)]).toEqual([]);
});
