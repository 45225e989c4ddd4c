/**
 * Runs one command: shows its help, checks its arguments, and turns errors into one line and an
 * exit status. Used by main.ts and the shell.
 */
import { type ArgDef, renderUsage, runCommand, type SubCommandsDef } from "citty";
import { asDfsError, DfsError, exitStatus, INVALID_LOGIN, isDfsError } from "../../errors.ts";
import { checkArguments } from "./arguments.ts";
import { commandNamed, EXAMPLES } from "./command_names.ts";
import { printToStderr, writeError } from "../../terminal/log.ts";
import { finishOutput, flush, printOwn } from "../../terminal/stdout.ts";

/** Any command, whatever its arguments are. */
type Command = Awaited<Extract<SubCommandsDef[string], Promise<unknown>>>;

const HELP = new Set(["--help", "-h"]);
const VERBOSE = new Set(["--verbose", "-v"]);

/**
 * Runs a command, and returns its exit status; a command that returns nothing gets 0. `called` is
 * what the user typed for it, such as "dfs-tool put". It is null in a shell, which has no help text
 * for each command, and runs others after it.
 */
export async function invoke(
  command: Command,
  called: string | null,
  args: readonly string[],
): Promise<number> {
  const status = await statusOf(command, called, args);
  if (called !== null) return finishOutput(status);
  await flush();
  return status;
}

async function statusOf(
  command: Command,
  called: string | null,
  args: readonly string[],
): Promise<number> {
  const flags = args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
  try {
    const isHelp = flags.some((arg) => HELP.has(arg));
    const status = isHelp
      ? await printOwn(await helpOf(command, called ?? "dfs-tool"))
      : await run(command, args);
    return typeof status === "number" ? status : 0;
  } catch (error) {
    // Earlier output comes before the error.
    await flush();
    return report(error, { called, isVerbose: flags.some((arg) => VERBOSE.has(arg)) });
  }
}

async function run(command: Command, args: readonly string[]): Promise<unknown> {
  const defs = typeof command.args === "function" ? await command.args() : await command.args;
  const { result } = await runCommand(command, { rawArgs: checkArguments(args, defs ?? {}) });
  return result;
}

/** The help text of a command; with colours only on a terminal. */
export async function helpOf(command: Command, called: string): Promise<string> {
  const meta = typeof command.meta === "function" ? await command.meta() : await command.meta;
  const defs = typeof command.args === "function" ? await command.args() : await command.args;
  // Flags without effect have no description.
  const shown = Object.entries<ArgDef>(defs ?? {}).filter(([, { description }]) => description);
  const args = Object.fromEntries(shown);
  const rendered = await renderUsage({ ...command, args, meta: { ...meta, name: called } });
  const text = rendered.replace(/ +$/gm, "") + exampleOf(called);
  return process.stdout.isTTY ? text : Bun.stripANSI(text);
}

/** An example of the command; "" for the program itself. */
function exampleOf(called: string): string {
  const name = called === "dfs" ? "serve" : commandNamed(called.split(" ").at(-1) ?? "");
  return name ? `\nEXAMPLE ${called} ${EXAMPLES[name]}`.trimEnd() : "";
}

/** Prints what went wrong, on one line, and returns the exit status for it. */
export function report(
  error: unknown,
  { called = null, isVerbose = false }: { called?: string | null; isVerbose?: boolean } = {},
): number {
  const { code, message } = asDfsError(error);
  // There is nobody to tell, and nothing went wrong.
  if (code === "unread") return exitStatus(code);
  // This line is prescribed, and scripts look for it: it has nothing before it, as "<name> put
  // failed" has nothing.
  if (message === INVALID_LOGIN) writeError(`${message}\n`);
  else printToStderr(error instanceof DfsError ? message : `unexpected error: ${message}`);
  if (called !== null && isDfsError(error, "usage")) writeError(`Try '${called} --help'.\n`);
  const isBug = error instanceof Error && !(error instanceof DfsError);
  if (isBug && (isVerbose || process.env.DFS_DEBUG)) writeError(`${error.stack}\n`);
  return exitStatus(code);
}
