/** dfs-tool shell: LIST, GET, PUT and more at a prompt, or a line each from a pipe. */
import { defineCommand } from "citty";
import { exitStatus } from "../../errors.ts";
import { printable } from "../../printable.ts";
import { loadConfiguration } from "../config/config.ts";
import { plainFlags } from "../../terminal/flags.ts";
import { report } from "../invocation/invoke.ts";
import { shellLines, wordsOf } from "./shell_lines.ts";
import { helpText, runVerb, type Session } from "./shell_verbs.ts";
import { flush, surviveLostReader, printOwn } from "../../terminal/stdout.ts";

export const shellCommand = defineCommand({
  meta: { description: "Type LIST, GET, PUT and more at a prompt" },
  args: plainFlags,
  async run({ args }) {
    // What is wrong with it is better said now than at each command.
    loadConfiguration(args.config);
    surviveLostReader();
    const session: Session = { flags: args, folder: "" };
    const statuses = new Set<number>();
    const prompt = (): string => `dfs${session.folder && ` ${printable(session.folder)}`}> `;
    for await (const line of shellLines(prompt)) {
      const status = await runLine(line, session);
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
async function runLine(line: string, session: Session): Promise<number | null | "end"> {
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
