/** The lines that a shell is given, from a terminal with a prompt or from a pipe, and their words. */
import { createInterface } from "node:readline";
import { DfsError, exitStatus } from "../../errors.ts";
import { leave, undoAtInterrupt } from "../../terminal/interrupt.ts";

/** Lines until the input ends; the next is read when the one before is done with. */
export const shellLines = (prompt: () => string): AsyncIterable<string> =>
  process.stdin.isTTY ? typedLines(prompt) : console;

/**
 * Each prompt has its own readline, with the history of the one before: while a command works the terminal must be
 * its own again, or Ctrl-C would not reach it.
 */
async function* typedLines(prompt: () => string): AsyncGenerator<string> {
  let history: string[] = [];
  // Nobody may read the prompt any more: the lines are carried out all the same.
  const { stdin: input, stdout: output } = process;
  output.on("error", () => {});
  for (;;) {
    const readline = createInterface({ input, output, terminal: true, history, prompt: prompt() });
    const giveBack = (): void => readline.close();
    const forget = undoAtInterrupt(giveBack);
    readline.on("SIGINT", () => leave(exitStatus("interrupted")));
    readline.on("history", (lines) => (history = lines));
    // Several lines may come at once, when they are pasted.
    const lines: string[] = [];
    await new Promise<void>((resolve) => {
      readline.on("line", (line) => {
        lines.push(line);
        resolve();
      });
      readline.on("close", resolve);
      readline.prompt();
    });
    giveBack();
    forget();
    if (lines.length === 0) return;
    yield* lines;
  }
}

/** The words of a line; quotes of either kind hold spaces together. Throws DfsError("usage"). */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  const word = /((?:"[^"]*"|'[^']*'|[^\s"'])+)\s*/y;
  const text = line.trim();
  while (word.lastIndex < text.length) {
    const [, quoted] = word.exec(text) ?? [];
    if (quoted === undefined) throw new DfsError("usage", "a quote is not closed");
    words.push(quoted.replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
  }
  return words;
}
