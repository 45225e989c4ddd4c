/**
 * The progress line of long commands, on stderr, on a terminal only: a bar over the bytes of all
 * files, or a count of names. Used by put, get, adopt, repair and others.
 */
import { counted } from "../counted.ts";
import { printable } from "../printable.ts";
import type { CommonFlags } from "./flags.ts";
import { undoAtInterrupt } from "./interrupt.ts";
import { isTerminal, redrawLine } from "./log.ts";
import { durationText, sizeText } from "./units.ts";

const REDRAW_MS = 100;
const BAR_WIDTH = 24;

export interface Progress {
  /** Adds bytes that are to come: Infinity, where nobody knows how many. */
  expect(bytes: number): void;
  /** Adds bytes that are done. */
  add(bytes: number): void;
  /** Removes the bar. */
  stop(): void;
}

/** Is there a person to watch, who wants a bar? */
export const isBarWanted = (flags: CommonFlags): boolean =>
  flags.progress !== false && !flags.quiet && !flags.json && isTerminal();

/** Opens a bar; nothing is drawn if it is not wanted. */
export function openProgress(label: string, flags: CommonFlags): Progress {
  let [done, total] = [0, 0];
  const expect = (bytes: number): void => void (total += bytes);
  const add = (bytes: number): void => void (done += bytes);
  if (!isBarWanted(flags)) return { expect, add, stop: () => {} };
  const started = performance.now();
  const draw = (): void => {
    const seconds = (performance.now() - started) / 1000;
    redrawLine(barLine({ label, done, total, seconds }, process.stderr.columns || 80));
  };
  return { expect, add, stop: drawing(draw) };
}

/** Draws at intervals. The returned function ends that, and removes what was drawn. */
function drawing(draw: () => void): () => void {
  const timer = setInterval(draw, REDRAW_MS);
  const stop = (): void => {
    forget();
    clearInterval(timer);
    redrawLine("");
  };
  const forget = undoAtInterrupt(stop);
  return stop;
}

/** A line on a terminal that counts names, if their total is not known. */
export interface Count {
  /** Counts one more name. */
  name(): void;
  /** Adds bytes that were copied. */
  add(bytes: number): void;
  /** Removes the line until it is drawn again, so that something else can be printed. */
  clear(): void;
  stop(): void;
}

/** Opens such a line; nothing is drawn if it is not wanted. */
export function openCount(label: string, flags: CommonFlags): Count {
  let [names, bytes] = [0, 0];
  const isDrawn = isBarWanted(flags);
  const started = performance.now();
  const draw = (): void => {
    const seconds = (performance.now() - started) / 1000;
    redrawLine(countLine({ label, names, bytes, seconds }, process.stderr.columns || 80));
  };
  const stop = isDrawn ? drawing(draw) : () => {};
  return {
    name: () => void names++,
    add: (more) => void (bytes += more),
    clear: () => void (isDrawn && redrawLine("")),
    stop,
  };
}

/** `repair 12480 names  853 MiB copied  31 MiB/s  0:27`, cut to the width of the terminal. */
export function countLine(
  {
    label,
    names,
    bytes,
    seconds,
  }: { label: string; names: number; bytes: number; seconds: number },
  columns: number,
): string {
  const copied = bytes > 0 ? `  ${sizeText(bytes)} copied  ${sizeText(bytes / seconds)}/s` : "";
  const line = `${printable(label)} ${counted(names, "name")}${copied}  ${durationText(seconds)}`;
  return cut(line, columns - 1);
}

/**
 * `put 3 files [=====>    ]  52%  1.2 GiB of 2.3 GiB  310 MiB/s  0:04 left`, cut to the width of
 * the terminal; of an unknown total `put 3 files  1.2 GiB  310 MiB/s  0:04`.
 */
export function barLine(
  { label, done, total, seconds }: { label: string; done: number; total: number; seconds: number },
  columns: number,
): string {
  const rate = seconds > 0 ? done / seconds : 0;
  if (total === Infinity) {
    const line = `${printable(label)}  ${sizeText(done)}  ${sizeText(rate)}/s  ${durationText(seconds)}`;
    return cut(line, columns - 1);
  }
  const part = total > 0 ? Math.min(1, done / total) : 0;
  const full = Math.floor(part * BAR_WIDTH);
  const bar = `[${"=".repeat(full)}${" ".repeat(BAR_WIDTH - full)}]`;
  const percent = `${Math.floor(part * 100)}%`.padStart(4);
  // Sealed bytes are a little more.
  const shown = Math.min(done, total);
  const left = rate > 0 ? `  ${durationText((total - done) / rate)} left` : "";
  const line = `${printable(label)} ${bar} ${percent}  ${sizeText(shown)} of ${sizeText(total)}  ${sizeText(rate)}/s${left}`;
  return cut(line, columns - 1);
}

function cut(line: string, columns: number): string {
  if (Bun.stringWidth(line) <= columns) return line;
  let [out, width] = ["", 0];
  for (const character of line) {
    width += Bun.stringWidth(character);
    if (width > columns) break;
    out += character;
  }
  return out;
}
