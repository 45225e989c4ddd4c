/** Who holds what of a version, going by what servers say of its name. Slots are listed piece by piece. */
import { homesOf } from "../file/placement.ts";
import type { Config } from "../membership.ts";
import type { Version } from "../version.ts";
import type { Held } from "../wire/values.ts";

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

function slotsWith(version: Version, told: Told, kind: "pieces" | "bad"): number[][] {
  const slots: number[][] = Array.from({ length: version.pieces }, () => []);
  for (const [slot, { held }] of told)
    for (const piece of held.find(({ vid }) => vid === version.vid)?.[kind] ?? [])
      slots[piece]?.push(slot);
  return slots;
}
