/** What a person is told besides the result: one line each, on stderr, whatever stdout is. */
import { constants, fstatSync, openSync, write as writeElsewhere, writeSync } from "node:fs";
import type { ConsolaInstance } from "consola/core";
import { printable, printableLines } from "../printable.ts";
import type { CommonFlags } from "./flags.ts";

export type Log = ConsolaInstance;

const STDERR = 2;
/** So much waits at most for a reader that nobody waits for. */
const WAITING_MAX = 64 * 1024;
const LAST_WORDS_MS = 1000;
const LOOK_MS = 10;
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

/** Writes without waiting, once that is wanted; false: there was no room. */
let unwaited: ((text: string) => boolean) | null = null;
let lost = 0;
let waiting = "";
let isWriting = false;

/**
 * From now on nothing waits for the reader of stderr, who may be one that never reads: a server must serve on, though the pipe be full.
 * A file takes all.
 */
export function neverWait(): void {
  try {
    if (!fstatSync(STDERR).isFile()) unwaited = byOwnWay() ?? later;
  } catch {
    // It is closed.
  }
}

/** How many lines were lost since this was asked before. */
export function lostLines(): number {
  const count = lost;
  lost = 0;
  return count;
}

/** Resolves when what waits is written; where nobody reads it, soon. */
export async function endUnwaited(): Promise<void> {
  const until = performance.now() + LAST_WORDS_MS;
  while (isWriting && performance.now() < until) await Bun.sleep(LOOK_MS);
  if (!isWriting) speakAtOnce();
}

/** What the process says as it ends must not wait for its threads, which end with it. */
export function speakAtOnce(): void {
  if (unwaited === later) unwaited = null;
}

/** A way of its own into the same pipe or terminal, that refuses rather than wait; the one there is has its other users. Linux only. */
function byOwnWay(): ((text: string) => boolean) | null {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
  try {
    const fd = openSync(`/proc/self/fd/${STDERR}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return (text) => {
      try {
        writeSync(fd, text);
        return true;
      } catch {
        return false;
      }
    };
  } catch {
    return null;
  }
}

/** On another thread, which may wait. */
function later(text: string): boolean {
  if (waiting.length + text.length > WAITING_MAX) return false;
  waiting += text;
  if (!isWriting) writeWaiting();
  return true;
}

function writeWaiting(): void {
  const text = waiting;
  waiting = "";
  isWriting = true;
  writeElsewhere(STDERR, text, () => {
    isWriting = false;
    if (waiting !== "") writeWaiting();
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
  if (unwaited) {
    if (!unwaited(text)) lost++;
    return;
  }
  const bytes = Buffer.from(text);
  const until = performance.now() + LAST_WORDS_MS;
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(STDERR, bytes, done);
    } catch (error) {
      // Somebody else may have made it non-blocking, and it may be full.
      const isFull = (error as NodeJS.ErrnoException).code === "EAGAIN";
      if (!isFull || performance.now() > until) return;
      Bun.sleepSync(LOOK_MS);
    }
  }
}

/** Is stderr a terminal? */
export const isTerminal = (): boolean => process.stderr.isTTY;
