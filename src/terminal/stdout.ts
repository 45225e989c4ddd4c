/**
 * Results, on stdout. Written to the descriptor itself: process.stdout loses what a slow pipe has not taken when the
 * process exits, and neither waits nor says so. Where stdout takes nothing more the command goes on, for its work is no less
 * wanted and its exit status tells of that; only what is done for its output alone (`mustBeRead`) ends.
 */
import { fstatSync, write } from "node:fs";
import { DfsError, exitStatus } from "../errors.ts";
import { printable } from "../printable.ts";
import { sayLine } from "./log.ts";

const STDOUT = 1;
const FLUSH_AT = 64 * 1024;
/** How long to wait for a pipe that somebody else has made non-blocking, and that is full. */
const RETRY_MS = 5;

let held: string[] = [];
let heldLength = 0;
let writing: Promise<void> = Promise.resolve();
/** Why stdout takes nothing more; null: it does. */
let fault: DfsError | null = null;
let isFaultTold = false;
let canEndEarly = true;

/** One line. It is written with others, at the latest by `flush`; awaiting this is the back-pressure. */
export const print = (line: string): Promise<void> => hold(printable(line));

/** One JSON value, on one line: what is not printable in it is escaped as JSON has it, and so is the same value. */
export const printJson = (value: unknown): Promise<void> => print(JSON.stringify(value));

/** One line that is a stored name: for a program that reads it as it is stored, for people as `print` has it. */
export const printStored = (line: string): Promise<void> =>
  process.stdout.isTTY ? print(line) : hold(line);

/** This program's own words, of several lines and perhaps in colours: nothing of anybody else's may be in them. */
export const printOwn = (text: string): Promise<void> => hold(text);

/** Throws why nothing more can be printed, ("unread") where the reader has gone: for a command whose purpose is its output. */
export function mustBeRead(): void {
  if (fault === null || !canEndEarly) return;
  isFaultTold = true;
  throw fault;
}

/** From now on no command ends early: there are others to come that do more than print. */
export function goOnUnread(): void {
  canEndEarly = false;
}

/**
 * The exit status of a command that ends with this one, when all it printed is written: its own, but for output that is lost, where it
 * were 0. That nobody wanted the output loses nothing.
 */
export async function conclude(status: number): Promise<number> {
  await flush();
  if (fault === null || fault.code === "unread") return status;
  if (!isFaultTold) sayLine(fault.message);
  isFaultTold = true;
  return status === 0 ? exitStatus("failed") : status;
}

/** Takes away all that stands on a terminal; what is printed next begins at its top. */
export const clearScreen = (): Promise<void> => writeBytes(Buffer.from("\u001b[H\u001b[J"));

function hold(text: string): Promise<void> {
  if (fault !== null) return Promise.resolve();
  held.push(text, "\n");
  heldLength += text.length + 1;
  return heldLength < FLUSH_AT ? Promise.resolve() : flush();
}

/** Resolves when the kernel has taken all that was printed, or takes nothing more. */
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
 * Bytes as they are, after all that was written before; resolves when the kernel has taken them. Throws DfsError("unread") where the
 * reader has gone, ("failed").
 */
export function writeBytes(bytes: Uint8Array): Promise<void> {
  const written = writing.then(() => writeAll(bytes));
  // Who waits for these bytes hears of a failure; who only waits for their turn does not.
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

/** Has the reader had enough (`dfs-tool list | head -1`), or its terminal been closed? */
const isGone = (code: string): boolean =>
  code === "EPIPE" ||
  code === "ECONNRESET" ||
  (code === "EIO" && fstatSync(STDOUT).isCharacterDevice());
