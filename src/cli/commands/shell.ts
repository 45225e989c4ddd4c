/** dfs-tool shell: LIST, GET, PUT and more at a prompt, or as lines from a pipe. */
import { defineCommand } from "citty";
import { exitStatus } from "../../errors.ts";
import { printable } from "../../printable.ts";
import { loadConfiguration } from "../../api/config/config.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { report } from "../invocation/invoke.ts";
import { shellLines, wordsOf } from "./shell_lines.ts";
import { helpText, runVerb, type ShellSession } from "./shell_verbs.ts";
import { flush, surviveLostReader, printOwn } from "../../terminal/stdout.ts";

export const shellCommand = defineCommand({
  meta: { description: "Type LIST, GET, PUT and more at a prompt" },
  args: plainFlags,
  async run({ args }) {
    // An error in the configuration is reported now, and not at each line.
    loadConfiguration(args.config);
    surviveLostReader();
    const session: ShellSession = { flags: args, folder: "" };
    const statuses = new Set<number>();
    const prompt = (): string => `dfs${session.folder && ` ${printable(session.folder)}`}> `;
    for await (const line of shellLines(prompt)) {
      const status = await runLine(line, session);
      if (status === "end") break;
      if (status !== null) statuses.add(status);
    }
    // At a terminal the user has seen what failed. For a script the exit status is like that of a
    // command on several files.
    if (process.stdin.isTTY) return 0;
    const [status = 0] = statuses;
    return statuses.size > 1 ? exitStatus("partly") : status;
  },
});

/**
 * Runs one line, with the cluster opened anew. Returns its exit status, null if the line asks for
 * nothing, or "end".
 */
async function runLine(line: string, session: ShellSession): Promise<number | null | "end"> {
  try {
    const [verb, ...words] = wordsOf(line);
    switch (verb?.toUpperCase()) {
      case undefined:
        return null;
      case "EXIT":
      case "QUIT":
        return "end";
      case "HELP":
        await printOwn(helpText());
        await flush();
        return null;
      default:
        return await runVerb(session, verb ?? "", words);
    }
  } catch (error) {
    return report(error);
  }
}
