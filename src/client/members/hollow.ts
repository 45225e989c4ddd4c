/**
 * Recognises versions that no server has a piece of. Pure. Used by safety and tally.
 *
 * A server accepts a version without knowing what others hold. So somebody can make a version that
 * never had pieces. It must not be mistaken for a file that waits for a server to come back.
 */
import type { Version } from "../../version.ts";
import type { Held } from "../../wire/values.ts";
import { damagedOf, holdersOf } from "../fetch/holders.ts";
import type { View } from "../connect/view.ts";

/**
 * Is it certain that the one server `silent` holds no piece of this version, if there ever were
 * any? (null: no server is silent.)
 *
 * A version that was put lies on at least two of the servers that it names. Suppose that all other
 * servers answer, and none has a piece or the remains of one. Suppose also that the others which
 * the version names are members that no heir has replaced. Then the version was never put, or it is
 * lost with or without that server.
 */
export function neverHeld(
  version: Version,
  answers: ReadonlyMap<number, { readonly held: readonly Held[] }>,
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
    members.every((slot) => slot === silent || answers.has(slot)) &&
    [...holdersOf(version, answers), ...damagedOf(version, answers)].every(
      (slots) => slots.length === 0,
    )
  );
}
