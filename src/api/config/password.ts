/**
 * Where a configuration says that the user's password comes from. Used by opening.ts, and by the
 * commands.
 */
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import { DfsError } from "../../errors.ts";
import { reasonOf } from "../../io/reason.ts";
import { PASSWORD_BYTES } from "../../limits.ts";
import type { Configuration, PasswordSource } from "./config.ts";
import { isForeign, isWithin } from "./trust.ts";

/** Readable by the group, or by all. */
const READABLE = 0o044;
/**
 * The password of the user in a configuration: $DFS_PASSWORD, or what the configuration says; null
 * if neither does. Throws DfsError("config").
 */
export async function passwordOf(
  { path, isFound, user, password }: Configuration,
  warn: (line: string) => void,
): Promise<string | null> {
  const given = process.env.DFS_PASSWORD;
  if (given !== undefined && user !== "") return checkPassword(given, "$DFS_PASSWORD");
  // A user who sets it wants to log in, and wants files to be sealed.
  if (given)
    throw new DfsError(
      "config",
      `$DFS_PASSWORD is set, and ${path} names no user: write a line "Username: NAME" there, or unset it`,
    );
  if (!password) return null;
  if (password.is === "command") {
    if (isFound)
      throw new DfsError(
        "config",
        `${path}: its PasswordCommand is not run, for the file was only found in this folder: if you trust it, name it with --config ${path}`,
      );
    if (isForeign(path))
      throw new DfsError(
        "config",
        `${path}: its PasswordCommand is not run, for another user may have written it; make the file your own, and writable for you alone`,
      );
    return checkPassword(await outputOf(password.text, path), password.is);
  }
  const file = password.is === "file" ? fileOf(password, path) : path;
  if (isFound && password.is === "file" && !isWithin(file, "."))
    throw new DfsError(
      "config",
      `${path}: its PasswordFile is in another folder, and is not read for a file that was only found in this one: if you trust it, name it with --config ${path}`,
    );
  if (isOpen(file)) warn(`${file} holds a password, and others can read it: chmod 600 ${file}`);
  return checkPassword(
    password.is === "file" ? firstLineOf(textOf(file, path)) : password.text,
    file,
  );
}

/** Returns the password if it can be one. Else throws DfsError("config"), which names `where`. */
export function checkPassword(password: string, where: string): string {
  if (password !== "" && password.isWellFormed() && Buffer.byteLength(password) <= PASSWORD_BYTES)
    return password;
  throw new DfsError(
    "config",
    `${where}: the password is empty, or longer than ${PASSWORD_BYTES} bytes`,
  );
}

/** A path in a configuration starts from the folder of the configuration. */
const fileOf = ({ text }: PasswordSource, path: string): string =>
  resolve(dirname(path), text.replace(/^~(?=\/)/, homedir()));

function textOf(file: string, path: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new DfsError(
      "config",
      `${path}: the password file ${file} cannot be read: ${reasonOf(error)}`,
    );
  }
}

/** May others than its owner read it? On Windows this cannot be told by the mode. */
function isOpen(file: string): boolean {
  try {
    return process.platform !== "win32" && (statSync(file).mode & READABLE) !== 0;
  } catch {
    return false;
  }
}

/** The first line that a command prints. The command may ask at the terminal. */
async function outputOf(command: string, path: string): Promise<string> {
  const child = Bun.spawn(["sh", "-c", command], { stdio: ["inherit", "pipe", "inherit"] });
  const [text, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  if (status === 0) return firstLineOf(text);
  throw new DfsError("config", `${path}: the PasswordCommand ended with status ${status}`);
}

/** The first line of a text, without its line end. */
export const firstLineOf = (text: string): string =>
  (text.split("\n", 1)[0] ?? "").replace(/\r$/, "");
