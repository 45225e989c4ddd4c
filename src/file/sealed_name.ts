/**
 * Sealed names. Each component of a path is sealed by itself with AES-SIV (RFC 5297), which gives
 * the same result each time. It is bound to the sealed path before it. So servers see how many
 * components a name has and how long each is. The names in a folder begin alike, and equal names in
 * different folders look different. An empty component is sealed too, but not the one after a "/"
 * at the end of a name. Used by the client's trust.
 */
import { aessiv } from "@noble/ciphers/aes.js";
import { isDfsError } from "../errors.ts";
import { FOLDERS_REMEMBERED } from "../limits.ts";
import type { Keys } from "./keys.ts";
import { checkName, type Name, type StoredName } from "./names.ts";

const utf8 = new TextEncoder();

/**
 * Sealed and opened folders, by the path that each ends. Most names share their folders, and to
 * seal or open one takes a while.
 */
interface Remembered {
  readonly sealed: Map<string, string>;
  readonly opened: Map<string, string>;
}
const remembered = new WeakMap<Keys, Remembered>();

function memoryOf(keys: Keys): Remembered {
  const known = remembered.get(keys);
  if (known) return known;
  const fresh = { sealed: new Map<string, string>(), opened: new Map<string, string>() };
  remembered.set(keys, fresh);
  return fresh;
}

const cipherFor = (keys: Keys, before: string) => aessiv(keys.names, utf8.encode(before));

/** The folders of a path, the outermost first, and the part after the last "/". */
function partsOf(path: string): { folders: string[]; last: string } {
  const parts = path.split("/");
  const last = parts.pop() ?? "";
  return { folders: parts, last };
}

/**
 * What servers know a name by, or the names that begin with a path: the "" and the "/" at its end
 * stay.
 */
export function sealName(keys: Keys, name: string): StoredName {
  const { folders, last } = partsOf(name);
  const { sealed } = memoryOf(keys);
  let done = "";
  let path = "";
  for (const folder of folders) {
    const before = done;
    path += `${folder}/`;
    done += `${recall(sealed, path, () => sealComponent(keys, before, folder)) ?? ""}/`;
  }
  return (last === "" ? done : done + sealComponent(keys, done, last)) as StoredName;
}

/**
 * The name that was sealed so; null where it was not sealed with these keys, or may not be a name.
 */
export function openName(keys: Keys, sealed: StoredName): Name | null {
  const { folders, last } = partsOf(sealed);
  const { opened } = memoryOf(keys);
  let name = "";
  let path = "";
  for (const folder of folders) {
    const before = path;
    path += `${folder}/`;
    const plain = recall(opened, path, () => openComponent(keys, before, folder));
    if (plain === null) return null;
    name += `${plain}/`;
  }
  if (last === "") return nameOrNull(name);
  // The empty component at the end of a name has no sealed form.
  const plain = openComponent(keys, path, last);
  return plain ? nameOrNull(name + plain) : null;
}

/** null where it may not be a name. */
function nameOrNull(name: string): Name | null {
  try {
    return checkName(name);
  } catch (error) {
    if (isDfsError(error)) return null;
    throw error;
  }
}

const sealComponent = (keys: Keys, before: string, component: string): string =>
  textOf(cipherFor(keys, before).encrypt(utf8.encode(component)));

function openComponent(keys: Keys, before: string, sealed: string): string | null {
  try {
    const bytes = Uint8Array.fromBase64(sealed, { alphabet: "base64url" });
    // A name has only one sealed form. Another text for the same bytes was not made by its user.
    if (textOf(bytes) !== sealed) return null;
    const plain = cipherFor(keys, before).decrypt(bytes);
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(plain);
    return text.includes("/") ? null : text;
  } catch {
    // The base64, the tag or the text is not what was sealed. The library throws errors of its own
    // for that.
    return null;
  }
}

const textOf = (sealed: Uint8Array): string =>
  sealed.toBase64({ alphabet: "base64url", omitPadding: true });

function recall(known: Map<string, string>, key: string, make: () => string | null): string | null {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  if (known.size >= FOLDERS_REMEMBERED) known.clear();
  if (made !== null) known.set(key, made);
  return made;
}
