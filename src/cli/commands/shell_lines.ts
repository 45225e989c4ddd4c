/**
 * The lines that a shell gets, from a prompt or from a pipe, and the words of a line. Used by
 * shell.ts; main.ts uses the words.
 */
import { createInterface } from "node:readline";
import { DfsError, exitStatus } from "../../errors.ts";
import { leave, undoAtInterrupt } from "../../terminal/interrupt.ts";

/** Yields lines until the input ends. The next line is read once the one before is done. */
export const shellLines = (prompt: () => string): AsyncIterable<string> =>
  process.stdin.isTTY ? typedLines(prompt) : console;

/**
 * Each prompt has a readline of its own, with the history of the one before. While a command works
 * the terminal must be in its normal mode, or Ctrl-C would not reach the command.
 */
async function* typedLines(prompt: () => string): AsyncGenerator<string> {
  let history: string[] = [];
  // The output may be closed, so that nobody sees the prompt: the lines are carried out all the
  // same.
  const { stdin: input, stdout: output } = process;
  output.on("error", () => {});
  for (;;) {
    const readline = createInterface({ input, output, terminal: true, history, prompt: prompt() });
    const giveBack = (): void => readline.close();
    const forget = undoAtInterrupt(giveBack);
    readline.on("SIGINT", () => leave(exitStatus("interrupted")));
    readline.on("history", (lines) => (history = lines));
    // Several lines may come at once, if they are pasted.
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

/**
 * Splits a line into words. Quotes of either kind keep spaces in a word. Throws DfsError("usage").
 */
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
