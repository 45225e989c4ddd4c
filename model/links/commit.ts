/**
 * What COMMIT moves into history (docs/consistency.md section 15): the version that was committed before, with its record, and ancestors
 * that this server missed, of which it keeps the contents. Used by server.ts.
 */
import type { Catalog } from "./catalog.ts";
import { type Accepted, type Ancestor, HISTORY_LENGTH, isList } from "./records.ts";

/** `old`: what was committed before; `accepted`: the vid of acc, which stays where it is; `clock`: the server's own. */
export function moveAncestors(
  catalog: Catalog,
  clock: number,
  old: Accepted | null,
  { version }: Accepted,
  accepted: number,
): void {
  const { broken } = catalog;
  const { name, history } = version;
  const wasPending = new Set([...catalog.entries(name).values()].map(({ vid }) => vid));
  const move = (vid: number, list: number, record: Accepted | null): void => {
    if (vid === version.vid || vid === accepted) return;
    const entries = catalog.entries(name);
    const known = entries.get(vid);
    if (known?.state === "expunged") return;
    if (known?.state === "kept") {
      if (!known.record && record) entries.set(vid, { ...known, record });
      return;
    }
    entries.delete(vid);
    const at = history.findIndex((one) => one.vid === vid);
    const keep = keepOf(history, at, version.keepMax, broken);
    if (keep <= 0 || (record === null && broken === "missed ancestors")) return;
    if (record === null && !holdsSome(catalog, name, list)) return;
    const next = history[at - 1]?.put ?? version.put;
    entries.set(vid, {
      vid,
      state: "kept",
      list,
      cids: [],
      record,
      until: clock + keep,
      replaced: at < 0 ? (history.at(-1)?.put ?? version.put) : next,
      isCertain: at >= 0,
      isBare: false,
    });
  };
  if (old) move(old.version.vid, old.version.list, old);
  for (const { vid, list } of newerThan(old, version.vid, history, broken === "ancestors once")) {
    const isTold = broken !== "contents in history" || wasPending.has(vid);
    move(vid, isTold ? list : 0, null);
  }
  if (broken === "release by content" && old && old.version.list !== version.list)
    for (const cid of catalog.cidsOf(name, old.version.list) ?? []) catalog.held(name).delete(cid);
}

/** The ancestors that were not dealt with when the old version was committed. */
function newerThan(
  old: Accepted | null,
  vid: number,
  history: readonly Ancestor[],
  isEach: boolean,
): readonly Ancestor[] {
  if (!old || isEach) return history;
  if (old.version.vid === vid) return [];
  const at = history.findIndex((one) => one.vid === old.version.vid);
  return history.slice(0, at < 0 ? HISTORY_LENGTH : at);
}

function keepOf(
  history: readonly Ancestor[],
  at: number,
  longest: number,
  broken: string | null,
): number {
  const newest = history[0]?.keep ?? 0;
  if (broken === "each its own keep") return newest;
  if (at >= 0) return history[at]!.keep;
  return broken === "longest keep" ? newest : longest;
}

/** Does the name hold a content of this list here, or one that may be of it? */
function holdsSome(catalog: Catalog, name: string, list: number): boolean {
  if (list === 0) return false;
  const cids = catalog.cidsOf(name, list);
  if (cids === null) return catalog.broken !== "missed lists" && catalog.held(name).size > 0;
  if (isList(list) && catalog.broken === "missed lists") return cids.length > 0;
  return cids.some((cid) => catalog.held(name).has(cid));
}
