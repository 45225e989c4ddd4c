/** Who holds what of a version, going by what servers say of its name. Slots are listed piece by piece. */
import { homesOf } from "../../file/placement.ts";
import { hasParity } from "../../file/split.ts";
import { COPIES } from "../../limits.ts";
import type { Config } from "../../membership.ts";
import type { Version } from "../../version.ts";
import type { Held } from "../../wire/values.ts";
import { matched } from "./plan.ts";

/** What the servers that answered say they hold, by slot. */
type Told = ReadonlyMap<number, { readonly held: readonly Held[] }>;

/** For each piece the slots whose servers say that they hold it. */
export const holdersOf = (version: Version, told: Told): number[][] =>
  slotsWith(version, told, "pieces");

/** For each piece the slots whose servers say that their copy is damaged. */
export const damagedOf = (version: Version, told: Told): number[][] =>
  slotsWith(version, told, "bad");

/** For each piece its homes whose servers answered, and hold no good copy. */
export function lackingOf(version: Version, told: Told, config: Config): number[][] {
  const holders = holdersOf(version, told);
  return homesOf(version, config).map((slots, piece) =>
    slots.filter((slot) => told.has(slot) && !holders[piece]?.includes(slot)),
  );
}

/**
 * How many copies a version lacks, wherever those that there are may lie: of pairs each piece is on two servers, and with parity each
 * has one of its own, as far as there are so many places.
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

function slotsWith(version: Version, told: Told, kind: "pieces" | "bad"): number[][] {
  const slots: number[][] = Array.from({ length: version.pieces }, () => []);
  for (const [slot, { held }] of told)
    for (const piece of held.find(({ vid }) => vid === version.vid)?.[kind] ?? [])
      slots[piece]?.push(slot);
  return slots;
}
