/**
 * Where on this machine `get` writes: into which folder, where a link leads, and which paths are
 * open descriptors. Used by get and sink.ts.
 */
import { fstatSync, lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DfsError, isDfsError } from "../../errors.ts";
import { codeOf, reasonOf } from "../../io/reason.ts";

/** The limit of Linux. */
const LINKS_MAX = 40;
const STREAMS = ["stdin", "stdout", "stderr"];

/**
 * The descriptor that a path names, such as /dev/stdout or /dev/fd/3; null if it is a path for a
 * file.
 */
function descriptorIn(path: string): number | null {
  const [, stream, number] =
    /^\/dev\/(stdin|stdout|stderr)$|^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(path) ?? [];
  if (stream !== undefined) return STREAMS.indexOf(stream);
  return number === undefined ? null : Number(number);
}

/**
 * The descriptor that a path names, directly or over links; null if it is a path for a file. Must
 * be called before the program opens anything itself. Throws DfsError("usage") if the caller has
 * not opened it.
 */
export function openDescriptor(path: string): number | null {
  const found = descriptorIn(endOfLinks(path).path);
  if (found === null || isOpen(found)) return found;
  throw new DfsError("usage", `${path} is not open`);
}

/** Is it open, and something to write to, and not one of the program's own descriptors? */
function isOpen(descriptor: number): boolean {
  try {
    const info = fstatSync(descriptor);
    return info.isFile() || info.isFIFO() || info.isCharacterDevice() || info.isSocket();
  } catch (error) {
    if (codeOf(error) === "EBADF") return false;
    throw error;
  }
}

/** The end of a path over links, with its Stats if it exists. A descriptor is an end. */
export function endOfLinks(path: string): { path: string; info: Stats | null } {
  try {
    return followLinks(path);
  } catch (error) {
    throw isDfsError(error) ? error : new DfsError("failed", `${path}: ${reasonOf(error)}`);
  }
}

function followLinks(path: string): { path: string; info: Stats | null } {
  let end = path;
  for (let links = 0; links <= LINKS_MAX; links++) {
    if (descriptorIn(end) !== null) return { path: end, info: null };
    const info = lstatSync(end, { throwIfNoEntry: false }) ?? null;
    if (!info?.isSymbolicLink()) return { path: end, info };
    // ".." in a link counts from the real place of the link.
    end = resolve(realpathSync(dirname(end)), readlinkSync(end));
  }
  throw new DfsError("failed", `${path} is a link that leads back to itself`);
}

/**
 * The folder that `-o DIR/` or `--to DIR` names; null if `-o` names a file or stdout. Throws
 * DfsError("usage") if there is no such folder.
 */
export function folderOf(
  output: string | undefined,
  to: string | undefined,
): { folder: string } | null {
  for (const [flag, value] of [["-o", output] as const, ["--to", to] as const])
    if (value === "") throw new DfsError("usage", `${flag} needs a path; it is empty`);
  if (output !== undefined && to !== undefined)
    throw new DfsError("usage", "-o and --to exclude each other; leave out one");
  const named = to ?? output;
  if (named === undefined) return { folder: "" };
  if (to === undefined && !named.endsWith("/")) return null;
  if (isFolder(named)) return { folder: named };
  throw new DfsError("usage", `${named}: there is no such folder; make it with: mkdir -p ${named}`);
}

/**
 * Is it a folder, itself or over links? If a path cannot be read, the error is reported where the
 * path is used.
 */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
