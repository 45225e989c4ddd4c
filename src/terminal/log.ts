/**
 * Messages to a person on stderr, besides the result on stdout: one line each. Used by commands, by
 * serve's log and by this room.
 */
import { constants, fstatSync, openSync, write as writeElsewhere, writeSync } from "node:fs";
import type { ConsolaInstance } from "consola/core";
import { printable, printableLines } from "../printable.ts";
import type { CommonFlags } from "./flags.ts";

export type Log = ConsolaInstance;

const STDERR = 2;
/** How many characters wait at most for a reader of stderr, once nothing waits for it. */
const WAITING_MAX = 64 * 1024;
const LAST_WORDS_MS = 1000;
const LOOK_MS = 10;
/** Clears this line of a terminal. */
const CLEAR_LINE = "\r\u001b[K";

/**
 * The functions `log.error`, `log.warn`, `log.info` (with -v). consola is loaded here and not
 * before: most runs of --version, --help and serve do not need it.
 */
export async function openLog(flags: Pick<CommonFlags, "quiet" | "verbose">): Promise<Log> {
  const { createConsola, LogLevels } = await import("consola/core");
  const loud = flags.verbose ? LogLevels.verbose : LogLevels.warn;
  return createConsola({
    level: flags.quiet ? LogLevels.error : loud,
    reporters: [
      {
        log: ({ type, args }) =>
          printToStderr(`${type === "warn" ? "warning: " : ""}${args.join(" ")}`),
      },
    ],
  });
}

/** Writes without waiting, once `neverWait` was called. Returns false if there was no room. */
let writeUnwaited: ((text: string) => boolean) | null = null;
let lost = 0;
let waiting = "";
let isWriting = false;

/**
 * From now on nothing waits for the reader of stderr. The reader may never read, and a server must
 * serve on though the pipe is full. A file never makes anybody wait, so nothing changes for it.
 */
export function neverWait(): void {
  try {
    if (!fstatSync(STDERR).isFile()) writeUnwaited = reopenedStderr() ?? onOtherThread;
  } catch {
    // stderr is closed.
  }
}

/** How many lines were lost since the last call. */
export function lostLines(): number {
  const count = lost;
  lost = 0;
  return count;
}

/** Resolves when the waiting lines are written; if nobody reads them, soon. */
export async function drainLog(): Promise<void> {
  const until = performance.now() + LAST_WORDS_MS;
  while (isWriting && performance.now() < until) await Bun.sleep(LOOK_MS);
  if (!isWriting) writeAtOnce();
}

/**
 * From now on lines are written at once: threads end with the process, so its last words must not
 * wait for them.
 */
export function writeAtOnce(): void {
  if (writeUnwaited === onOtherThread) writeUnwaited = null;
}

/**
 * Opens the same pipe or terminal again, in a way that refuses rather than waits; other processes
 * use the descriptor that there is. Linux only.
 */
function reopenedStderr(): ((text: string) => boolean) | null {
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

/** Writes on another thread, which may wait. */
function onOtherThread(text: string): boolean {
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

/** Prints one line on stderr, after the program's name. */
export function printToStderr(line: string): void {
  // A progress bar may be on this line.
  const clear = isTerminal() ? CLEAR_LINE : "";
  write(`${clear}dfs-tool: ${printable(line)}\n`);
}

/** Prints text on stderr, of one line or several, without the program's name. */
export const writeError = (text: string): void => write(printableLines(text));

let isAsking = false;

/**
 * Asks a question, which stays on its line of the terminal: nothing is drawn over it until
 * `answered`.
 */
export function ask(question: string): void {
  if (isTerminal()) redrawLine("");
  isAsking = true;
  writeError(question);
}

export function answered(): void {
  isAsking = false;
  writeError("\n");
}

/** Replaces the line on which the cursor of a terminal is. */
export function redrawLine(line: string): void {
  if (!isAsking) write(CLEAR_LINE + printable(line));
}

/** If stderr is closed or full there is nobody to tell, and the work goes on. */
function write(text: string): void {
  if (writeUnwaited) {
    if (!writeUnwaited(text)) lost++;
    return;
  }
  const bytes = Buffer.from(text);
  const until = performance.now() + LAST_WORDS_MS;
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(STDERR, bytes, done);
    } catch (error) {
      // Another process may have made it non-blocking, and it may be full.
      const isFull = (error as NodeJS.ErrnoException).code === "EAGAIN";
      if (!isFull || performance.now() > until) return;
      Bun.sleepSync(LOOK_MS);
    }
  }
}

/** Is stderr a terminal? */
export const isTerminal = (): boolean => process.stderr.isTTY;
