/**
 * Reads the file of users (dfs.conf, or users.conf in a server's folder). Each line has a user's
 * name, the password or a verifier, and perhaps "operator" or "user". If no line has either word,
 * the first user is the operator. Used by current_users.ts, edit_users.ts and the `user` commands.
 */
import { readFile, stat } from "node:fs/promises";
import { asDfsError, DfsError } from "../../errors.ts";
import { stretch } from "../../io/stretch.ts";
import { USER_BYTES, USERS_FILE_BYTES } from "../../limits.ts";
import type { KnownUser, UserTable } from "../access/login.ts";
import { type Verifier, verifierOf } from "../../wire/login.ts";

export const OPERATOR = "operator";
/** Marks a user who is no operator, wherever the line stands. */
export const ORDINARY = "user";
type Role = typeof OPERATOR | typeof ORDINARY;

/** The content of one line of the file. */
export interface UserLine {
  /** Counted from 1. */
  readonly line: number;
  readonly name: string;
  readonly secret: { readonly verifier: Verifier } | { readonly password: string };
  readonly role: Role | null;
}

export type Warn = (line: string) => void;

/** The file of users in a server's folder. */
export const USERS_FILE = "users.conf";

/** The prefix of each kind of verifier: the newer kind, then the older. */
const SCHEMES = { signature: "Ed25519$", scram: "SCRAM-SHA-256$" } as const;
const KEY_BYTES = 32;
const FORM = `"NAME PASSWORD" or "NAME ${SCHEMES.signature}KEY$KEY", and "${OPERATOR}" after it for an operator`;

/**
 * A line: an optional bullet, the name, the secret, and the rest. Comments, which begin with a `#`
 * at the start of a word, are removed before.
 */
const LINE = /^\s*(?:[*-]\s*)?(\S+)(?:\s+(\S+)(?:\s+(.*))?)?$/;

/** How a verifier is written in the file. */
export function verifierText(verifier: Verifier): string {
  const key = verifier.is === "signature" ? verifier.publicKey : verifier.storedKey;
  return `${SCHEMES[verifier.is]}${key.toBase64()}$${verifier.serverKey.toBase64()}`;
}

/**
 * Reads the text of a file of users, line by line. Throws DfsError("config") that names `path` and
 * the line.
 */
export function parseUsers(text: string, path: string): UserLine[] {
  const users: UserLine[] = [];
  for (const [i, line] of text.split("\n").entries()) {
    const fail = (what: string): never => {
      throw new DfsError("config", `${path}:${i + 1}: ${what}`);
    };
    const content = line
      .replace(/^\uFEFF/, "")
      .replace(/(^|\s)#[^]*$/, "")
      .trim();
    if (content === "") continue;
    const user = { line: i + 1, ...userIn(content, fail) };
    const twin = users.find(({ name }) => name === user.name);
    if (twin) fail(`there is another user ${user.name}, in line ${twin.line}; leave one of them`);
    users.push(user);
  }
  return users;
}

/** Messages here never show text that may be a password. */
function userIn(content: string, fail: (what: string) => never): Omit<UserLine, "line"> {
  const [, name = "", secret, role] = LINE.exec(content) ?? [];
  const fault = faultOfUser(name);
  if (fault !== null) fail(`the name of the user cannot be one: ${fault}; a line is ${FORM}`);
  if (secret === undefined) return fail(`nothing follows the name; a line is ${FORM}`);
  if (role !== undefined && role !== OPERATOR && role !== ORDINARY)
    return fail(`too much follows the name, and a password has no spaces here; a line is ${FORM}`);
  const kind = (["signature", "scram"] as const).find((is) => secret.startsWith(SCHEMES[is]));
  // A name that ends so, before a password, is meant to end before that character.
  if (!kind && /[,;]$/.test(name))
    fail(`the name of the user ends in "${name.at(-1)}"; a line is ${FORM}`);
  if (!kind) return { name, secret: { password: secret }, role: role ?? null };
  const verifier = verifierIn(secret, kind);
  if (verifier) return { name, secret: { verifier }, role: role ?? null };
  return fail(
    `what follows ${SCHEMES[kind]} is damaged; remove the line, and add ${name} again with dfs-tool user add`,
  );
}

function verifierIn(text: string, is: Verifier["is"]): Verifier | null {
  const keys = text.slice(SCHEMES[is].length).split("$");
  const [key, serverKey, ...more] = keys.map((word) => new Uint8Array(Buffer.from(word, "base64")));
  if (!key || !serverKey || more.length > 0) return null;
  const isWhole = key.length === KEY_BYTES && serverKey.length === KEY_BYTES;
  const verifier: Verifier =
    is === "signature" ? { is, publicKey: key, serverKey } : { is, storedKey: key, serverKey };
  return isWhole && verifierText(verifier) === text ? verifier : null;
}

/** What is wrong with the name of a user; null if nothing is. */
export function faultOfUser(name: string): string | null {
  if (name === "") return "it is empty";
  if (!name.isWellFormed() || name.includes("\uFFFD")) return "it is not valid Unicode";
  if (Buffer.byteLength(name) > USER_BYTES) return `it is longer than ${USER_BYTES} bytes`;
  if (/\s/u.test(name)) return "it has a space";
  if (/\p{Cc}/u.test(name)) return "it has a control character";
  if (/^[*-]/.test(name)) return `it begins with "${name.charAt(0)}"`;
  const bad = /[#/:]/.exec(name);
  return bad ? `it has a "${bad[0]}"` : null;
}

const saysRoles = (users: readonly UserLine[]): boolean => users.some(({ role }) => role !== null);

/**
 * The names of the operators: the users marked so; or, if no user is marked at all, the first one.
 */
export function operatorsOf(
  users: readonly UserLine[],
  mayBeFirst = !saysRoles(users),
): Set<string> {
  const operators = mayBeFirst ? users.slice(0, 1) : users.filter(({ role }) => role === OPERATOR);
  return new Set(operators.map(({ name }) => name));
}

/** Why a file cannot be read; null if there is none. */
export function whyUnreadable(error: unknown): string | null {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ENOENT" || code === "ENOTDIR") return null;
  if (code === "EISDIR") return "it is a folder";
  return code === "EACCES" ? "permission denied" : String(code);
}

/** The text of a file of users; null if there is none. Throws DfsError("config"). */
export async function readUsers(path: string): Promise<string | null> {
  try {
    const bytes = await readFile(path);
    if (bytes.length <= USERS_FILE_BYTES)
      return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  } catch (error) {
    const why = whyUnreadable(error);
    if (why === null) return null;
    throw new DfsError("config", `${path}: the users cannot be read: ${why}`);
  }
  throw new DfsError("config", `${path}: it is too large to be a file of users`);
}

/**
 * The users of a file; none if there is no file. Warns about passwords in plain text. Throws
 * DfsError("config").
 */
export const loadUsers = async (path: string, warn: Warn): Promise<UserTable> =>
  tableOf(parseUsers((await readUsers(path)) ?? "", path), path, warn);

async function tableOf(
  users: readonly UserLine[],
  path: string,
  warn: Warn,
  mayBeFirst?: boolean,
): Promise<UserTable> {
  const operators = operatorsOf(users, mayBeFirst);
  const table = new Map<string, KnownUser>();
  for (const { line, name, secret } of users) {
    const isOperator = operators.has(name);
    if ("verifier" in secret) {
      table.set(name, { verifier: secret.verifier, isOperator });
      continue;
    }
    warn(
      `${path}:${line}: whoever reads this file knows the password of ${name}; replace it with: dfs-tool user add ${path} ${name}`,
    );
    const { login } = await stretch(name, secret.password);
    table.set(name, { verifier: verifierOf(name, login), isOperator });
  }
  return table;
}

/**
 * Returns a function that tells the users of a file at each moment; it reads the file again only
 * after a change. If the new text is broken, the users stay the same, with one warning. If there
 * never were any, the function throws DfsError("config").
 */
export function watchedUsers(path: string, warn: Warn): () => Promise<UserTable> {
  let stamp = "";
  let table: UserTable | null = null;
  let lastWarning = "";
  const warnOnce = (error: unknown): void => {
    const { message } = asDfsError(error);
    if (message !== lastWarning) warn(`${message}; until then the users are those from before`);
    lastWarning = message;
  };
  // Marks that were once there still count: if they are removed by hand, the first user does not
  // become an operator.
  let hadRoles = false;
  const refresh = async (): Promise<UserTable> => {
    // The stamp is taken before the file is read, so that a change during the reading is seen the
    // next time.
    const now = await stampOf(path);
    if (table !== null && now === stamp) return table;
    const text = readUsers(path);
    try {
      await text;
    } catch (error) {
      if (table === null) throw error;
      // For example, too many files are open: it is tried again the next time.
      warnOnce(error);
      return table;
    }
    try {
      const users = parseUsers((await text) ?? "", path);
      if (hadRoles && !saysRoles(users) && users.length > 0)
        warn(`${path}: nobody is marked as an operator any more, and so nobody is one`);
      hadRoles ||= saysRoles(users);
      table = await tableOf(users, path, warn, hadRoles ? false : undefined);
      lastWarning = "";
    } catch (error) {
      if (table === null) throw error;
      warnOnce(error);
    }
    stamp = now;
    return table;
  };
  // One reading after the other: a caller that comes during a reading must not miss a change of
  // that moment.
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const mine = last.then(refresh);
    last = mine.catch(() => {});
    return mine;
  };
}

/** A text that changes when the file is changed or replaced. */
async function stampOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeNs } = await stat(path, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    return `none: ${(error as NodeJS.ErrnoException).code}`;
  }
}
