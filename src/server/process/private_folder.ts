/** What a server keeps is its owner's alone: new files and folders by the umask, and the catalog of a folder that was made without it. */
import { chmodSync, lstatSync, readdirSync, type Stats } from "node:fs";
import { join } from "node:path";

const UMASK = 0o077;
const OWNER_ONLY = 0o600;
/** The catalog, what SQLite keeps beside it, and what is in the way of its being opened. */
const CATALOG = /^(?:catalog\.sqlite(?:-[a-z]+)?|format\.json)$/;

/** From now on nothing that this process makes is readable by others. */
export const keepPrivate = (): void => void process.umask(UMASK);

/** Takes the files of the catalog in this folder away from others; were there any to take them from? */
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

/** On Windows nobody else reads it by such bits. */
const isMine = ({ uid }: Stats): boolean =>
  process.getuid !== undefined && uid === process.getuid();

/** None where there is no such folder yet; what else is wrong with it is told when it is opened. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
