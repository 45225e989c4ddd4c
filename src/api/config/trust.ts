/**
 * Who owns the files that a command relies on, and who else may write them. Used by config.ts and
 * password.ts.
 *
 * Nobody has said that a ./dfc.conf is to be trusted if it was only found in the current folder: it
 * may have come with an archive, or be where other users write; and it decides where the user's
 * files go.
 */
import { lstatSync, realpathSync, type Stats, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, resolve, sep } from "node:path";
import { DfsError } from "../../errors.ts";

/** Writable by the group, or by all. */
const WRITABLE = 0o022;
const WRITABLE_BY_ALL = 0o002;
/** In a folder with this bit nobody can replace another user's file. */
const STICKY = 0o1000;

/**
 * The user of this process; null on Windows, which does not tell the user or the rights by these
 * numbers.
 */
const me = (): number | null => process.getuid?.() ?? null;

const isAnothers = ({ uid }: Stats): boolean => uid !== 0 && uid !== me();

/** May another user than this one and root have written this file? */
export function isForeign(file: string): boolean {
  if (me() === null) return false;
  const info = statSync(file);
  return isAnothers(info) || (info.mode & WRITABLE) !== 0;
}

/** Is it the user's own folder, which contains only what they have put there? */
export const isHome = (folder: string): boolean => realOr(folder) === realOr(homedir());

/** Throws DfsError("config") if another user may have written the configuration that was found. */
export function checkFound(path: string): void {
  const fault = me() === null ? null : faultOf(path);
  if (fault === null) return;
  throw new DfsError(
    "config",
    `./${path} ${fault}: others may have chosen its servers; if you trust it, name it with --config ${path}`,
  );
}

function faultOf(path: string): string | null {
  const [file, link, folder] = [statSync(path), lstatSync(path), statSync(dirname(resolve(path)))];
  if (isAnothers(file) || isAnothers(link)) return "belongs to another user";
  if ((file.mode & WRITABLE) !== 0) return `can be written by others (chmod go-w ${path})`;
  if (isAnothers(folder)) return "is in a folder of another user";
  const isOpen = (folder.mode & WRITABLE_BY_ALL) !== 0 && (folder.mode & STICKY) === 0;
  return isOpen ? "is in a folder that all may write" : null;
}

/** Is a file in a folder or below it, once all links are followed? */
export const isWithin = (file: string, folder: string): boolean =>
  realOr(file).startsWith(realOr(folder).replace(/[\\/]$/, "") + sep);

function realOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}
