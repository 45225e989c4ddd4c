/**
 * What an interrupted command must undo before the process ends: its temporary files, its child
 * processes. Used by commands and by this room. Only main.ts ends the process; it passes the
 * function that does so.
 */
import { readFileSync } from "node:fs";
import { DfsError } from "../errors.ts";

let end: (status: number) => void = () => {};
let onSignal: ((signal: NodeJS.Signals) => void) | null = null;
const undos = new Set<() => void>();

/** Signals that end a command, and the exit status of each. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
/**
 * A terminal was closed, or a connection to it broke. The status is 128 and the number of the
 * signal.
 */
const HANGUP = { number: 1, status: 129 } as const;

/** From now on a signal undoes everything registered, and ends the process through `exit`. */
export function watchSignals(exit: (status: number) => void): void {
  end = exit;
  const signals = Object.entries(SIGNALS) as [NodeJS.Signals, number][];
  if (isHangupMeant()) signals.push(["SIGHUP", HANGUP.status]);
  for (const [signal, status] of signals) {
    process.on(signal, () => (onSignal ? onSignal(signal) : leave(status)));
  }
}

/**
 * Should SIGHUP end a command? nohup has it ignored, and a handler would undo that. Only Linux
 * tells whether a signal is ignored; elsewhere SIGHUP keeps its usual effect.
 */
function isHangupMeant(): boolean {
  try {
    const [, ignored] =
      /^SigIgn:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? [];
    return (
      ignored !== undefined && (BigInt(`0x${ignored}`) >> BigInt(HANGUP.number - 1)) % 2n === 0n
    );
  } catch {
    return false;
  }
}

/**
 * Registers `undo`, which must be synchronous, for an interruption. The returned function
 * unregisters it.
 */
export function undoAtInterrupt(undo: () => void): () => void {
  undos.add(undo);
  return () => void undos.delete(undo);
}

/** For a server, which ends in its own way: from now on `handler` gets the signals. */
export function takeSignals(handler: (signal: NodeJS.Signals) => void): void {
  onSignal = handler;
}

/**
 * For a command that takes a while to undo what it did. The first signal only aborts the returned
 * AbortSignal, with DfsError("interrupted"); the next one ends the process as usual.
 */
export function firstInterrupt(): AbortSignal {
  const controller = new AbortController();
  onSignal = () => {
    onSignal = null;
    controller.abort(new DfsError("interrupted", "interrupted"));
  };
  return controller.signal;
}

/** Undoes everything and ends the process at once. */
export function leave(status: number): void {
  for (const undo of undos) {
    try {
      undo();
    } catch {
      // The other undos must have their turn, and there is nobody left to tell.
    }
  }
  end(status);
}
