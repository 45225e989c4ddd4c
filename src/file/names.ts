/**
 * The names of files: UTF-8 paths inside a user's space, with "/" between their parts. Used by
 * client, server, store and cli.
 */
import { DfsError } from "../errors.ts";
import {
  COMPONENT_BYTES,
  NAME_BYTES,
  SEALED_COMPONENT_BYTES,
  SEALED_NAME_BYTES,
} from "../limits.ts";

const utf8 = new TextEncoder();

/**
 * Returns the name if it may be stored. Else throws DfsError("usage"), which says what is wrong
 * with it.
 */
export function checkName(name: string): string {
  const why = faultOf(name);
  if (why !== null)
    throw new DfsError("usage", `${JSON.stringify(name.slice(0, 80))} cannot be a name: ${why}`);
  return name;
}

/**
 * Returns the name if it may be stored from now on. A new name has no C1 control characters and no
 * line separators either. They were allowed once, so a name that has them can still be read, listed
 * and removed.
 */
export function checkNewName(name: string): string {
  checkName(name);
  if (!/[\p{Cc}\p{Zl}\p{Zp}]/u.test(name)) return name;
  throw new DfsError(
    "usage",
    `${JSON.stringify(name.slice(0, 80))} cannot be a new name: it has a control character, or a line separator`,
  );
}

/** Returns the name of a folder, with a "/" at its end, if it may be one. Throws as `checkName`. */
export function checkFolder(name: string): string {
  const folder = `${checkName(name.replace(/\/$/, ""))}/`;
  if (utf8.encode(folder).length <= NAME_BYTES) return folder;
  throw new DfsError(
    "usage",
    `${JSON.stringify(name.slice(0, 80))} is too long for the name of a folder`,
  );
}

/**
 * Returns the name of a file, or of a folder if it ends in "/", if it may be one. Throws as
 * `checkName`.
 */
export const checkFileOrFolder = (name: string): string =>
  name.endsWith("/") ? checkFolder(name) : checkName(name);

/**
 * The reserved name of a user's master key. No file can have it, since no part of a name may be
 * ".".
 */
export const KEY_NAME = ".";

/**
 * Returns a name as servers know it, sealed or not: of a file, a folder or a reserved one. Throws
 * DfsError("usage").
 */
export function checkStored(name: string): string {
  const why = storedFaultOf(name);
  if (why === null) return name;
  throw new DfsError("usage", `${JSON.stringify(name.slice(0, 80))} cannot be a name: ${why}`);
}

/** Would `checkStored` accept the name? */
export const mayBeStored = (name: string): boolean => storedFaultOf(name) === null;

function storedFaultOf(name: string): string | null {
  if (name === "" || name === KEY_NAME) return null;
  const bare = name.endsWith("/") ? name.slice(0, -1) : name;
  const fault = faultOf(bare, SEALED_NAME_BYTES, SEALED_COMPONENT_BYTES);
  const isLong = fault === null && isLonger(name, SEALED_NAME_BYTES);
  return isLong ? "it is too long" : fault;
}

/** What is wrong with this name; null when nothing is. */
function faultOf(
  name: string,
  maxBytes = NAME_BYTES,
  maxComponentBytes = COMPONENT_BYTES,
): string | null {
  if (name === "") return "it is empty";
  if (!name.isWellFormed()) return "it is not valid Unicode";
  if (isLonger(name, maxBytes)) return `it is longer than ${maxBytes} bytes`;
  if (hasControl(name)) return "it has a control character";
  if (name.startsWith("/")) return "it is an absolute path";
  for (const component of name.split("/")) {
    if (component === "") return 'it has an empty component ("//", or "/" at its end)';
    if (component === "." || component === "..") return `it has the component "${component}"`;
    if (isLonger(component, maxComponentBytes))
      return `a component is longer than ${maxComponentBytes} bytes`;
  }
  return null;
}

/**
 * Is the UTF-8 of a text longer than so many bytes? A list asks it of every name, and mostly the
 * number of characters answers it.
 */
const isLonger = (text: string, bytes: number): boolean =>
  3 * text.length > bytes && utf8.encode(text).length > bytes;

function hasControl(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) return true;
  }
  return false;
}

/**
 * Orders names by their bytes, as the catalogs do. JavaScript's own order differs beyond U+FFFF.
 */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [one, other] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (one !== other) return rankOf(one) - rankOf(other);
  }
  return a.length - b.length;
}

/**
 * The rank of a UTF-16 unit in the order of UTF-8. Half of a character beyond the first 65,536
 * comes after all others. As a UTF-16 unit it would come before the last 8,192 of them.
 */
const rankOf = (unit: number): number => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);

/** The part after the last "/". */
export const baseName = (name: string): string => name.slice(name.lastIndexOf("/") + 1);
