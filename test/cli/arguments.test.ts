import { afterAll, describe, expect, test } from "bun:test";
import type { ArgsDef } from "citty";
import { checkArguments, hint } from "../../src/cli/invocation/arguments.ts";
import { removeFolders, run } from "../harness/program.ts";

afterAll(removeFolders);

const DEFS = {
  "file...": { type: "positional", required: true },
  to: { type: "string" },
  output: { type: "string", alias: "o" },
  quiet: { type: "boolean", alias: "q" },
  verbose: { type: "boolean", alias: "v" },
  progress: { type: "boolean", default: true },
} as const satisfies ArgsDef;

describe("arguments", () => {
  test.each([
    [
      ["a", "b"],
      ["--", "a", "b"],
    ],
    [
      ["a", "-q", "--to", "d"],
      ["--quiet", "--to=d", "--", "a"],
    ],
    [
      ["--to=d=e", "a"],
      ["--to=d=e", "--", "a"],
    ],
    [
      ["--to=-x", "a"],
      ["--to=-x", "--", "a"],
    ],
    [
      ["-qv", "a"],
      ["--quiet", "--verbose", "--", "a"],
    ],
    [
      ["-o", "-", "a"],
      ["--output=-", "--", "a"],
    ],
    [
      ["-ofile", "a"],
      ["--output=file", "--", "a"],
    ],
    [
      ["-qo=file", "a"],
      ["--quiet", "--output=file", "--", "a"],
    ],
    [
      ["--no-progress", "-"],
      ["--no-progress", "--", "-"],
    ],
    [
      ["--", "-q", "--", "a"],
      ["--", "-q", "--", "a"],
    ],
  ])("%j are read as %j", (given, read) => {
    expect(checkArguments(given, DEFS)).toEqual(read);
  });

  test.each([
    [["--tto", "x", "a"], "there is no flag --tto; did you mean to?"],
    [["--file", "x"], "there is no flag --file"],
    [["--no-to", "a"], "there is no flag --no-to"],
    [["-x", "a"], "there is no flag -x"],
    [["-qx", "a"], "there is no flag -x"],
    [["a", "--to"], "--to needs a value"],
    [["a", "--to", "-q"], "--to needs a value"],
    [["a", "--quiet=yes"], "--quiet takes no value"],
    [[], "FILE... is missing"],
    [["--constructor", "a"], "there is no flag --constructor"],
  ])("%j is refused: %s", (given, message) => {
    expect(() => checkArguments(given, DEFS)).toThrow(message);
  });

  test("too many are refused where there is a last one", () => {
    const defs = { dir: { type: "positional", required: true } } as const;
    expect(() => checkArguments(["a", "b"], defs)).toThrow('one argument too many: "b"');
  });

  test("a hint is for what is close only", () => {
    expect(hint("lsit", ["list", "get"])).toBe("; did you mean list?");
    expect(hint("frobnicate", ["list", "get"])).toBe("");
  });
});

describe("wrong usage is one line, a hint, and exit status 2", () => {
  test.each([
    [["put", "a", "--plcement", "name"], "there is no flag --plcement"],
    [["put"], "FILE... is missing"],
    [["put", "-"], "what comes from stdin needs a name"],
    [["put", "a", "-"], '"-" (stdin) must be put alone'],
    [["put", "a", "b", "--name", "c"], "--name is for a single file"],
    [["put", "x/a", "y/a"], "x/a and y/a would both be stored as a"],
    [["put", "a", "--to", "a\u0001"], '"a\\u0001/" cannot be a name: it has a control character'],
    [["put", "a", "--name", "."], '"." cannot be a name: it is reserved'],
    [["put", "a", "--name", ".dfs/b"], '".dfs/b" cannot be a new name: .dfs/ is reserved'],
    [["get"], "NAME... is missing"],
    [["get", "a", "b", "-o", "c"], "-o is for a single name"],
    [["get", "x/a", "y/a"], "x/a and y/a would both become the file a"],
    [["get", "a", "-o", "-", "--json"], "--json and -o - would both write to stdout"],
    [["get", "."], '"." cannot be a name'],
    [["get", "a/.."], '".." cannot be a file name here'],
    [["get", "a/"], "a/ is a folder; name the files in it"],
    [["list", "a", "b"], 'one argument too many: "b"'],
    [["stat", "."], '"." cannot be a name'],
    [["mkdir", ""], '"" cannot be a name'],
    [["serve", "d"], "PORT is missing"],
    [["serve", "d", "65536"], "PORT is a number from 0 to 65535"],
    [["serve", "d", "0", "--inline", "x"], "--inline is a number from 0 to"],
    [["serve", "d", "0", "--host", "0.0.0.0"], "allow it with --insecure"],
    [["completion", "tcsh"], "there is one for bash, zsh, fish"],
    [["lsit"], "there is no command lsit; did you mean list?"],
    [["constructor"], "there is no command constructor"],
    [["-v", "list"], "the command comes first"],
    [[], "say what to do"],
  ])("%j", async (args, message) => {
    const { status, out, err } = await run(args);
    const [line, tip, ...more] = err.trimEnd().split("\n");
    expect(line).toStartWith("dfs-tool: ");
    expect(line).toContain(message);
    expect(tip).toMatch(/^Try 'dfs-tool.* --help'\.$/);
    expect([status, out, more]).toEqual([2, "", []]);
  });
});
