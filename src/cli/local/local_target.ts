/** Where on this machine what `get` brings goes: which folder, what a link leads to, and which paths are descriptors that are open already. */
import { fstatSync, lstatSync, readlinkSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { DfsError, isDfsError } from "../../errors.ts";
import { codeOf, reasonOf } from "../../io/reason.ts";

/** As many as Linux follows. */
const LINKS_MAX = 40;
const STREAMS = ["stdin", "stdout", "stderr"];

/** The descriptor that a path stands for, as /dev/stdout and /dev/fd/3 do; null: it is a place for a file. */
function descriptorIn(path: string): number | null {
  const [, stream, number] =
    /^\/dev\/(stdin|stdout|stderr)$|^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(path) ?? [];
  if (stream !== undefined) return STREAMS.indexOf(stream);
  return number === undefined ? null : Number(number);
}

/**
 * The descriptor that a path stands for, itself or over links; null: it is a place for a file. To be asked before the program opens
 * anything itself. Throws DfsError("usage") where the caller has opened none of that number.
 */
export function openDescriptor(path: string): number | null {
  const found = descriptorIn(endOfLinks(path).path);
  if (found === null || isOpen(found)) return found;
  throw new DfsError("usage", `${path} is not open`);
}

/** Is this something that one can write to, and no means of the program's own? */
function isOpen(descriptor: number): boolean {
  try {
    const info = fstatSync(descriptor);
    return info.isFile() || info.isFIFO() || info.isCharacterDevice() || info.isSocket();
  } catch (error) {
    if (codeOf(error) === "EBADF") return false;
    throw error;
  }
}

/** What a path leads to over links, be it there (then with what is known of it) or not; a descriptor is an end. */
export function endOfLinks(path: string): { path: string; info: Stats | null } {
  try {
    return followed(path);
  } catch (error) {
    throw isDfsError(error) ? error : new DfsError("failed", `${path}: ${reasonOf(error)}`);
  }
}

function followed(path: string): { path: string; info: Stats | null } {
  let end = path;
  for (let links = 0; links <= LINKS_MAX; links++) {
    if (descriptorIn(end) !== null) return { path: end, info: null };
    const info = lstatSync(end, { throwIfNoEntry: false }) ?? null;
    if (!info?.isSymbolicLink()) return { path: end, info };
    // ".." in a link counts from where it really lies.
    end = resolve(realpathSync(dirname(end)), readlinkSync(end));
  }
  throw new DfsError("failed", `${path} is a link that leads back to itself`);
}

/** The folder that `-o DIR/` or `--to DIR` names; null where `-o` names a file or stdout. Throws DfsError("usage") where there is no such folder. */
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

/** Is there a folder, itself or over links? Why a path cannot be looked at is told where it is used. */
export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The file that a stored name becomes in a folder ("": the current one): its last component. */
export function pathIn(folder: string, base: string): string {
  // On Windows these would lead to another folder, or to a device.
  if (process.platform !== "win32" || !/[\\:]/.test(base)) return join(folder, base);
  throw new DfsError(
    "usage",
    `${base} cannot be a file name on Windows; say where it goes with -o FILE`,
  );
}
