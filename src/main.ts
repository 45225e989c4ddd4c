/**
 * Where the program begins: it makes a command of the name that it was called by and its arguments,
 * and an exit status of the command. Only this file ends the process.
 */
import { existsSync } from "node:fs";
import { basename } from "node:path";
import { RELEASE } from "./release.ts";

/** What the user typed, as `dfs-tool COMMAND ARGS`. */
interface Call {
  /** How the user called the program and the command, for the help texts. */
  readonly called: string;
  readonly command: string | undefined;
  readonly args: string[];
}

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args[0] === "--version" || args[0] === "-V") {
    // Before anything else is loaded.
    const { finishOutput, printOwn } = await import("./terminal/stdout.ts");
    await printOwn(`dfs-tool ${RELEASE}`);
    return finishOutput(0);
  }
  const { leave, watchSignals } = await import("./terminal/interrupt.ts");
  watchSignals((status) => process.exit(status));
  const { keepSmall } = await import("./io/tidy_memory.ts");
  keepSmall();
  const { commandNamed } = await import("./cli/invocation/command_names.ts");
  const { COMMANDS } = await import("./cli/command_table.ts");
  const { invoke, report } = await import("./cli/invocation/invoke.ts");
  const { writeAtOnce } = await import("./terminal/log.ts");
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    process.on(event, (error: unknown) => {
      writeAtOnce();
      leave(report(error));
    });
  }
  try {
    const call = await callOf(args, (word) => commandNamed(word) !== undefined);
    const name = commandNamed(call.command ?? "");
    return name
      ? await invoke(await COMMANDS[name](), call.called, call.args)
      : await withoutCommand(call);
  } catch (error) {
    return report(error);
  }
}

/**
 * Reads what the user typed. Called `dfs`, the program is a server; called `dfc`, it is a client.
 * `dfc dfc.conf` is the prompt of the client, and with words after it is one command.
 */
async function callOf(args: string[], isCommand: (word: string) => boolean): Promise<Call> {
  const invokedName = basename(process.argv0).replace(/\.exe$/i, "");
  if (invokedName === "dfs") return { called: "dfs", command: "serve", args };
  const program = invokedName === "dfc" ? "dfc" : "dfs-tool";
  const [command, ...rest] = args;
  const [about] = rest;
  if (command === "help" && about !== undefined && isCommand(about))
    return { called: `${program} ${about}`, command: about, args: ["--help"] };
  const mayBeFile = program === "dfc" && command !== undefined && !isCommand(command);
  if (!mayBeFile || command.startsWith("-"))
    return { called: `${program} ${command}`, command, args: rest };
  const config = `--config=${command}`;
  if (rest.length === 0 && (command.endsWith(".conf") || existsSync(command)))
    return { called: "dfc", command: "shell", args: [config] };
  if (rest.length === 0 || !command.endsWith(".conf"))
    return { called: `dfc ${command}`, command, args: rest };
  // The command may come as one word, as in "put 1.txt".
  const { wordsOf } = await import("./cli/commands/shell_lines.ts");
  const words = rest.length > 1 ? rest : wordsOf(about ?? "");
  const [verb = "", ...others] = words;
  return { called: `dfc ${verb}`, command: verb, args: [config, ...others] };
}

/** Prints the help text where it was asked for. Else it reports what is wrong. */
async function withoutCommand({ command, called }: Call): Promise<number> {
  const { COMMANDS, overview } = await import("./cli/command_table.ts");
  const { helpOf, report } = await import("./cli/invocation/invoke.ts");
  const { finishOutput, printOwn } = await import("./terminal/stdout.ts");
  const { DfsError } = await import("./errors.ts");
  const program = called.split(" ", 1)[0] ?? called;
  if (command !== undefined && ["--help", "-h", "help"].includes(command)) {
    await printOwn(await helpOf(overview, program));
    return finishOutput(0);
  }
  const { hint } = await import("./cli/invocation/arguments.ts");
  const wrong =
    command === undefined
      ? `say what to do: ${program} COMMAND; the commands are ${Object.keys(COMMANDS).join(", ")}`
      : command.startsWith("-")
        ? `the command comes first, as in ${program} list ${command}`
        : command.endsWith(".conf")
          ? `the command comes first, as in ${program} list --config ${command}`
          : `there is no command ${command}${hint(command, Object.keys(COMMANDS))}`;
  return report(new DfsError("usage", wrong), { called: program });
}

process.exit(await main());
