/** Pages of names from several servers, as one: pure. Used by list.ts. */
import { decode } from "../../bytes.ts";
import { isDfsError } from "../../errors.ts";
import { compareNames, mayBeStored } from "../../file/names.ts";
import { type Outline, outlinesCodec, type Pair } from "../../version.ts";
import type { Here, ListEntry } from "../../wire/values.ts";
import type { Replies } from "../connect/cluster.ts";

/** What servers say of a name, by slot. */
export type Said = ReadonlyMap<number, Told>;

/** What one server says of a name. */
export interface Told extends Pair<Outline> {
  /** It cannot tell, and counts as down for this name. */
  readonly damaged: boolean;
  readonly others: boolean;
  readonly here: readonly Here[];
}

/** Those of names that there can be, in order, after that one: else a server could keep a client busy for ever, or write anything on a terminal. */
export function soundPages(replies: Replies<"list">, after: string): Replies<"list"> {
  const sound: Replies<"list"> = new Map();
  let like: readonly ListEntry[] = [];
  for (const [slot, reply] of replies) {
    const { entries, done } = reply;
    // Mostly all begin with the same names, and to see that takes less than to compare each with the one before.
    let isLike = true;
    const isSound = entries.every(({ name }, i) => {
      isLike &&= name === like[i]?.name;
      return isLike || (mayBeStored(name) && compareNames(entries[i - 1]?.name ?? after, name) < 0);
    });
    if (!isSound || (!done && entries.length === 0)) continue;
    sound.set(slot, reply);
    like = entries;
  }
  return sound;
}

/** Beyond the smallest last name of an unfinished page nothing can be told yet; null when all pages are finished. */
export function horizonOf(pages: Replies<"list">): string | null {
  let horizon: string | null = null;
  for (const { entries, done } of pages.values()) {
    const last = entries.at(-1)?.name;
    if (done || last === undefined) continue;
    if (horizon === null || compareNames(last, horizon) < 0) horizon = last;
  }
  return horizon;
}

export const NOTHING: Pair<Outline> = { acc: null, com: null };

/** null: they are no such bytes, and their server may as well have said nothing. */
function outlinesIn(bytes: Uint8Array): Pair<Outline> | null {
  try {
    return decode(outlinesCodec, bytes);
  } catch (error) {
    if (isDfsError(error, "protocol")) return null;
    throw error;
  }
}

/** The pages, each in order, merged. Mostly all say the same of a name, which then is read once. */
export function namesUpTo(pages: Replies<"list">, horizon: string | null): [string, Said][] {
  const names: [string, Said][] = [];
  const heads = [...pages].map(([slot, { entries }]) => ({ slot, entries, at: 0 }));
  for (;;) {
    let name: string | null = null;
    for (const { entries, at } of heads) {
      const next = entries[at]?.name ?? null;
      if (next !== null && (name === null || compareNames(next, name) < 0)) name = next;
    }
    if (name === null || (horizon !== null && compareNames(name, horizon) > 0)) return names;
    const said = new Map<number, Told>();
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
      const { acc, com } = outlines ?? NOTHING;
      said.set(head.slot, { damaged: entry.damaged || outlines === null, others, acc, com, here });
    }
    names.push([name, said]);
  }
}
