/**
 * Results, on stdout. Used by commands. They are written to the descriptor itself: at the exit of
 * the process process.stdout loses what a slow pipe has not taken, and neither waits nor tells.
 *
 * If stdout takes nothing more the command goes on, for its work is still wanted, and its exit
 * status tells of the loss. Only work that is done for its output alone (`mustBeRead`) ends.
 */
import { fstatSync, write } from "node:fs";
import { DfsError, exitStatus } from "../errors.ts";
import { printable } from "../printable.ts";
import { printToStderr } from "./log.ts";

const STDOUT = 1;
const FLUSH_AT = 64 * 1024;
/** How long to wait for a full pipe that another process has made non-blocking. */
const RETRY_MS = 5;

let held: string[] = [];
let heldLength = 0;
let writing: Promise<void> = Promise.resolve();
/** Why stdout takes nothing more; null while it does. */
let fault: DfsError | null = null;
let isFaultReported = false;
let canEndEarly = true;

/**
 * Prints one line. It is written together with others, at the latest by `flush`. To await it is the
 * back-pressure.
 */
export const print = (line: string): Promise<void> => hold(printable(line));

/**
 * Prints one JSON value on one line. Characters that are not printable are escaped in the way of
 * JSON, so the value stays the same.
 */
export const printJson = (value: unknown): Promise<void> => print(JSON.stringify(value));

/**
 * Prints one line that is a stored name: as it is stored if a program reads it, as `print` does if
 * a person reads it.
 */
export const printStored = (line: string): Promise<void> =>
  process.stdout.isTTY ? print(line) : hold(line);

/**
 * Prints this program's own text, of several lines and perhaps with colours. It must contain
 * nothing from elsewhere.
 */
export const printOwn = (text: string): Promise<void> => hold(text);

/**
 * For a command whose purpose is its output: throws the reason if nothing more can be printed,
 * DfsError("unread") if the reader is gone.
 */
export function mustBeRead(): void {
  if (fault === null || !canEndEarly) return;
  isFaultReported = true;
  throw fault;
}

/** From now on no command ends early: later commands may do more than print. */
export function surviveLostReader(): void {
  canEndEarly = false;
}

/**
 * Writes what is left, and returns the exit status for a command that ends with `status`. That is
 * `status`, unless it is 0 and output was lost. A reader that wanted no more output is no loss.
 */
export async function finishOutput(status: number): Promise<number> {
  await flush();
  if (fault === null || fault.code === "unread") return status;
  if (!isFaultReported) printToStderr(fault.message);
  isFaultReported = true;
  return status === 0 ? exitStatus("failed") : status;
}

/** Clears a terminal. What is printed next begins at its top. */
export const clearScreen = (): Promise<void> => writeBytes(Buffer.from("\u001b[H\u001b[J"));

function hold(text: string): Promise<void> {
  if (fault !== null) return Promise.resolve();
  held.push(text, "\n");
  heldLength += text.length + 1;
  return heldLength < FLUSH_AT ? Promise.resolve() : flush();
}

/** Resolves when the kernel has taken everything printed, or takes nothing more. */
export function flush(): Promise<void> {
  if (heldLength === 0) return writing;
  const text = held.join("");
  held = [];
  heldLength = 0;
  return writeBytes(Buffer.from(text)).catch((error: DfsError) => {
    fault ??= error;
  });
}

/**
 * Writes bytes as they are, after everything written before. Resolves when the kernel has taken
 * them. Throws DfsError("unread") if the reader is gone, else DfsError("failed").
 */
export function writeBytes(bytes: Uint8Array): Promise<void> {
  const written = writing.then(() => writeAll(bytes));
  // The caller of this write learns of a failure; later writes only wait for its end.
  writing = written.catch(() => {});
  return written;
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await writeSome(bytes, done);
}

function writeSome(bytes: Uint8Array, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(STDOUT, bytes, from, bytes.length - from, null, (error, written) => {
      if (!error) return resolve(written);
      if (error.code === "EAGAIN") return setTimeout(() => resolve(0), RETRY_MS);
      reject(faultOf(error));
    });
  });
}

function faultOf({ code = "", message }: NodeJS.ErrnoException): DfsError {
  if (isGone(code)) return new DfsError("unread", "stdout: nobody reads it any more");
  return new DfsError("failed", `stdout: ${code === "ENOSPC" ? "the disk is full" : message}`);
}

/** Has the reader ended (`dfs-tool list | head -1`), or was its terminal closed? */
const isGone = (code: string): boolean =>
  code === "EPIPE" ||
  code === "ECONNRESET" ||
  (code === "EIO" && fstatSync(STDOUT).isCharacterDevice());
