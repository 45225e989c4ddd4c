/** dfs-tool shell: LIST, GET, PUT and MKDIR at a prompt, or a line each from a pipe. */
import { createInterface, type Interface } from "node:readline";
import { type CommandDef, defineCommand } from "citty";
import { DfsError, exitStatus } from "../errors.ts";
import { hint } from "./arguments.ts";
import { type CommonFlags, commonFlags } from "./flags.ts";
import { getCommand } from "./get.ts";
import { invoke, report } from "./invoke.ts";
import { listCommand } from "./list.ts";
import { loadConfiguration } from "./config.ts";
import { mkdirCommand } from "./mkdir.ts";
import { putCommand } from "./put.ts";
import { flush, print } from "./stdout.ts";

const HELP = `LIST [dir]            the names in the store, or below a folder
GET name [name...]    bring files back, into the current folder
PUT file [dir/]       store a file, in a folder of the store
MKDIR dir             make an empty folder in the store
HELP                  this text
EXIT                  end (also QUIT, or the end of the input)
Names with spaces go in quotes: GET "my file.txt"`;

export const shellCommand = defineCommand({
  meta: { description: "Type LIST, GET, PUT and MKDIR at a prompt" },
  args: commonFlags,
  async run({ args }) {
    // What is wrong with it is better said now than at each command.
    loadConfiguration(args.config);
    const statuses: number[] = [];
    const isPrompting = process.stdin.isTTY;
    const input = createInterface({
      input: process.stdin,
      ...(isPrompting && { output: process.stdout, terminal: true, prompt: "dfs> " }),
    });
    input.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
    await forEachLine(input, isPrompting, async (line) => {
      const status = await runLine(line, flagsAgain(args));
      if (status !== "end") statuses.push(status);
      return status !== "end";
    });
    return isPrompting ? 0 : statusOfAll(statuses);
  },
});

/** Lines that come while one is at work wait for their turn. */
async function forEachLine(
  input: Interface,
  isPrompting: boolean,
  work: (line: string) => Promise<boolean>,
): Promise<void> {
  const lines: string[] = [];
  let isClosed = false;
  let wake = (): void => {};
  input.on("line", (line) => {
    lines.push(line);
    input.pause();
    wake();
  });
  input.on("close", () => {
    isClosed = true;
    wake();
  });
  for (;;) {
    const line = lines.shift();
    if (line !== undefined) {
      if (!(await work(line))) break;
    } else if (isClosed) {
      break;
    } else {
      if (isPrompting) input.prompt();
      input.resume();
      await new Promise<void>((resolve) => (wake = resolve));
    }
  }
  input.close();
}

/** Runs one line; returns its exit status, or "end". */
async function runLine(line: string, flags: string[]): Promise<number | "end"> {
  try {
    const [verb = "", ...rest] = wordsOf(line);
    switch (verb.toUpperCase()) {
      case "":
        return 0;
      case "EXIT":
      case "QUIT":
        return "end";
      case "HELP":
        await print(HELP);
        await flush();
        return 0;
      default: {
        const [command, args] = commandOf(verb, rest);
        return await invoke(command, "dfs-tool shell", [...flags, ...args]);
      }
    }
  } catch (error) {
    return report(error, null, false);
  }
}

/** The command line that a line of the shell stands for. */
function commandOf(verb: string, words: readonly string[]): [CommandDef, string[]] {
  const [first = "", second] = words;
  switch (verb.toUpperCase()) {
    case "LIST":
      checkCount("LIST [dir]", words, 0, 1);
      return [listCommand, ["--", ...(first === "" ? [] : [first.replace(/\/*$/, "/")])]];
    case "GET":
      checkCount("GET name [name...]", words, 1, Infinity);
      return [getCommand, ["--", ...words]];
    case "PUT":
      checkCount("PUT file [dir/]", words, 1, 2);
      return [putCommand, [...(second === undefined ? [] : [`--to=${second}`]), "--", first]];
    case "MKDIR":
      checkCount("MKDIR dir", words, 1, 1);
      return [mkdirCommand, ["--", first]];
    default: {
      const verbs = ["LIST", "GET", "PUT", "MKDIR", "HELP", "EXIT", "QUIT"];
      const near = hint(verb.toUpperCase(), verbs);
      throw new DfsError("usage", `${verb} is none of ${verbs.join(", ")}${near}`);
    }
  }
}

function checkCount(form: string, words: readonly string[], least: number, most: number): void {
  if (words.length < least || words.length > most)
    throw new DfsError("usage", `write it so: ${form}`);
}

/** The words of a line; quotes of either kind hold spaces together. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  const word = /\s*((?:"[^"]*"|'[^']*'|[^\s"'])+)|\s+$/y;
  while (word.lastIndex < line.length) {
    const match = word.exec(line);
    if (!match) throw new DfsError("usage", "a quote is not closed");
    const [, quoted] = match;
    if (quoted !== undefined) words.push(quoted.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
  }
  return words;
}

/** The flags of the shell, for each of its commands. */
function flagsAgain(flags: CommonFlags): string[] {
  return [
    ...(flags.config === undefined ? [] : [`--config=${flags.config}`]),
    ...(flags.json ? ["--json"] : []),
    ...(flags.quiet ? ["--quiet"] : []),
    ...(flags.verbose ? ["--verbose"] : []),
    ...(flags.progress === false ? ["--no-progress"] : []),
  ];
}

/** 0; what all failures have in common when nothing succeeded; else that a part failed. */
function statusOfAll(statuses: readonly number[]): number {
  const different = new Set(statuses);
  const [status] = different;
  if (status === undefined) return 0;
  return different.size === 1 ? status : exitStatus("partly");
}
