/** Asks a person to confirm. Used by rm. */
import { DfsError } from "../errors.ts";
import { writeError } from "./log.ts";
import { canAsk } from "./ask_password.ts";

/**
 * Asks at the terminal. Throws DfsError("failed") unless the answer is yes, and DfsError("usage")
 * if there is no terminal.
 */
export async function confirm(question: string): Promise<void> {
  if (!canAsk())
    throw new DfsError("usage", `${question} There is no terminal to ask at: say it with --yes`);
  writeError(`${question} [y/N] `);
  const answer = await firstLine();
  if (!/^y(es)?$/i.test(answer.trim())) throw new DfsError("failed", "nothing was deleted");
}

async function firstLine(): Promise<string> {
  for await (const line of console) return line;
  return "";
}
