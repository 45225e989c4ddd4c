/**
 * Keeps a server's folder private: new files and folders by the umask, and the catalog of a folder
 * that was made without it. Used by `serve`.
 */
import { chmodSync, lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";

const UMASK = 0o077;
const OWNER_ONLY = 0o600;
/** The catalog, the files that SQLite keeps beside it, and format.json. */
const CATALOG = /^(?:catalog\.sqlite(?:-[a-z]+)?|format\.json)$/;

/** From now on other users cannot read what this process makes. */
export const keepPrivate = (): void => void process.umask(UMASK);

/**
 * Takes the right to read the catalog's files away from other users. Returns whether any of them
 * had it.
 */
export function closeCatalog(folder: string): boolean {
  const isOpen = (info: Stats | undefined): boolean =>
    info !== undefined && info.isFile() && (info.mode & UMASK) !== 0 && isMine(info);
  const open = namesIn(folder)
    .filter((name) => CATALOG.test(name))
    .map((name) => join(folder, name))
    .filter((path) => isOpen(lstatSync(path, { throwIfNoEntry: false })));
  for (const path of open) chmodSync(path, OWNER_ONLY);
  return open.length > 0;
}

/** On Windows these bits do not say who may read a file. */
const isMine = ({ uid }: Stats): boolean =>
  process.getuid !== undefined && uid === process.getuid();

/** Empty if the folder cannot be read: what is wrong with it is told when it is opened. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
