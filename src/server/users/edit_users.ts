/**
 * Changes a file of users: one line at a time. Everything else in it stays as it is, and no two
 * changes happen at the same time. Used by `user` commands and by current_users.ts; edit_config.ts
 * replaces a dfc.conf with it.
 */
import { realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { asDfsError, DfsError } from "../../errors.ts";
import { bunDisk, createFile, type RealFile } from "../../io/bun_disk.ts";
import { replaceDurably, type ReplacingDisk } from "../../io/replace_durably.ts";
import { USERS_LOCK_MS, USERS_LOCK_POLL_MS } from "../../limits.ts";
import type { Verifier } from "../../wire/login.ts";
import { lockFile } from "../../io/lock.ts";
import { OPERATOR, ORDINARY, parseUsers, readUsers, type UserLine, verifierText } from "./users.ts";

/** The users before a change and after it. */
export interface Edited {
  readonly before: readonly UserLine[];
  readonly after: readonly UserLine[];
}

/**
 * Adds a user, or replaces the plain password of one; throws DfsError("usage") where there is a
 * verifier already.
 */
export function addUser(
  path: string,
  name: string,
  verifier: Verifier,
  isOperator: boolean,
): Promise<Edited> {
  return edit(path, (lines, users) => {
    const user = users.find((other) => other.name === name);
    if (user) {
      refuseKnown(path, user);
      const said = setSecret(lines[user.line - 1] ?? "", verifier);
      return lines.with(user.line - 1, isOperator ? mark(said, OPERATOR) : said);
    }
    const line = `${name} ${verifierText(verifier)}${isOperator ? ` ${OPERATOR}` : ""}`;
    const isEnded = lines.at(-1) === "";
    return [...(isEnded ? lines.slice(0, -1) : lines), line, ""];
  });
}

/** Throws DfsError("usage") unless this user's password stands in plain text, to be replaced. */
export function refuseKnown(path: string, { name, secret }: UserLine): void {
  if ("password" in secret) return;
  throw new DfsError(
    "usage",
    `there is a user ${name} in ${path} already; dfs-tool user passwd ${path} ${name} changes the password`,
  );
}

/**
 * Changes what a user's password is checked with; throws DfsError("usage") where there is no such
 * user.
 */
export const setVerifier = (path: string, name: string, verifier: Verifier): Promise<Edited> =>
  edit(path, (lines, users) => {
    const { line } = userNamed(users, path, name);
    return lines.with(line - 1, setSecret(lines[line - 1] ?? "", verifier));
  });

/**
 * Removes a user; throws DfsError("usage") where there is none. With the last who was marked as an
 * operator nobody becomes one by where their line stands: the others are marked as what they are.
 */
export const removeUser = (path: string, name: string): Promise<Edited> =>
  edit(path, (lines, users) => {
    const { line, role } = userNamed(users, path, name);
    const others = users.filter((user) => user.line !== line);
    const wasLast = role === OPERATOR && !others.some((user) => user.role === OPERATOR);
    const left = wasLast ? others.map((user) => user.line) : [];
    return lines
      .map((text, i) => (left.includes(i + 1) ? mark(text, ORDINARY) : text))
      .toSpliced(line - 1, 1);
  });

/** The line of a user; throws DfsError("usage") where there is none. */
export function userNamed(users: readonly UserLine[], path: string, name: string): UserLine {
  const user = users.find((other) => other.name === name);
  if (user) return user;
  throw new DfsError(
    "usage",
    `there is no user ${name} in ${path}; dfs-tool user list ${path} shows who there is`,
  );
}

const SECRET = /^(\uFEFF?\s*(?:[*-]\s*)?\S+\s+)(\S+)/;
const ROLE = new RegExp(`(${SECRET.source})(?:\\s+(?:${OPERATOR}|${ORDINARY})(?!\\S))?`);

/** The line with another second word. */
const setSecret = (line: string, verifier: Verifier): string =>
  line.replace(SECRET, (_, before: string) => before + verifierText(verifier));

/** The line with this word after the second one. */
const mark = (line: string, role: string): string =>
  line.replace(ROLE, (_, words: string) => `${words} ${role}`);

/** Changes the lines of a file, with no other change at the same time. */
async function edit(
  path: string,
  change: (lines: string[], users: readonly UserLine[]) => string[],
): Promise<Edited> {
  // The lock is of the file itself, whichever link leads to it, and a link stays one.
  const target = await realpath(path).catch(() => path);
  const unlock = await lock(target);
  try {
    const text = (await readUsers(target)) ?? "";
    const before = parseUsers(text, path);
    const changed = change(text.split("\n"), before).join("\n");
    // What cannot be read back must not be written.
    const after = parseUsers(changed, path);
    await replaceFile(target, changed);
    return { before, after };
  } finally {
    unlock();
  }
}

/**
 * Takes the lock; returns what lets it go. Throws DfsError("conflict") where another one keeps it.
 */
async function lock(path: string): Promise<() => void> {
  const file = `${path}-lock`;
  const unlock = await lockFile(file, USERS_LOCK_MS, USERS_LOCK_POLL_MS).catch((error: unknown) => {
    throw unwritable(path, whyNoLock(error));
  });
  if (unlock) return unlock;
  throw new DfsError(
    "conflict",
    `${path} is being changed by another dfs-tool, which has ${file} locked: try again`,
  );
}

/**
 * Replaces a file at once or not at all, with the rights that it had; throws DfsError("failed").
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  try {
    await replaceDurably(diskLike(path), dirname(path), path, new TextEncoder().encode(text));
  } catch (error) {
    throw unwritable(path, asDfsError(error).message.replace(`${path}: `, ""));
  }
}

/**
 * The disk, on which a new file gets the rights of this one; where there is none only its owner may
 * read it: verifiers can be guessed at.
 */
const diskLike = (path: string): ReplacingDisk => ({
  ...bunDisk,
  async open(temporary) {
    const file = await createFile(temporary);
    try {
      await keepRights(file, path);
    } catch (error) {
      await file.close();
      throw error;
    }
    return { ...file, sync: () => file.syncWhole() };
  },
});

/**
 * The rights and the owner of the file that is replaced: the server that reads it may be another
 * user's.
 */
async function keepRights(file: RealFile, path: string): Promise<void> {
  const old = await stat(path).catch(() => null);
  if (!old) return;
  await file.chown(old.uid, old.gid);
  await file.chmod(old.mode & 0o777);
}

const unwritable = (path: string, why: string): DfsError =>
  new DfsError("failed", `${path} cannot be changed: ${why}`);

/** Why the file of a lock cannot be made. */
function whyNoLock(error: unknown): string {
  const { code = String(error) } = error as NodeJS.ErrnoException;
  const reasons: Record<string, string> = {
    EACCES: "permission denied",
    EPERM: "permission denied",
    EROFS: "the disk can only be read",
    ENOSPC: "the disk is full",
    ENOENT: "its folder is not there",
    ENOTDIR: "its folder is not there",
  };
  return reasons[code] ?? code;
}
