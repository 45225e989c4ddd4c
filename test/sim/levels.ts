/** Levels of names by their definition: what the names are, gathered into folders. */
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { entriesIn, list, type Wanted } from "../../src/client/files/list.ts";
import type { Entry } from "../../src/client/files/stored_list.ts";
import { compareNames } from "../../src/file/names.ts";
import { folderOf } from "../../src/wire/levels.ts";
import { Violation } from "./invariants.ts";

/** How an entry is written here: a folder, or a name. */
export const textOf = (entry: Entry): string =>
  "prefix" in entry ? `${entry.prefix}*` : entry.name;

/** The entries that are wanted of these names. */
export function levelOf(names: readonly string[], wanted: Wanted): string[] {
  const { prefix = "", delimiter = "", after = "", limit = Infinity } = wanted;
  const level = { prefix, delimiter };
  const entries = new Set<string>();
  for (const name of names.toSorted(compareNames)) {
    const folder = folderOf(name, level);
    const isAfter = compareNames(folder ?? name, after) > 0 && folder !== folderOf(after, level);
    const isLater = folder === null ? compareNames(name, after) > 0 : isAfter;
    if (name.startsWith(prefix) && isLater) entries.add(folder === null ? name : `${folder}*`);
  }
  return [...entries].slice(0, limit);
}

/** Throws a Violation where a level is not what the names are. Nobody may write meanwhile. */
export async function checkLevels(cluster: Cluster): Promise<void> {
  const wanted = { delimiter: "/", facts: true };
  // The level comes first: to list the names settles those in doubt.
  const entries = await Array.fromAsync(entriesIn(cluster, wanted));
  const names = await Array.fromAsync(list(cluster, ""), ({ name }) => name);
  const level = entries.map(textOf).join(" ");
  const expected = levelOf(names, wanted).join(" ");
  if (level !== expected)
    throw new Violation(`a level has "${level}", and by its names it is "${expected}"`);
  for (const entry of entries)
    if ("name" in entry && !entry.isIncomplete && entry.facts?.bytes !== entry.bytes)
      throw new Violation(`the facts of ${entry.name} are not told`);
}
