/**
 * The names of files: UTF-8 paths inside a user's space, with "/" between their parts. Used by
 * client, server, store, wire and cli.
 */
import { type Codec, text as textCodec } from "../bytes.ts";
import { malformed } from "../cursor.ts";
import { DfsError } from "../errors.ts";
import { FIRST_COMPONENT_BYTES, REST_BYTES, SEALED_NAME_BYTES } from "../limits.ts";

const utf8 = new TextEncoder();

declare const KIND: unique symbol;
/** The name of a file or a folder, as its user knows it. `checkName` makes it. */
export type Name = string & { readonly [KIND]: "name" | "new name" };
/** A name that may be stored from now on. `checkNewName` makes it. */
export type NewName = Name & { readonly [KIND]: "new name" };
/**
 * A name as servers know it, sealed or not, or a reserved one. A space makes it of a name, the
 * codec of the wire reads it, and `checkStored` makes it of other text.
 */
export type StoredName = string & { readonly [KIND]: "stored name" };

/** The reserved name of the cluster's configuration. No file can have it. */
export const CONFIG_NAME = "" as StoredName;

/** The reserved name of a user's master key. No file can have it. */
export const KEY_NAME = "." as StoredName;

/** The first component that is reserved for what the program itself keeps in a user's space. */
const HIDDEN = ".dfs";

/**
 * Returns the name if a file or a folder can have it. Else throws DfsError("usage"), which says
 * what is wrong with it.
 */
export function checkName(name: string): Name {
  const why = faultOf(name);
  if (why !== null) throw new DfsError("usage", `${quoted(name)} cannot be a name: ${why}`);
  return name as Name;
}

/**
 * Returns the name if it may be stored from now on. A new name has no C1 control characters either.
 * They were allowed once, so a name that has them can still be read, listed and removed. The same
 * is true of names whose first component is reserved.
 */
export function checkNewName(name: string): NewName {
  const checked = checkName(name);
  const why = C1.test(name)
    ? "it has a control character"
    : name === HIDDEN || name.startsWith(`${HIDDEN}/`)
      ? `${HIDDEN}/ is reserved`
      : null;
  if (why !== null) throw new DfsError("usage", `${quoted(name)} cannot be a new name: ${why}`);
  return checked as NewName;
}

/** A name that is there already may be stored again, as it is. */
export const storedAgain = (name: Name): NewName => name as NewName;

/** Returns the name of a folder, with a "/" at its end, if it may be one. Throws as `checkName`. */
export const checkFolder = (name: string): Name =>
  checkName(name === "" || name.endsWith("/") ? name : `${name}/`);

/**
 * Returns a name as servers know it, sealed or not: of a file, a folder or a reserved one. Throws
 * DfsError("usage").
 */
export function checkStored(name: string): StoredName {
  const why = storedFaultOf(name);
  if (why === null) return name as StoredName;
  throw new DfsError("usage", `${quoted(name)} cannot be a name: ${why}`);
}

const storedText = textCodec(SEALED_NAME_BYTES);
/** A name as servers know it. What is read must be one that `checkStored` accepts. */
export const storedName: Codec<StoredName> = {
  write: (w, v) => storedText.write(w, v),
  read(r) {
    const name = storedText.read(r);
    if (mayBeStored(name)) return name;
    throw malformed("a name is none");
  },
};

/** Would `checkStored` accept the name? */
export const mayBeStored = (name: string): name is StoredName => storedFaultOf(name) === null;

/** May a name begin so? */
export const mayBegin = (prefix: string): boolean =>
  prefix === CONFIG_NAME || prefix === KEY_NAME || faultOf(prefix) === null;

/** The name in quotes, on one line. Only its beginning, if it is long. */
const quoted = (name: string): string => JSON.stringify(name.slice(0, 80).toWellFormed());

/** Servers do not know whether a name is sealed, so they allow all that may be its sealed form. */
function storedFaultOf(name: string): string | null {
  if (!name.isWellFormed()) return "it is not valid Unicode";
  if (isLonger(name, SEALED_NAME_BYTES)) return `it is longer than ${SEALED_NAME_BYTES} bytes`;
  return C0.test(name) ? "it has a control character" : null;
}

/** What is wrong with this name; null when nothing is. */
function faultOf(name: string): string | null {
  if (name === CONFIG_NAME) return "it is empty";
  if (name === KEY_NAME) return "it is reserved";
  if (!name.isWellFormed()) return "it is not valid Unicode";
  if (C0.test(name)) return "it has a control character";
  const slash = name.indexOf("/");
  const first = slash < 0 ? name : name.slice(0, slash);
  if (isLonger(first, FIRST_COMPONENT_BYTES))
    return `its first component is longer than ${FIRST_COMPONENT_BYTES} bytes`;
  return slash >= 0 && isLonger(name.slice(slash + 1), REST_BYTES)
    ? `what follows its first "/" is longer than ${REST_BYTES} bytes`
    : null;
}

// oxlint-disable-next-line no-control-regex
const C0 = /[\0-\u001f\u007f]/;
// oxlint-disable-next-line no-control-regex
const C1 = /[\u0080-\u009f]/;

/**
 * Is the UTF-8 of a text longer than so many bytes? A list asks it of every name, and mostly the
 * number of characters answers it.
 */
const isLonger = (text: string, bytes: number): boolean =>
  3 * text.length > bytes && utf8.encode(text).length > bytes;

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
