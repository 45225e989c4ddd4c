/** What a person is told besides the result: one line each, on stderr, whatever stdout is. */
import { writeSync } from "node:fs";
import type { ConsolaInstance } from "consola/core";
import type { CommonFlags } from "./flags.ts";

export type Log = ConsolaInstance;

const STDERR = 2;

/** `log.error`, `log.warn`, `log.info` (with -v). consola is loaded here and not before: most runs of --version, --help and serve need none. */
export async function openLog(flags: Pick<CommonFlags, "quiet" | "verbose">): Promise<Log> {
  const { createConsola, LogLevels } = await import("consola/core");
  const loud = flags.verbose ? LogLevels.verbose : LogLevels.warn;
  return createConsola({
    level: flags.quiet ? LogLevels.error : loud,
    reporters: [
      {
        log: ({ type, args }) => sayLine(`${type === "warn" ? "warning: " : ""}${args.join(" ")}`),
      },
    ],
  });
}

/** One line on stderr, with the program's name before it. */
export function sayLine(line: string): void {
  // A progress bar may stand on this line.
  const clear = isTerminal() ? "\r\u001b[K" : "";
  writeError(`${clear}dfs-tool: ${line}\n`);
}

/** Text on stderr as it is. When stderr is closed or full there is nobody to tell, and the work goes on. */
export function writeError(text: string): void {
  try {
    writeSync(STDERR, text);
  } catch {
    // As the docstring says.
  }
}

/** Is stderr a terminal? */
export const isTerminal = (): boolean => process.stderr.isTTY;
