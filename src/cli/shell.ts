/** dfs-tool shell: LIST, GET, PUT and MKDIR at a prompt, or a line each from a pipe. */
import { defineCommand } from "citty";
import { DfsError, exitStatus } from "../errors.ts";
import { hint } from "./arguments.ts";
import { loadConfiguration } from "./config.ts";
import { type CommonFlags, commonFlags } from "./flags.ts";
import { getCommand } from "./get.ts";
import { invoke, report } from "./invoke.ts";
import { listCommand } from "./list.ts";
import { mkdirCommand } from "./mkdir.ts";
import { putCommand } from "./put.ts";
import { shellLines, wordsOf } from "./shell_lines.ts";
import { flush, goOnUnread, printOwn } from "./stdout.ts";

const HELP = `LIST [dir]            the names in the store, or those below a folder
GET name [name...]    bring files back, into the current folder
PUT file [dir/]       store a file, in a folder of the store
MKDIR dir             make an empty folder in the store
HELP                  this text
EXIT                  end; so do QUIT and the end of the input
Names with spaces go in quotes: GET "my file.txt"`;

const VERBS = ["LIST", "GET", "PUT", "MKDIR", "HELP", "EXIT", "QUIT"];

export const shellCommand = defineCommand({
  meta: { description: "Type LIST, GET, PUT and MKDIR at a prompt" },
  args: commonFlags,
  async run({ args }) {
    // What is wrong with it is better said now than at each command.
    loadConfiguration(args.config);
    goOnUnread();
    const flags = flagsAgain(args);
    const statuses = new Set<number>();
    for await (const line of shellLines("dfs> ")) {
      const status = await runLine(line, flags);
      if (status === "end") break;
      if (status !== null) statuses.add(status);
    }
    // At a terminal the user has seen what failed; a script has its exit status as several files have theirs.
    if (process.stdin.isTTY) return 0;
    const [status = 0] = statuses;
    return statuses.size > 1 ? exitStatus("partly") : status;
  },
});

/** Runs one line, with the cluster opened anew; returns its exit status, null when nothing was asked, or "end". */
async function runLine(line: string, flags: readonly string[]): Promise<number | null | "end"> {
  try {
    const [verb, ...words] = wordsOf(line);
    switch (verb?.toUpperCase()) {
      case undefined:
        return null;
      case "EXIT":
      case "QUIT":
        return "end";
      case "HELP":
        await printOwn(HELP);
        await flush();
        return null;
      default:
        return await runVerb(verb ?? "", words, flags);
    }
  } catch (error) {
    return report(error);
  }
}

/** Runs the command that a line stands for; throws DfsError("usage"). */
function runVerb(
  verb: string,
  words: readonly string[],
  flags: readonly string[],
): Promise<number> {
  const check = (form: string, least: number, most: number): void => {
    if (words.length < least || words.length > most) {
      throw new DfsError("usage", `write it so: ${form}`);
    }
  };
  const [first = "", second] = words;
  switch (verb.toUpperCase()) {
    case "LIST": {
      check("LIST [dir]", 0, 1);
      const prefixes = words.map((dir) => dir.replace(/\/*$/, "/"));
      return invoke(listCommand, null, [...flags, "--", ...prefixes]);
    }
    case "GET":
      check("GET name [name...]", 1, Infinity);
      return invoke(getCommand, null, [...flags, "--", ...words]);
    case "PUT": {
      check("PUT file [dir/]", 1, 2);
      const to = second === undefined ? [] : [`--to=${second}`];
      return invoke(putCommand, null, [...flags, ...to, "--", first]);
    }
    case "MKDIR":
      check("MKDIR dir", 1, 1);
      return invoke(mkdirCommand, null, [...flags, "--", first]);
    default: {
      const near = hint(verb.toUpperCase(), VERBS);
      throw new DfsError("usage", `${verb} is none of ${VERBS.join(", ")}${near}`);
    }
  }
}

/** The flags of the shell, for each of its commands. */
function flagsAgain({ config, json, quiet, verbose, progress }: CommonFlags): string[] {
  return [
    ...(config === undefined ? [] : [`--config=${config}`]),
    ...(json ? ["--json"] : []),
    ...(quiet ? ["--quiet"] : []),
    ...(verbose ? ["--verbose"] : []),
    ...(progress === false ? ["--no-progress"] : []),
  ];
}
