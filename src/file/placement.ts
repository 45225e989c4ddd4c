/**
 * Where pieces belong (DESIGN.md section 2). Servers and pieces count from 0 here; people see pieces from 1.
 * A version lies on a ring of servers, one for each piece, that begins at its rotation x. Piece j is at home on ring[j] and,
 * where it has two copies, on the one before: so with pairs server i holds pieces (i - x) mod y and (i - x + 1) mod y.
 */
import { createHash } from "node:crypto";
import { type Config, founderOf, heirOf, placesOf } from "../membership.ts";
import type { Version } from "../version.ts";

/** What a file is placed by: the MD5 of its name. */
export const digestOfName = (name: string): Uint8Array => createHash("md5").update(name).digest();

/** x = digest mod y, the digest read as one big-endian number. */
export const rotation = (digest: Uint8Array, y: number): number =>
  digest.reduce((rest, byte) => (rest * 256 + byte) % y, 0);

/**
 * The servers of a new version with `pieces` pieces, `turn` telling the first. Where that is not all of them it is those that draw
 * the highest weights (rendezvous hashing, Thaler and Ravishankar 1998) with the digest of the name as servers know it: one
 * server more takes the place of at most one of them.
 */
export function ringOf(
  digest: Uint8Array,
  pieces: number,
  config: Config,
  turn: Uint8Array = digest,
): number[] {
  const places = placesOf(config);
  const chosen =
    pieces < places.length ? heaviest(digest, places, config).slice(0, pieces) : places;
  const ring = places.filter((slot) => chosen.includes(slot));
  const x = rotation(turn, ring.length);
  return [...ring.slice(x), ...ring.slice(0, x)];
}

/** These slots, the one that draws the highest weight first; who takes another's place takes its weights. */
function heaviest(digest: Uint8Array, slots: readonly number[], config: Config): number[] {
  const weigh = (founder: number): bigint =>
    createHash("md5").update(digest).update(Uint8Array.of(founder)).digest().readBigUInt64BE();
  const weights = new Map(slots.map((slot) => [slot, weigh(founderOf(config, slot))]));
  const weightOf = (slot: number): bigint => weights.get(slot) ?? 0n;
  return slots.toSorted((a, b) => (weightOf(a) > weightOf(b) ? -1 : 1));
}

/** The servers of a ring that are home to piece `j`, the first choice first. */
export function homes(ring: readonly number[], j: number, copies: number): number[] {
  const at = (k: number): number => ring[(j - k + ring.length) % ring.length] ?? 0;
  return Array.from({ length: copies }, (_, k) => at(k));
}

/**
 * For each piece of a version the slots that are home to it, the first choice first. Where a server of its ring holds no pieces
 * any more another takes its place: its heir; else of those with fewest pieces of this version the one that draws the highest
 * weight. So it follows from the version and the configuration alone.
 */
export function homesOf(
  { ring, copies, vid }: Pick<Version, "ring" | "copies" | "vid">,
  config: Config,
): number[][] {
  const places = placesOf(config);
  const now = ring.map((slot) => heirOf(config, slot));
  const found = now.map((_, j) => [
    ...new Set(homes(now, j, copies).filter((slot) => places.includes(slot))),
  ]);
  const wanted = Math.min(copies, places.length);
  if (found.every((slots) => slots.length >= wanted)) return found;
  const order = heaviest(Uint8Array.fromHex(vid), places, config);
  const pieces = (slot: number): number => found.filter((slots) => slots.includes(slot)).length;
  for (const slots of found)
    while (slots.length < wanted) {
      const free = order.filter((slot) => !slots.includes(slot));
      slots.push(free.reduce((a, b) => (pieces(b) < pieces(a) ? b : a)));
    }
  return found;
}

/** All places in the order in which piece `j` tries them: its homes, those that have no piece, then the others round the ring. */
export function candidates(
  homesOfAll: readonly (readonly number[])[],
  j: number,
  places: readonly number[],
): number[] {
  const round = homesOfAll.map(
    (_, k) => homesOfAll[(j - k + homesOfAll.length) % homesOfAll.length],
  );
  const all = new Set(homesOfAll.flat());
  const without = places.filter((slot) => !all.has(slot));
  return [
    ...new Set([...(homesOfAll[j] ?? []), ...without, ...round.flatMap((slots) => slots ?? [])]),
  ];
}
