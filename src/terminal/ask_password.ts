/** A password typed at the terminal: nothing of it is shown. */
import { DfsError } from "../errors.ts";
import { PASSWORD_BYTES } from "../limits.ts";
import { undoAtInterrupt } from "./interrupt.ts";
import { answered, ask } from "./log.ts";

/** Is there somebody to ask? */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
const ESCAPE = "\u001b";
/** What an arrow or another such key sends. */
const KEY = /^(?:\[[0-9;]*[A-Za-z~]?|O[A-Za-z]?)/;

/** What was typed after the line: the answer to the next question, where both were pasted. */
let typedAhead = "";

let waitedMs = 0;

/** How long this program has waited for answers. */
export const secondsAsked = (): number => waitedMs / 1000;

/** Asks for a password; throws DfsError("interrupted") at Ctrl-C, DfsError("usage") where there is no terminal. */
export async function askPassword(prompt: string): Promise<string> {
  const { stdin } = process;
  if (!stdin.isTTY) throw new DfsError("usage", "there is no terminal to ask for the password at");
  // Before it asks: who answers at once must not see the answer.
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

/** A line after more was typed, and whether that ended it. */
export interface Typed {
  readonly line: string;
  readonly end: "line" | "interrupted" | null;
  /** What was typed after the end. */
  readonly rest: string;
}

/** What these keys make of a line. A password may be as long as there is room for; more is not taken. */
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
