/**
 * What an interrupted command must undo before the process ends: its temporary files, its child processes.
 * Only main.ts ends the process; it says here how.
 */
import { readFileSync } from "node:fs";
import { DfsError } from "../errors.ts";

let end: (status: number) => void = () => {};
let onSignal: ((signal: NodeJS.Signals) => void) | null = null;
const undos = new Set<() => void>();

/** Signals that end a command, and the exit status that says so. */
const SIGNALS = { SIGINT: 130, SIGTERM: 143 } as const;
/** A terminal was closed, or a connection to it broke: 128 and the number of the signal. */
const HANGUP = { number: 1, status: 129 } as const;

/** From now on a signal undoes what is registered and ends the process through `exit`. */
export function watchSignals(exit: (status: number) => void): void {
  end = exit;
  const signals = Object.entries(SIGNALS) as [NodeJS.Signals, number][];
  if (isHangupMeant()) signals.push(["SIGHUP", HANGUP.status]);
  for (const [signal, status] of signals) {
    process.on(signal, () => (onSignal ? onSignal(signal) : leave(status)));
  }
}

/** To handle SIGHUP would undo what nohup does, which is to have it ignored. Only Linux tells whether it is; elsewhere it does what it does. */
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

/** Has `undo`, which must be synchronous, called at an interruption; the function returned takes that back. */
export function undoAtInterrupt(undo: () => void): () => void {
  undos.add(undo);
  return () => void undos.delete(undo);
}

/** A server ends in its own way: its handler gets the signals instead. */
export function takeSignals(handler: (signal: NodeJS.Signals) => void): void {
  onSignal = handler;
}

/**
 * For a command that takes a while to undo what it did: the first signal only aborts what is returned, with DfsError("interrupted");
 * the next one ends the process as ever.
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
      // The others must have their turn, and there is nobody left to tell.
    }
  }
  end(status);
}
