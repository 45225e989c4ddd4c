/** The entry of one name in a list. Used by list_page.ts. */
import { decode, encode } from "../../bytes.ts";
import { homesOf } from "../../file/placement.ts";
import type { Membership } from "../../store/membership.ts";
import type { Store } from "../../store/store.ts";
import type { PageEntry } from "../../store/name_state.ts";
import {
  cutOutlines,
  cutValues,
  outlinesCodec,
  registerCodec,
  type Version,
  type Vid,
} from "../../version.ts";
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
  { name, register, held }: PageEntry,
  { everything, facts }: { everything: boolean; facts: boolean },
): ListEntry {
  const damaged = register === "damaged";
  if (damaged) return { name, damaged, others: false, values: new Uint8Array(), here: [] };
  const { bytes: outlines, vids } = register
    ? cutOutlines(register)
    : { bytes: NO_OUTLINES, vids: [] };
  const values = facts && register ? cutValues(register) : outlines;
  const here = vids.map((vid) => ({ held: piecesOf(held, vid), lacking: 0, astray: 0 }));
  if (!everything) return { name, damaged, others: false, values, here };
  const others = held.some(({ vid }) => !vids.includes(vid));
  const { acc = null, com = null } = register ? decode(registerCodec, register) : {};
  const all = [acc, com].flatMap((value) =>
    value ? placedHere(membership, value.version, held) : [],
  );
  return { name, damaged, others, values, here: all.slice(0, vids.length) };
}

const piecesOf = (held: PageEntry["held"], vid: Vid): number[] =>
  held.find((version) => version.vid === vid)?.pieces ?? [];

/**
 * The pieces held of a version, and how they differ from those that the configuration places here.
 * To work that out takes longer than everything else in a list.
 */
function placedHere({ config, slot }: Membership, version: Version, all: PageEntry["held"]): Here {
  const held = version.deleted ? [] : piecesOf(all, version.vid);
  if (!config || slot < 0) return { held, lacking: 0, astray: 0 };
  const atHome = homesOf(version, config).flatMap((slots, piece) =>
    slots.includes(slot) ? [piece] : [],
  );
  const lacking = atHome.filter((piece) => !held.includes(piece)).length;
  const astray = held.filter((piece) => !atHome.includes(piece)).length;
  return { held, lacking, astray };
}
