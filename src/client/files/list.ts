/**
 * `list`: the names of a space, or the names and folders of one level, in the byte order of the
 * names. Used by the commands.
 *
 * Servers have sealed names in another order. A "/" is in the open, so a folder is one range there:
 * it is read whole, opened, and sorted, and the folders in it are descended into in that order.
 */
import { DfsError } from "../../errors.ts";
import { compareNames, mayBeStored } from "../../file/names.ts";
import { FOLDERS_AHEAD } from "../../limits.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { Guard } from "../trust/guard.ts";
import {
  type Entry,
  type Folder,
  type Listed,
  type StoredRange,
  storedPages,
  wholeOf,
} from "./stored_list.ts";

export type { Listed } from "./stored_list.ts";

/** What a list has. */
export interface Wanted {
  /** Only names that begin so. */
  readonly prefix?: string;
  /**
   * With "/", names that have it after the prefix are one entry each folder: the name up to there.
   * Where names are not sealed it may be any text.
   */
  readonly delimiter?: string;
  /**
   * Only what comes after this text. With a delimiter, a folder that it lies in has been listed. So
   * the last name or folder of a list is where the next one goes on.
   */
  readonly after?: string;
  /** How many entries at most. */
  readonly limit?: number;
  /** Shall files come with their facts? */
  readonly facts?: boolean;
}

type Terms = Required<Omit<Wanted, "limit">> & Pick<StoredRange, "limit">;

/**
 * All names that begin with `prefix`, sorted by their bytes. Throws DfsError("tooFew") when no
 * server answers.
 */
export const list = (cluster: Cluster, prefix: string): AsyncGenerator<Listed> =>
  // Without a delimiter there are no folders.
  entriesIn(cluster, { prefix }) as AsyncGenerator<Listed>;

/**
 * The entries that are wanted, sorted by the bytes of their names. Throws as `list`, and
 * DfsError("usage") for a delimiter that cannot be had.
 */
export async function* entriesIn(cluster: Cluster, wanted: Wanted): AsyncGenerator<Entry> {
  const { prefix = "", delimiter = "", after = "", limit = null, facts = false } = wanted;
  // Where no name has the delimiter there are no folders.
  const level = { prefix, delimiter: mayBeStored(delimiter) ? delimiter : "" };
  const terms = { ...level, after, limit, facts };
  const { guard } = cluster.space;
  if (cluster.space.storedPrefix(prefix) === null) return;
  let left = limit ?? Infinity;
  if (left <= 0) return;
  for await (const page of guard ? sealedIn(cluster, guard, terms) : storedPages(cluster, terms))
    for (const entry of page) {
      yield entry;
      if (--left === 0) return;
    }
}

/** Does any name begin with `prefix`? Throws as `list`. */
export async function hasAny(cluster: Cluster, prefix: string): Promise<boolean> {
  for await (const _ of entriesIn(cluster, { prefix, limit: 1 })) return true;
  return false;
}

async function* sealedIn(cluster: Cluster, guard: Guard, terms: Terms): AsyncGenerator<Entry[]> {
  const { prefix, delimiter, after } = terms;
  const folder = prefix.slice(0, prefix.lastIndexOf("/") + 1);
  if (delimiter === "") return yield* sealedTree(cluster, guard, terms, folder);
  if (delimiter !== "/")
    throw new DfsError("usage", `sealed names can be listed by "/", not by "${delimiter}"`);
  const level = await sealedLevel(cluster, guard, terms, folder);
  yield level.filter((entry) => {
    const place = placeOf(entry);
    return place.startsWith(prefix) && compareNames(place, after) > 0;
  });
}

const placeOf = (entry: Entry): string => ("prefix" in entry ? entry.prefix : entry.name);

/** All names of a folder, those of the folders in it too. */
async function* sealedTree(
  cluster: Cluster,
  guard: Guard,
  terms: Terms,
  folder: string,
  begun: Promise<Entry[]> = sealedWholeOrLevel(cluster, guard, terms, folder),
): AsyncGenerator<Entry[]> {
  const { prefix, after, limit } = terms;
  const entries = (await begun).filter((entry) => {
    const place = placeOf(entry);
    const isLater =
      compareNames(place, after) > 0 || ("prefix" in entry && after.startsWith(place));
    return isLater && place.startsWith(prefix);
  });
  const folders = entries.filter((entry): entry is Folder => "prefix" in entry);
  // The servers work on the next folders while the caller looks at this one.
  const ahead: Promise<Entry[]>[] = [];
  let begunAhead = 0;
  const begin = (): void => {
    while (limit === null && ahead.length < FOLDERS_AHEAD) {
      const next = folders[begunAhead++];
      if (!next) return;
      const loading = sealedWholeOrLevel(cluster, guard, terms, next.prefix);
      loading.catch(() => {});
      ahead.push(loading);
    }
  };
  begin();
  let files: Entry[] = [];
  for (const entry of entries) {
    if ("name" in entry) {
      files.push(entry);
      continue;
    }
    yield files;
    files = [];
    const loading = ahead.shift();
    begin();
    yield* sealedTree(cluster, guard, terms, entry.prefix, loading);
  }
  yield files;
}

/**
 * All names of a folder if one page has them; else what lies in it, with the folders in it. Sorted.
 */
async function sealedWholeOrLevel(
  cluster: Cluster,
  guard: Guard,
  terms: Terms,
  folder: string,
): Promise<Entry[]> {
  const range = { ...terms, prefix: guard.stored(folder), after: "", limit: null };
  const whole = await wholeOf(cluster, range);
  return whole ? sorted(whole) : sealedLevel(cluster, guard, terms, folder);
}

/** What lies in a folder, sorted. A folder in it is one entry, at the place of its names. */
async function sealedLevel(
  cluster: Cluster,
  guard: Guard,
  { facts }: Terms,
  folder: string,
): Promise<Entry[]> {
  const prefix = guard.stored(folder);
  const all: Entry[] = [];
  const range = { prefix, delimiter: "/", after: "", limit: null, facts };
  for await (const page of storedPages(cluster, range)) for (const entry of page) all.push(entry);
  return sorted(all);
}

const sorted = (entries: Entry[]): Entry[] =>
  entries.sort((a, b) => compareNames(placeOf(a), placeOf(b)));
