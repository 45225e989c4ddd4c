/**
 * Versions that no server has a piece of: pure. A server takes a version as it comes, for it cannot know what others hold; so somebody can
 * make one that never had pieces. It must not be mistaken for a file that waits for a server to come back.
 */
import type { Version } from "../../version.ts";
import type { Held } from "../../wire/values.ts";
import { damagedOf, holdersOf } from "../fetch/holders.ts";
import type { View } from "../connect/view.ts";

/**
 * Is it certain that its pieces, if it ever had any, do not lie on the one server that is `silent`? (null: nobody is.) What is put
 * lies on two servers at least that it names: so where all others answer, none of them with a piece or the remains of one, and those it
 * names are members that nobody took the place of, it was never put, or is gone with or without that server.
 */
export function neverHeld(
  version: Version,
  told: ReadonlyMap<number, { readonly held: readonly Held[] }>,
  { members, config }: View,
  silent: number | null,
): boolean {
  const others = version.ring.filter((slot) => slot !== silent);
  const isOriginal = (slot: number): boolean =>
    members.includes(slot) && !config.seats.some(({ heir }) => heir === slot);
  return (
    version.pieces > 0 &&
    others.length > 0 &&
    others.every(isOriginal) &&
    members.every((slot) => slot === silent || told.has(slot)) &&
    [...holdersOf(version, told), ...damagedOf(version, told)].every((slots) => slots.length === 0)
  );
}
