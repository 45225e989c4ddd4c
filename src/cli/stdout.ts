/**
 * Results, on stdout. Written to the descriptor itself: process.stdout loses what a slow pipe has not taken when the
 * process exits, and neither waits nor says so.
 */
import { write } from "node:fs";
import { DfsError } from "../errors.ts";
import { printable } from "../printable.ts";
import { leave } from "./interrupt.ts";

const STDOUT = 1;
const FLUSH_AT = 64 * 1024;
/** How long to wait for a pipe that somebody else has made non-blocking, and that is full. */
const RETRY_MS = 5;

let held: string[] = [];
let heldLength = 0;
let writing: Promise<void> = Promise.resolve();

/** One line. It is written with others, at the latest by `flush`; awaiting this is the back-pressure. */
export const print = (line: string): Promise<void> => hold(printable(line));

/** One JSON value, on one line: what is not printable in it is escaped as JSON has it, and so is the same value. */
export const printJson = (value: unknown): Promise<void> => print(JSON.stringify(value));

/** One line that is a stored name: for a program that reads it as it is stored, for people as `print` has it. */
export const printStored = (line: string): Promise<void> =>
  process.stdout.isTTY ? print(line) : hold(line);

/** This program's own words, of several lines and perhaps in colours: nothing of anybody else's may be in them. */
export const printOwn = (text: string): Promise<void> => hold(text);

/** Takes away all that stands on a terminal; what is printed next begins at its top. */
export const clearScreen = (): Promise<void> => writeBytes(Buffer.from("\u001b[H\u001b[J"));

function hold(text: string): Promise<void> {
  held.push(text, "\n");
  heldLength += text.length + 1;
  return heldLength < FLUSH_AT ? Promise.resolve() : flush();
}

/** Resolves when the kernel has taken all that was printed. */
export function flush(): Promise<void> {
  if (heldLength === 0) return writing;
  const text = held.join("");
  held = [];
  heldLength = 0;
  return writeBytes(Buffer.from(text));
}

/** Bytes as they are, after all that was written before; resolves when the kernel has taken them. */
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
      // The reader has had enough (`dfs-tool list | head -1`): that is no failure, and there is no one to tell.
      if (error.code === "EPIPE") return leave(0);
      reject(
        new DfsError(
          "failed",
          `stdout: ${error.code === "ENOSPC" ? "the disk is full" : error.message}`,
        ),
      );
    });
  });
}
