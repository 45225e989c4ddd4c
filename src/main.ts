/** Where the program begins: the name it was called by → a command → an exit status. Only this file ends the process. */
import { existsSync, writeSync } from "node:fs";
import { basename } from "node:path";
import type { CommandName } from "./cli/commands.ts";
import { RELEASE } from "./cli/release.ts";

/** What the user typed, as a command of dfs-tool. */
interface Call {
  /** How the user called it, for help texts. */
  readonly called: string;
  readonly command: string | undefined;
  readonly args: string[];
}

/** Called `dfs` it is a server, called `dfc` a client, and `dfc dfc.conf` the client's prompt. */
function callOf(invokedName: string, args: string[], known: (word: string) => boolean): Call {
  const name = invokedName.replace(/\.exe$/i, "");
  if (name === "dfs") return { called: "dfs", command: "serve", args };
  const [first, ...rest] = args;
  const called = name === "dfc" ? "dfc" : "dfs-tool";
  if (name === "dfc" && first !== undefined && rest.length === 0 && !known(first)) {
    const isConfiguration = first.endsWith(".conf") || (!first.startsWith("-") && existsSync(first));
    if (isConfiguration) return { called, command: "shell", args: [`--config=${first}`] };
  }
  return { called, command: first, args: rest };
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args[0] === "--version" || args[0] === "-V") {
    // Before anything else is loaded.
    writeSync(1, `dfs-tool ${RELEASE}\n`);
    return 0;
  }
  const { leave, watchSignals } = await import("./cli/interrupt.ts");
  watchSignals((status) => process.exit(status));
  const { ALIASES, COMMANDS } = await import("./cli/commands.ts");
  const { invoke, overview, refuseCommand, report } = await import("./cli/invoke.ts");
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error: unknown) => leave(report(error, null, false)));
  }

  const commandNamed = (word: string): CommandName | undefined =>
    Object.hasOwn(COMMANDS, word) ? (word as CommandName) : ALIASES[word];
  const isKnown = (word: string): boolean => commandNamed(word) !== undefined;
  const call = callOf(basename(process.argv0), args, isKnown);
  const name = commandNamed(call.command ?? "");
  ...
}

process.exit(await main());
