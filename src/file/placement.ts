/**
 * Where pieces belong (docs/design.md section 2). Servers and pieces count from 0 here; people see
 * pieces from 1. A version lies on a ring of servers, one for each piece, which begins at its
 * rotation x. Piece j is at home on ring[j]. Where it has two copies, it is also at home on the
 * server before in the ring. So with pairs server i holds the pieces (i - x) mod y and (i - x + 1)
 * mod y. Used by client and server.
 */
import { createHash } from "node:crypto";
import { type Config, founderOf, hasWeights, heirOf, placesOf } from "../membership.ts";
import { weightOf } from "../seating.ts";
import { contentOf, type Version } from "../version.ts";
import { inDrawnOrder, lotOf } from "./draw.ts";
import { drawingWeights } from "./shares.ts";

/** The digest that the rotation of a file follows from: the MD5 of its name. */
export const digestOfName = (name: string): Uint8Array => createHash("md5").update(name).digest();

/**
 * The digest that the servers of a file are drawn with, where the file does not lie on all of them.
 * It is a hash of the user and of the name as servers know it.
 */
export const drawDigest = (user: string, stored: string): Uint8Array =>
  createHash("sha256").update(user).update("\0").update(stored).digest();

/** The rotation x = digest mod y, with the digest read as one big-endian number. */
export const rotation = (digest: Uint8Array, y: number): number =>
  digest.reduce((rest, byte) => (rest * 256 + byte) % y, 0);

/**
 * The ring of a new version with `pieces` pieces. `rotationDigest` decides which server is the
 * first. Where the ring does not have all servers, they are drawn with `digest`. So each holds as
 * much as its weight is of all weights, as far as different servers can. One server more takes the
 * place of others hardly more often than it must.
 */
export function ringOf(
  digest: Uint8Array,
  pieces: number,
  config: Config,
  rotationDigest: Uint8Array = digest,
): number[] {
  const places = placesOf(config);
  const chosen = pieces < places.length ? drawn(lotOf(digest), pieces, config) : places;
  const ring = places.filter((slot) => chosen.includes(slot));
  const start = rotation(rotationDigest, ring.length);
  return [...ring.slice(start), ...ring.slice(0, start)];
}

/**
 * What each place draws with, by the number of places that are drawn. A configuration never
 * changes, so this is kept for it.
 */
const drawersOf = new WeakMap<Config, Map<number, readonly Drawer[]>>();

type Drawer = Parameters<typeof inDrawnOrder>[1][number] & { readonly slot: number };

/**
 * The first `count` places of a draw. An heir draws with the number of the server that it replaced.
 */
function drawn(lot: number, count: number, config: Config): number[] {
  const known = drawersOf.get(config) ?? new Map<number, readonly Drawer[]>();
  drawersOf.set(config, known);
  const drawers = known.get(count) ?? drawersFor(count, config);
  known.set(count, drawers);
  return inDrawnOrder(lot, drawers)
    .slice(0, count)
    .map(({ slot }) => slot);
}

function drawersFor(count: number, config: Config): Drawer[] {
  const places = placesOf(config);
  const weights = drawingWeights(
    places.map((slot) => weightOf(config, slot)),
    count,
  );
  return places.map((slot, i) => ({
    slot,
    founder: founderOf(config, slot),
    weight: weights[i] ?? null,
  }));
}

/**
 * These slots by their hashes, the largest first. An heir has the hash of the server that it
 * replaced.
 */
function byHash(digest: Uint8Array, slots: readonly number[], config: Config): number[] {
  const hashOf = (founder: number): bigint =>
    createHash("md5").update(digest).update(Uint8Array.of(founder)).digest().readBigUInt64BE();
  const hashes = new Map(slots.map((slot) => [slot, hashOf(founderOf(config, slot))]));
  const hashOfSlot = (slot: number): bigint => hashes.get(slot) ?? 0n;
  return slots.toSorted((a, b) => (hashOfSlot(a) > hashOfSlot(b) ? -1 : 1));
}

/** Has the version parity, and have the servers weights? */
const isByCapacity = ({ ring, needed }: Pick<Version, "ring" | "needed">, config: Config) =>
  hasWeights(config) && ring.length > needed;

/** These slots in the order of a draw by capacity for a content. */
const byCapacity = (cid: string, slots: readonly number[], config: Config): number[] =>
  inDrawnOrder(
    lotOf(createHash("sha256").update(Uint8Array.fromHex(cid)).digest()),
    slots.map((slot) => ({
      slot,
      founder: founderOf(config, slot),
      weight: BigInt(weightOf(config, slot)),
    })),
  ).map(({ slot }) => slot);

/** The servers of a ring that are home to piece `j`, the first choice first. */
export function homes(ring: readonly number[], j: number, copies: number): number[] {
  const at = (k: number): number => ring[(j - k + ring.length) % ring.length] ?? 0;
  return Array.from({ length: copies }, (_, k) => at(k));
}

/**
 * For each piece of a version the slots of its homes, the first choice first. Where a server of the
 * ring holds no pieces any more, another takes its place: its heir. Without an heir it is one of
 * the servers with fewest pieces of this version: the one that comes first in a draw, which is by
 * capacity where the version has parity and servers have weights. So the homes follow from the
 * ring, the content and the configuration alone, and versions of one content share them.
 */
export function homesOf(
  { ring, copies, cid, needed }: Pick<Version, "ring" | "copies" | "cid" | "needed">,
  config: Config,
): number[][] {
  const places = placesOf(config);
  const now = ring.map((slot) => heirOf(config, slot));
  const found = now.map((_, j) => [
    ...new Set(homes(now, j, copies).filter((slot) => places.includes(slot))),
  ]);
  const wanted = Math.min(copies, places.length);
  if (found.every((slots) => slots.length >= wanted)) return found;
  const order = isByCapacity({ ring, needed }, config)
    ? byCapacity(contentOf({ cid }), places, config)
    : byHash(Uint8Array.fromHex(contentOf({ cid })), places, config);
  const pieces = (slot: number): number => found.filter((slots) => slots.includes(slot)).length;
  for (const slots of found)
    while (slots.length < wanted) {
      const free = order.filter((slot) => !slots.includes(slot));
      slots.push(free.reduce((a, b) => (pieces(b) < pieces(a) ? b : a)));
    }
  return found;
}

/**
 * All places in the order in which those without a piece of a version are handed one. With parity
 * larger servers come first more often.
 */
export function handingOrder(
  version: Pick<Version, "ring" | "cid" | "needed">,
  config: Config,
): readonly number[] {
  const places = placesOf(config);
  return isByCapacity(version, config) ? byCapacity(contentOf(version), places, config) : places;
}

/**
 * All places in the order in which piece `j` tries them: its homes, then the servers without a
 * piece, then the others round the ring.
 */
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
