/**
 * Where pieces belong (DESIGN.md section 2). Servers and pieces count from 0 here; people see pieces from 1.
 * A version lies on a ring of servers, one for each piece, that begins at its rotation x. Piece j is at home on ring[j] and,
 * where it has two copies, on the one before: so with pairs server i holds pieces (i - x) mod y and (i - x + 1) mod y.
 */
import { createHash } from "node:crypto";

/** What a file is placed by: the MD5 of its name. */
export const digestOfName = (name: string): Uint8Array => createHash("md5").update(name).digest();

/** x = digest mod y, the digest read as one big-endian number. */
export const rotation = (digest: Uint8Array, y: number): number =>
  digest.reduce((rest, byte) => (rest * 256 + byte) % y, 0);

/**
 * The servers of a version with `pieces` pieces, of `y`. Where that is not all of them it is those that draw the highest
 * weights (rendezvous hashing, Thaler and Ravishankar 1998): one server more takes the place of at most one of them.
 */
export function ringOf(digest: Uint8Array, pieces: number, y: number): number[] {
  const all = Array.from({ length: y }, (_, slot) => slot);
  const chosen = pieces < y ? heaviest(digest, all, pieces) : all;
  const x = rotation(digest, chosen.length);
  return [...chosen.slice(x), ...chosen.slice(0, x)];
}

function heaviest(digest: Uint8Array, slots: readonly number[], count: number): number[] {
  const weights = slots.map((slot) =>
    createHash("md5").update(digest).update(Uint8Array.of(slot)).digest().readBigUInt64BE(),
  );
  const weightOf = (slot: number): bigint => weights[slot] ?? 0n;
  const sorted = slots.toSorted((a, b) => (weightOf(a) > weightOf(b) ? -1 : 1));
  return sorted.slice(0, count).toSorted((a, b) => a - b);
}

/** The servers that are home to piece `j`, the first choice first. */
export function homes(ring: readonly number[], j: number, copies: number): number[] {
  const at = (k: number): number => ring[(j - k + ring.length) % ring.length] ?? 0;
  return Array.from({ length: copies }, (_, k) => at(k));
}

/** All servers in the order in which piece `j` tries them: its homes, those that have no piece, then the others round the ring. */
export function candidates(
  ring: readonly number[],
  j: number,
  copies: number,
  y: number,
): number[] {
  const round = homes(ring, j, ring.length);
  const without = Array.from({ length: y }, (_, slot) => slot).filter(
    (slot) => !ring.includes(slot),
  );
  return [...round.slice(0, copies), ...without, ...round.slice(copies)];
}
