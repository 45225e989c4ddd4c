/** What a person is told besides the result: one line each, on stderr, whatever stdout is. */
import { writeSync } from "node:fs";
import type { ConsolaInstance } from "consola/core";
import { printable, printableLines } from "../printable.ts";
import type { CommonFlags } from "./flags.ts";

export type Log = ConsolaInstance;

const STDERR = 2;
/** Takes away what stands on this line of a terminal. */
const CLEAR_LINE = "\r\u001b[K";

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
  const clear = isTerminal() ? CLEAR_LINE : "";
  write(`${clear}dfs-tool: ${printable(line)}\n`);
}

/** Text on stderr without that, of one line or several. */
export const writeError = (text: string): void => write(printableLines(text));

let isAsking = false;

/** Asks for something: this stands on the line of the terminal, and nothing is drawn over it until `answered`. */
export function ask(question: string): void {
  if (isTerminal()) redrawLine("");
  isAsking = true;
  writeError(question);
}

export function answered(): void {
  isAsking = false;
  writeError("\n");
}

/** This in the place of what stands on the line of a terminal. */
export function redrawLine(line: string): void {
  if (!isAsking) write(CLEAR_LINE + printable(line));
}

/** When stderr is closed or full there is nobody to tell, and the work goes on. */
function write(text: string): void {
  try {
    writeSync(STDERR, text);
  } catch {
    // As the docstring says.
  }
}

/** Is stderr a terminal? */
export const isTerminal = (): boolean => process.stderr.isTTY;
