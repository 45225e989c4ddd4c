/**
 * Who holds which piece of a version, by what the servers say they hold of its content for its
 * name. Results list slots, piece by piece. Used by get, stat, status and repair.
 */
import { homesOf } from "../../file/placement.ts";
import { hasParity } from "../../file/split.ts";
import { COPIES } from "../../limits.ts";
import type { Config } from "../../membership.ts";
import type { Version } from "../../version.ts";
import type { Held } from "../../wire/values.ts";
import { matched } from "./plan.ts";

/** What each server that answered says it holds, by slot. */
type Holdings = ReadonlyMap<number, { readonly held: readonly Held[] }>;

/** For each piece, the slots of the servers that say they hold it. */
export const holdersOf = (version: Version, told: Holdings): number[][] =>
  slotsWith(version, told, "pieces");

/** For each piece, the slots of the servers that say their copy is damaged. */
export const damagedOf = (version: Version, told: Holdings): number[][] =>
  slotsWith(version, told, "bad");

/** For each piece, its homes that answered and hold no good copy. */
export function lackingOf(version: Version, told: Holdings, config: Config): number[][] {
  const holders = holdersOf(version, told);
  return homesOf(version, config).map((slots, piece) =>
    slots.filter((slot) => told.has(slot) && !holders[piece]?.includes(slot)),
  );
}

/**
 * How many copies a version lacks, wherever the others lie. With pairs, each piece belongs on two
 * servers. With parity, each piece belongs on a server of its own. Fewer places ask for fewer
 * copies.
 */
export function copiesShort(
  version: Pick<Version, "pieces" | "needed" | "size">,
  holders: readonly (readonly number[])[],
  places: number,
): number {
  if (hasParity(version)) {
    const unheld = holders.filter((slots) => slots.length === 0).length;
    return Math.max(unheld, Math.min(version.pieces, places) - matched(holders), 0);
  }
  const copies = Math.min(COPIES, version.pieces, places);
  return holders.reduce((sum, slots) => sum + Math.max(0, copies - slots.length), 0);
}

function slotsWith(version: Version, told: Holdings, kind: "pieces" | "bad"): number[][] {
  const slots: number[][] = Array.from({ length: version.pieces }, () => []);
  for (const [slot, { held }] of told)
    for (const piece of held.find(({ cid }) => cid === version.cid)?.[kind] ?? [])
      slots[piece]?.push(slot);
  return slots;
}
