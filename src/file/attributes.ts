/**
 * Attributes: what a version says of its file beside the bytes. They are a map of text keys to
 * bytes, in its manifest (README.md, "Attributes"). This file knows the well-known keys, the bytes
 * of a map, and which maps there may be. Used by the manifests, and by whoever puts, reads or shows
 * a file.
 */
import {
  bytes,
  type Codec,
  decode,
  encode,
  i64,
  list,
  struct,
  text,
  u32,
  type Value,
} from "../bytes.ts";
import { malformed } from "../cursor.ts";
import { assert, DfsError, isDfsError } from "../errors.ts";
import { ATTRIBUTE_KEY_BYTES, ATTRIBUTES_BYTES } from "../limits.ts";
import { compareNames } from "./names.ts";

/** Any order; none is ever changed. */
export type Attributes = ReadonlyMap<string, Uint8Array>;
export const NO_ATTRIBUTES: Attributes = new Map();

const utf8 = new TextEncoder();
const utf8Reader = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A text that takes all of its value. */
const wholeText: Codec<string> = {
  write: (w, v) => w.put(utf8.encode(v)),
  read(r) {
    try {
      return utf8Reader.decode(r.take(r.left));
    } catch {
      throw malformed("a text is not UTF-8");
    }
  },
};

/** What a version is, where it is no file: a folder that was made by hand, or a symbolic link. */
type Kind = "folder" | "link";
const kindCodec: Codec<Kind> = {
  write: (w, v) => wholeText.write(w, v),
  read(r) {
    const kind = wholeText.read(r);
    if (kind === "folder" || kind === "link") return kind;
    throw malformed(`nothing is known of the kind ${kind}`);
  },
};

/**
 * The well-known keys, and how their values are written. They are stored in each version, so they
 * are short.
 */
const KNOWN = {
  /** Nanoseconds since 1970 at which the file was changed last, before it was put. */
  time: i64,
  /** Permission bits. */
  mode: u32,
  kind: kindCodec,
  /** Where a link leads. */
  target: wholeText,
  /** What put it: "command", "page", or "key ID" for an access key. */
  by: wholeText,
  /** The content type, as `text/plain; charset=utf-8`. */
  type: wholeText,
  /** The entity tag, without quotes. */
  etag: wholeText,
  /** Tags, as the header x-amz-tagging has them: `key=value&key=value`, percent-encoded. */
  tags: wholeText,
} as const;

/** What the well-known keys say; what is not there is not known. */
export type Known = { readonly [K in keyof typeof KNOWN]?: Value<(typeof KNOWN)[K]> };
type KnownKey = keyof typeof KNOWN;
const codecOf = (key: KnownKey): Codec<unknown> => KNOWN[key];
export const isKnown = (key: string): key is KnownKey => Object.hasOwn(KNOWN, key);

/**
 * How families of keys begin: the user's metadata (`x-amz-meta-NAME` is `meta:NAME`), checksums of
 * the content (`sum:sha256`, raw bytes), and properties of WebDAV (`dav:{NAMESPACE}NAME`, XML).
 */
export const PREFIXES = { meta: "meta:", sum: "sum:", dav: "dav:" } as const;

/** These well-known attributes; and of `others` those that have other keys. */
export function attributesOf(known: Known, others: Attributes = NO_ATTRIBUTES): Attributes {
  const said = Object.entries(known).map(([key, value]): [string, Uint8Array] => [
    key,
    encode(codecOf(key as KnownKey), value),
  ]);
  return new Map([...others, ...said]);
}

/** What the well-known keys of attributes say. */
export function knownIn(attributes: Attributes): Known {
  const known: Record<string, unknown> = {};
  for (const [key, value] of attributes) if (isKnown(key)) known[key] = decode(codecOf(key), value);
  return known;
}

/** Are they those of a folder? */
export const isFolder = (attributes: Attributes): boolean => knownIn(attributes).kind === "folder";

/** The first and the last moment, in nanoseconds since 1970, that a time can be: 1677 and 2262. */
const TIME_MIN = -(2n ** 63n);
const TIME_MAX = 2n ** 63n - 1n;

/** The nearest time that attributes can have, of one in nanoseconds since 1970. */
export const storableTime = (ns: bigint): bigint =>
  ns < TIME_MIN ? TIME_MIN : ns > TIME_MAX ? TIME_MAX : ns;

const NS_PER_MS = 1_000_000n;

/** The same, of one in milliseconds since 1970. */
export const timeOfMs = (ms: number): bigint => storableTime(BigInt(Math.floor(ms)) * NS_PER_MS);

/** Milliseconds since 1970, rounded down, of a time in attributes. */
export const msOf = (time: bigint): number =>
  Number((time - (((time % NS_PER_MS) + NS_PER_MS) % NS_PER_MS)) / NS_PER_MS);

/** What manifests had before there were attributes: its time is in milliseconds since 1970. */
export const attributesBefore = (before: {
  readonly isFolder: boolean;
  readonly modified: number;
  readonly mode: number;
}): Attributes =>
  attributesOf({
    time: timeOfMs(before.modified),
    mode: before.mode,
    ...(before.isFolder && { kind: "folder" }),
  });

type Entry = Value<typeof entryCodec>;
const entryCodec = struct({ key: text(ATTRIBUTE_KEY_BYTES), value: bytes(ATTRIBUTES_BYTES) });
/** The lengths of the list, of a key and of a value. */
const LENGTH_BYTES = 4;
const entriesCodec = list(entryCodec, Math.floor(ATTRIBUTES_BYTES / (2 * LENGTH_BYTES + 1)));

/** The attributes as they lie in a manifest: sorted by the bytes of their keys, each key once. */
export const attributesCodec: Codec<Attributes> = {
  write(w, attributes) {
    assert(faultOf(attributes) === null, "attributes are checked before they are written");
    const entries = [...attributes].map(([key, value]) => ({ key, value }));
    entriesCodec.write(
      w,
      entries.toSorted((a, b) => compareNames(a.key, b.key)),
    );
  },
  read(r) {
    const entries = entriesCodec.read(r);
    if (!entries.every(isAfterTheOneBefore)) throw malformed("attributes are not in their order");
    const attributes = new Map(entries.map(({ key, value }) => [key, value]));
    const fault = faultOf(attributes);
    if (fault !== null) throw malformed(fault);
    return attributes;
  },
};

const isAfterTheOneBefore = ({ key }: Entry, at: number, entries: Entry[]): boolean => {
  const before = entries[at - 1];
  return before === undefined || compareNames(before.key, key) < 0;
};

/** Returns the attributes if a version may have them. Else throws DfsError("usage"). */
export function checkAttributes(attributes: Attributes): Attributes {
  const fault = faultOf(attributes);
  if (fault === null) return attributes;
  throw new DfsError("usage", `no file can have these attributes: ${fault}`);
}

/** What is wrong with these attributes; null when nothing is. */
function faultOf(attributes: Attributes): string | null {
  let length = LENGTH_BYTES;
  for (const [key, value] of attributes) {
    const fault = faultOfKey(key) ?? faultOfValue(key, value);
    if (fault !== null) return `${JSON.stringify(key.slice(0, 80))} ${fault}`;
    length += 2 * LENGTH_BYTES + utf8.encode(key).length + value.length;
  }
  if (length > ATTRIBUTES_BYTES)
    return `they take ${length} bytes, and ${ATTRIBUTES_BYTES} is the most`;
  const { kind, target } = knownIn(attributes);
  return (kind === "link") === (target !== undefined)
    ? null
    : "a link has a target, and nothing else has one";
}

function faultOfKey(key: string): string | null {
  if (key === "") return "is an empty key";
  if (!key.isWellFormed()) return "is a key that is not valid Unicode";
  if (/\p{Cc}/u.test(key)) return "is a key with a control character";
  return utf8.encode(key).length > ATTRIBUTE_KEY_BYTES
    ? `is a key of more than ${ATTRIBUTE_KEY_BYTES} bytes`
    : null;
}

function faultOfValue(key: string, value: Uint8Array): string | null {
  if (!isKnown(key)) return null;
  try {
    decode(codecOf(key), value);
    return null;
  } catch (error) {
    if (isDfsError(error)) return "has a value that does not read";
    throw error;
  }
}
