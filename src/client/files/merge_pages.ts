/** Merges pages of names from several servers into one list. Pure. Used by list.ts. */
import { decode } from "../../bytes.ts";
import { isDfsError } from "../../errors.ts";
import { compareNames, type StoredName } from "../../file/names.ts";
import { type Outline, outlinesCodec, type Pair } from "../../version.ts";
import type { Here, ListEntry } from "../../wire/values.ts";
import type { Replies } from "../connect/cluster.ts";

/** What servers report of a name, by slot. */
export type NameReports = ReadonlyMap<number, NameReport>;

/** What one server reports of a name. It comes from a `ListEntry`. */
export interface NameReport extends Pair<Outline> {
  /** The server cannot tell, and counts as down for this name. */
  readonly damaged: boolean;
  readonly others: boolean;
  readonly here: readonly Here[];
}

/**
 * The pages that can be true: with names in order, after `after`. A server that sends other pages
 * could keep a client busy for ever.
 */
export function soundPages(replies: Replies<"list">, after: string): Replies<"list"> {
  const sound: Replies<"list"> = new Map();
  let previous: readonly ListEntry[] = [];
  for (const [slot, reply] of replies) {
    const { entries, done } = reply;
    // Mostly all pages begin with the same names. To compare for equality takes less time.
    let isSameSoFar = true;
    const isSound = entries.every(({ name }, i) => {
      isSameSoFar &&= name === previous[i]?.name;
      return isSameSoFar || compareNames(entries[i - 1]?.name ?? after, name) < 0;
    });
    if (!isSound || (!done && entries.length === 0)) continue;
    sound.set(slot, reply);
    previous = entries;
  }
  return sound;
}

/**
 * The last name up to which all pages are known: the smallest last name of an unfinished page. null
 * when all pages are finished.
 */
export function horizonOf(pages: Replies<"list">): string | null {
  let horizon: string | null = null;
  for (const { entries, done } of pages.values()) {
    const last = entries.at(-1)?.name;
    if (done || last === undefined) continue;
    if (horizon === null || compareNames(last, horizon) < 0) horizon = last;
  }
  return horizon;
}

/** A register that holds nothing: the name is absent. */
export const NO_VALUES: Pair<Outline> = { acc: null, com: null };

/** null where the bytes are malformed. Then they count as if the server had said nothing. */
function outlinesIn(bytes: Uint8Array): Pair<Outline> | null {
  try {
    return decode(outlinesCodec, bytes);
  } catch (error) {
    if (isDfsError(error, "protocol")) return null;
    throw error;
  }
}

/**
 * Merges the pages up to `horizon`. Mostly all servers say the same of a name, so equal bytes are
 * decoded only once.
 */
export function namesUpTo(
  pages: Replies<"list">,
  horizon: string | null,
): [StoredName, NameReports][] {
  const names: [StoredName, NameReports][] = [];
  const heads = [...pages].map(([slot, { entries }]) => ({ slot, entries, at: 0 }));
  for (;;) {
    let name: StoredName | null = null;
    for (const { entries, at } of heads) {
      const next = entries[at]?.name ?? null;
      if (next !== null && (name === null || compareNames(next, name) < 0)) name = next;
    }
    if (name === null || (horizon !== null && compareNames(name, horizon) > 0)) return names;
    const reports = new Map<number, NameReport>();
    let known: Uint8Array | null = null;
    let outlines: Pair<Outline> | null = null;
    for (const head of heads) {
      const entry = head.entries[head.at];
      if (entry?.name !== name) continue;
      head.at++;
      if (known === null || Buffer.compare(known, entry.outlines) !== 0) {
        known = entry.outlines;
        outlines = outlinesIn(known);
      }
      const { others, here } = entry;
      const { acc, com } = outlines ?? NO_VALUES;
      reports.set(head.slot, {
        damaged: entry.damaged || outlines === null,
        others,
        acc,
        com,
        here,
      });
    }
    names.push([name, reports]);
  }
}
