/**
 * Asks for passwords, new ones and those that are there: never from an argument, which every process
 * of the machine can read. Used by open.ts, and by the commands init and user.
 */
import { checkPassword, firstLineOf } from "../../api/config/password.ts";
import { DfsError } from "../../errors.ts";
import { PASSWORD_BYTES } from "../../limits.ts";
import { askPassword } from "../../terminal/ask_password.ts";

/** Asks the user to type the password. Throws DfsError("config") if it cannot be one. */
export const askFor = async (user: string): Promise<string> =>
  checkPassword(await askPassword(`Password of ${user}: `), "the password");

/**
 * A new password: from $DFS_NEW_PASSWORD, else the first line of stdin, else typed twice at the
 * terminal. Throws DfsError("usage") if it cannot be a password.
 */
export async function newPassword(user: string): Promise<string> {
  const given = process.env.DFS_NEW_PASSWORD;
  if (given !== undefined) return checked(given, "$DFS_NEW_PASSWORD");
  if (!process.stdin.isTTY) return checked(await firstLine(), "the first line of stdin");
  const password = checked(await askPassword(`New password of ${user}: `), "the password");
  if ((await askPassword("The same again: ")) === password) return password;
  throw new DfsError("usage", "the two passwords differ; try again");
}

function checked(password: string, where: string): string {
  const fault = faultOf(password);
  if (fault === null) return password;
  throw new DfsError("usage", `${where} ${fault}`);
}

function faultOf(password: string): string | null {
  if (password === "") return "is empty, and a password must not be";
  if (!password.isWellFormed() || password.includes("\uFFFD")) return "is not valid Unicode";
  if (Buffer.byteLength(password) > PASSWORD_BYTES)
    return `is longer than the ${PASSWORD_BYTES} bytes of a password`;
  return null;
}

async function firstLine(): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of process.stdin) {
    text += decoder.decode(bytes as Uint8Array, { stream: true });
    // A longer text is refused anyway.
    if (text.includes("\n") || text.length > 2 * PASSWORD_BYTES) break;
  }
  return firstLineOf(text);
}
