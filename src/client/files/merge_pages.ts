/** Merges pages of names from several servers into one list. Pure. Used by pages.ts. */
import { decode } from "../../bytes.ts";
import { isDfsError } from "../../errors.ts";
import { compareNames, type StoredName } from "../../file/names.ts";
import { type Outline, outlinesCodec } from "../../outline.ts";
import { type Accepted, type Pair, valuesCodec, type Version } from "../../version.ts";
import { folderOf, type Level } from "../../wire/levels.ts";
import type { Here, ListEntry } from "../../wire/values.ts";
import type { Replies } from "../connect/cluster.ts";

/** What servers report of a name, by slot. */
export type NameReports = ReadonlyMap<number, NameReport>;

/** A version as a list knows it; whole where facts were asked for. */
export interface Told extends Outline {
  readonly version?: Version;
}

/** Which names pages are of; with `facts`, whole versions come with them. */
interface Range extends Level {
  readonly facts: boolean;
}

/** What one server reports of a name. It comes from a `ListEntry`. */
export interface NameReport extends Pair<Told> {
  /** The server cannot tell, and counts as down for this name. */
  readonly damaged: boolean;
  readonly others: boolean;
  readonly here: readonly Here[];
}

/**
 * The pages that can be true: with names in order, after `after`, each as it was asked for. A
 * server that sends other pages could keep a client busy for ever.
 */
export function soundPages(replies: Replies<"list">, after: string, level: Level): Replies<"list"> {
  const sound: Replies<"list"> = new Map();
  let previous: readonly ListEntry[] = [];
  for (const [slot, reply] of replies) {
    const { entries, done } = reply;
    // Mostly all pages begin with the same names. To compare for equality takes less time.
    let isSameSoFar = true;
    const isSound = entries.every(({ name }, i) => {
      isSameSoFar &&= name === previous[i]?.name;
      return isSameSoFar || mayFollow(entries[i - 1]?.name ?? after, name, level);
    });
    if (!isSound || (!done && entries.length === 0)) continue;
    sound.set(slot, reply);
    previous = entries;
  }
  return sound;
}

/** Can the name come next? Of each common prefix there is one name only. */
function mayFollow(before: string, name: string, level: Level): boolean {
  if (compareNames(before, name) >= 0) return false;
  const folder = folderOf(name, level);
  return name.startsWith(level.prefix) && (folder === null || !before.startsWith(folder));
}

/**
 * The last name, or common prefix, up to which all pages are known: the smallest last one of an
 * unfinished page. null when all pages are finished.
 */
export function horizonOf(pages: Replies<"list">, level: Level): string | null {
  let horizon: string | null = null;
  for (const { entries, done } of pages.values()) {
    const last = entries.at(-1)?.name;
    if (done || last === undefined) continue;
    const place = folderOf(last, level) ?? last;
    if (horizon === null || compareNames(place, horizon) < 0) horizon = place;
  }
  return horizon;
}

/** A register that holds nothing: the name is absent. */
export const NO_VALUES: Pair<Told> = { acc: null, com: null };

const toldOf = (accepted: Accepted | null): Told | null =>
  accepted && { ...accepted.version, ...accepted };

/** null where the bytes are malformed. Then they count as if the server had said nothing. */
function valuesIn(bytes: Uint8Array, isWhole: boolean): Pair<Told> | null {
  try {
    if (!isWhole) return decode(outlinesCodec, bytes);
    const { acc, com } = decode(valuesCodec, bytes);
    return { acc: toldOf(acc), com: toldOf(com) };
  } catch (error) {
    if (isDfsError(error, "protocol")) return null;
    throw error;
  }
}

/** A name, what servers report of it, and the servers that begin its common prefix later. */
export type Merged = readonly [
  name: StoredName,
  reports: NameReports,
  /** They do not know the name, and know others with the same common prefix. */
  later: readonly number[],
];

/**
 * Merges the pages up to `horizon`. Of a common prefix it tells the first name that any server
 * knows. Mostly all servers say the same of a name, so equal bytes are decoded only once.
 */
export function namesUpTo(pages: Replies<"list">, horizon: string | null, range: Range): Merged[] {
  const names: Merged[] = [];
  const heads = [...pages].map(([slot, { entries }]) => ({ slot, entries, at: 0 }));
  for (;;) {
    let name: StoredName | null = null;
    for (const { entries, at } of heads) {
      const next = entries[at]?.name ?? null;
      if (next !== null && (name === null || compareNames(next, name) < 0)) name = next;
    }
    if (name === null) return names;
    const folder = folderOf(name, range);
    if (horizon !== null && compareNames(folder ?? name, horizon) > 0) return names;
    const reports = new Map<number, NameReport>();
    const later: number[] = [];
    let known: Uint8Array | null = null;
    let values: Pair<Told> | null = null;
    for (const head of heads) {
      const entry = head.entries[head.at];
      if (entry?.name !== name) {
        if (folder === null || !entry?.name.startsWith(folder)) continue;
        later.push(head.slot);
        head.at++;
        continue;
      }
      head.at++;
      if (known === null || Buffer.compare(known, entry.values) !== 0) {
        known = entry.values;
        values = valuesIn(known, range.facts && folder === null);
      }
      const { others, here } = entry;
      const { acc, com } = values ?? NO_VALUES;
      reports.set(head.slot, {
        damaged: entry.damaged || values === null,
        others,
        acc,
        com,
        here,
      });
    }
    names.push([name, reports, later]);
  }
}
