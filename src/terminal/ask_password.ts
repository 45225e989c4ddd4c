/** Asks for a password at the terminal, without showing what is typed. Used by commands. */
import { DfsError } from "../errors.ts";
import { PASSWORD_BYTES } from "../limits.ts";
import { undoAtInterrupt } from "./interrupt.ts";
import { answered, ask } from "./log.ts";

/** Is there a terminal at which a person can be asked? */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
const ESCAPE = "\u001b";
/** What follows ESCAPE in the bytes of an arrow or a similar key. */
const KEY = /^(?:\[[0-9;]*[A-Za-z~]?|O[A-Za-z]?)/;

/** What was typed after the line: the answer to the next question, if both were pasted. */
let typedAhead = "";

let waitedMs = 0;

/** How long this program has waited for answers, in seconds. */
export const secondsAsked = (): number => waitedMs / 1000;

/**
 * Asks for a password. Throws DfsError("interrupted") at Ctrl-C, and DfsError("usage") if there is
 * no terminal.
 */
export async function askPassword(prompt: string): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) throw new DfsError("usage", "there is no terminal to ask for the password at");
  // Before it asks: a fast typist must not see the answer on the screen.
  stdin.setRawMode(true);
  ask(prompt);
  const began = performance.now();
  const giveBack = (): void => {
    stdin.setRawMode(false);
    stdin.pause();
    answered();
    waitedMs += performance.now() - began;
  };
  const forget = undoAtInterrupt(giveBack);
  try {
    return await lineOf(stdin);
  } finally {
    forget();
    giveBack();
  }
}

function lineOf(stdin: NodeJS.ReadStream): Promise<string> {
  const decoder = new TextDecoder();
  let line = "";
  return new Promise((resolve, reject) => {
    const take = (text: string): void => {
      const typed = typeInto(line, text);
      line = typed.line;
      if (typed.end === null) return;
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      typedAhead = typed.rest;
      if (typed.end === "line") resolve(line);
      else reject(interrupted());
    };
    const onData = (bytes: Uint8Array): void => take(decoder.decode(bytes, { stream: true }));
    const onEnd = (): void => reject(interrupted());
    stdin.on("data", onData);
    stdin.on("end", onEnd);
    stdin.resume();
    take(typedAhead);
  });
}

const interrupted = (): DfsError => new DfsError("interrupted", "interrupted");

/** The line after more was typed, and whether the input ended it. */
export interface Typed {
  readonly line: string;
  readonly end: "line" | "interrupted" | null;
  /** What was typed after the end. */
  readonly rest: string;
}

/**
 * Applies these keys to a line. A password has at most PASSWORD_BYTES characters; more are ignored.
 */
export function typeInto(line: string, keys: string): Typed {
  const letters = Array.from(line);
  let rest = keys;
  while (rest !== "") {
    const key = String.fromCodePoint(rest.codePointAt(0) ?? 0);
    rest = rest.slice(key.length);
    if (key === "\r" || key === "\n") {
      return { line: letters.join(""), end: "line", rest: rest.replace(/^\n/, "") };
    }
    if (key === CTRL_C || (key === CTRL_D && letters.length === 0))
      return { line: "", end: "interrupted", rest: "" };
    if (key === "\u007f" || key === "\b") letters.pop();
    else if (key === CTRL_U) letters.length = 0;
    else if (key === ESCAPE) rest = rest.replace(KEY, "");
    else if (!/\p{Cc}/u.test(key) && letters.length < PASSWORD_BYTES) letters.push(key);
  }
  return { line: letters.join(""), end: null, rest: "" };
}
