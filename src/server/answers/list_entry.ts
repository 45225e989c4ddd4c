/** The entry of one name in a list. Used by list_page.ts. */
import { decode, encode } from "../../bytes.ts";
import { homesOf } from "../../file/placement.ts";
import type { Membership } from "../../store/membership.ts";
import type { Store } from "../../store/store.ts";
import type { PageEntry } from "../../store/name_state.ts";
import { registerCodec, type Cid, type Version } from "../../version.ts";
import { cutOutlines, cutValues, outlinesCodec } from "../../outline.ts";
import type { Here, ListEntry } from "../../wire/values.ts";

/** Those of no values are the same bytes. */
const NO_OUTLINES = encode(outlinesCodec, { acc: null, com: null });

/** An upper bound of the bytes of an entry. */
export const bytesOf = ({ name, values, here }: ListEntry): number =>
  3 * name.length + values.length + here.reduce((sum, { held }) => sum + held.length + 8, 32);

/**
 * What this server tells of a name. With `facts`, its versions whole. With `everything`, also which
 * pieces it lacks and which belong elsewhere.
 */
export function entryOf(
  { membership }: Store,
  { name, register, held, pending }: PageEntry,
  { everything, facts }: { everything: boolean; facts: boolean },
): ListEntry {
  const damaged = register === "damaged";
  if (damaged) return { name, damaged, others: false, values: new Uint8Array(), here: [] };
  const { bytes: outlines, cids } = register
    ? cutOutlines(register)
    : { bytes: NO_OUTLINES, cids: [] };
  const values = facts && register ? cutValues(register) : outlines;
  const here = cids.map((cid) => ({ held: piecesOf(held, cid), lacking: 0, astray: 0 }));
  if (!everything) return { name, damaged, others: false, values, here };
  const { acc = null, com = null } = register ? decode(registerCodec, register) : {};
  const known = [acc?.version.vid, com?.version.vid];
  const others = pending.some(({ vid }) => !known.includes(vid));
  const all = [acc, com].flatMap((value) =>
    value ? placedHere(membership, value.version, held) : [],
  );
  return { name, damaged, others, values, here: all.slice(0, cids.length) };
}

const piecesOf = (held: PageEntry["held"], cid: Cid | null): number[] =>
  held.find((content) => content.cid === cid)?.pieces ?? [];

/**
 * The pieces held of the content of a version, and how they differ from those that the
 * configuration places here. To work that out takes longer than everything else in a list.
 */
function placedHere({ config, slot }: Membership, version: Version, all: PageEntry["held"]): Here {
  const held = version.deleted ? [] : piecesOf(all, version.cid);
  if (!config || slot < 0) return { held, lacking: 0, astray: 0 };
  const atHome = homesOf(version, config).flatMap((slots, piece) =>
    slots.includes(slot) ? [piece] : [],
  );
  const lacking = atHome.filter((piece) => !held.includes(piece)).length;
  const astray = held.filter((piece) => !atHome.includes(piece)).length;
  return { held, lacking, astray };
}
