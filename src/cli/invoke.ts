/** Runs one command: its help, its arguments checked, its errors as one line and an exit status. */
import { type CommandDef, renderUsage, runCommand } from "citty";
import { asDfsError, DfsError, exitStatus, isDfsError } from "../errors.ts";
import { checkArguments } from "./arguments.ts";
import { sayLine, writeError } from "./log.ts";
import { flush, print } from "./stdout.ts";

const HELP = new Set(["--help", "-h"]);

/** A command returns its exit status; nothing means 0. `called` is what the user typed for it: "dfs-tool put". */
export async function invoke(
  command: CommandDef,
  called: string,
  args: readonly string[],
): Promise<number> {
  try {
    const beforeNames = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
    if (beforeNames.some((arg) => HELP.has(arg))) await print(await helpOf(command, called));
    const status = beforeNames.some((arg) => HELP.has(arg)) ? 0 : await run(command, args);
    await flush();
    return status;
  } catch (error) {
    await flush();
    return report(error, called, args.includes("-v") || args.includes("--verbose"));
  }
}

async function run(command: CommandDef, args: readonly string[]): Promise<number> {
  const defs = typeof command.args === "function" ? await command.args() : await command.args;
  const { result } = await runCommand(command, { rawArgs: checkArguments(args, defs ?? {}) });
  return typeof result === "number" ? result : 0;
}

/** The help text of a command; in colours only for a terminal. */
export async function helpOf(command: CommandDef, called: string): Promise<string> {
  const meta = typeof command.meta === "function" ? await command.meta() : await command.meta;
  const text = await renderUsage({ ...command, meta: { ...meta, name: called } });
  return process.stdout.isTTY ? text : Bun.stripANSI(text);
}

/** Says what went wrong, on one line, and returns the exit status for it. */
export function report(error: unknown, called: string, verbose: boolean): number {
  const debug = verbose || Boolean(process.env.DFS_DEBUG);
  const { code, message } = asDfsError(error);
  const prefix = isDfsError(error) ? "" : "unexpected error: ";
  sayLine(`${prefix}${message}`);
  if (isDfsError(error, "usage")) writeError(`Try '${called} --help'.\n`);
  if (debug && !(error instanceof DfsError) && error instanceof Error)
    writeError(`${error.stack}\n`);
  return exitStatus(code);
}
