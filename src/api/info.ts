/**
 * What the library tells of a file, and what its callers say of one. Used by store.ts and reader.ts.
 */
import { readFast } from "../client/agree/fast_path.ts";
import { readName } from "../client/agree/register.ts";
import type { Cluster } from "../client/connect/cluster.ts";
import { currentOf, factsOf } from "../client/files/get.ts";
import type { Entry as ListEntry } from "../client/files/stored_list.ts";
import {
  type Attributes,
  attributesOf,
  isKnown,
  type Known,
  knownIn,
  msOf,
  timeOfMs,
} from "../file/attributes.ts";
import type { Name } from "../file/names.ts";

/** What is known of one version of a name. */
export interface Info {
  readonly name: string;
  /** Another one with each put, copy, move or change of attributes. It tells nothing else. */
  readonly version: string;
  /** In bytes. */
  readonly size: number;
  /** A folder is one that was made; names may have folders in them that nobody made. */
  readonly kind: "file" | "folder" | "link";
  /** When this version was put. */
  readonly put: Date;
  /** When the file was changed last, as whoever put it says; else when it was put. */
  readonly modified: Date;
  readonly etag?: string;
  readonly contentType?: string;
  /** Where a link leads. */
  readonly target?: string;
  /** All attributes, as they are stored. */
  readonly attributes: Attributes;
}

/** A name in a list. */
export interface Listed {
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** Do the servers that answer lack some of it? */
  readonly isIncomplete: boolean;
  /** null where it was not asked for, or cannot be told: then the name is incomplete. */
  readonly info: Info | null;
}

/** What several names of a list begin with, up to the delimiter. */
export interface Folder {
  readonly prefix: string;
}

export type Entry = Listed | Folder;

/** The current version of a name. Throws DfsError("noSuchName", "incomplete", "tooFew"). */
export async function infoOf(cluster: Cluster, name: Name): Promise<Info> {
  const stored = cluster.space.stored(name);
  const reading = (await readFast(cluster, stored)) ?? (await readName(cluster, stored));
  const version = currentOf(cluster, name, reading);
  return infoFrom(name, version, factsOf(cluster, name, stored, version));
}

/** What a version and its manifest say. */
export function infoFrom(
  name: string,
  { vid, put }: { readonly vid: string; readonly put: number },
  { attributes, bytes }: { readonly attributes: Attributes; readonly bytes: number },
): Info {
  const { time, kind, etag, type, target } = knownIn(attributes);
  return {
    name,
    version: vid,
    size: bytes,
    kind: kind ?? "file",
    put: new Date(put),
    modified: new Date(time === undefined ? put : msOf(time)),
    ...(etag !== undefined && { etag }),
    ...(type !== undefined && { contentType: type }),
    ...(target !== undefined && { target }),
    attributes,
  };
}

/** An entry of a list, as the library tells it. */
export function entryFrom(entry: ListEntry): Entry {
  if ("prefix" in entry) return entry;
  const { name, bytes, isIncomplete, facts } = entry;
  return { name, size: bytes, isIncomplete, info: facts && infoFrom(name, facts, facts) };
}

/**
 * What a caller says of a file, by the keys of attributes. `time` may be a Date, or nanoseconds since
 * 1970. Keys with a ":" have values of the caller's own, as `meta:colour`; text is stored as UTF-8.
 * null: the attribute goes.
 */
export type Said = {
  readonly [K in Exclude<keyof Known, "time">]?: Known[K] | null;
} & {
  readonly time?: Date | bigint | null;
  readonly [other: `${string}:${string}`]: string | Uint8Array | null | undefined;
};

/** These attributes, with what was said now. What is not said stays. */
export function withSaid(before: Attributes, said: Said): Attributes {
  const after = new Map(before);
  for (const [key, value] of Object.entries(said)) {
    if (value === undefined) continue;
    after.delete(key);
    if (value === null) continue;
    if (isKnown(key)) {
      const known = value instanceof Date ? timeOfMs(value.getTime()) : value;
      for (const [, bytes] of attributesOf({ [key]: known })) after.set(key, bytes);
    } else after.set(key, value instanceof Uint8Array ? value : Buffer.from(String(value)));
  }
  return after;
}
