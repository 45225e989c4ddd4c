/**
 * Which copies of the pieces of a new version the promises show, and whether these are enough
 * (docs/consistency.md section 3). Used by Pieces and LinkedPieces.
 */
import { type Cut, hasParity } from "../../file/split.ts";
import type { Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { matched } from "../fetch/plan.ts";

/** The pieces that each promising server holds, by slot. */
export type HeldBySlot = ReadonlyMap<number, readonly number[]>;

/** How a version is cut, and how many copies each piece has. */
export type CutInCopies = Cut & Pick<Version, "copies">;

/** The servers that hold a piece. Those that are about to leave do not count. */
export const holdersIn = (cluster: Cluster, held: HeldBySlot, piece: number): number[] =>
  [...held].flatMap(([slot, pieces]) =>
    cluster.view.places.includes(slot) && pieces.includes(piece) ? [slot] : [],
  );

/** For each piece, how many copies it lacks. */
export const lacksIn = (cluster: Cluster, held: HeldBySlot, version: CutInCopies): number[] =>
  Array.from({ length: version.pieces }, (_, piece) =>
    Math.max(0, version.copies - holdersIn(cluster, held, piece).length),
  );

/** Has each piece all its copies? */
export const isWholeIn = (cluster: Cluster, held: HeldBySlot, version: CutInCopies): boolean =>
  lacksIn(cluster, held, version).every((count) => count === 0);

/**
 * Are there enough copies for the version to be accepted? With parity it is enough if one more
 * server may be lost.
 */
export function isCoveredIn(cluster: Cluster, held: HeldBySlot, version: CutInCopies): boolean {
  if (!hasParity(version)) return /* rule: pieces-first */ isWholeIn(cluster, held, version);
  const holders = Array.from({ length: version.pieces }, (_, piece) =>
    holdersIn(cluster, held, piece),
  );
  return /* rule: one-more-than-needed */ matched(holders) > version.needed;
}

/**
 * The next `count` live servers to send a piece to: among `candidates`, its home first, without
 * those that have had it already. `piecesOf`, given with parity, has how many pieces a server has:
 * a server should not get a second one while others have none.
 */
export function nextServers(
  cluster: Cluster,
  [home = 0, ...others]: readonly number[],
  count: number,
  hasIt: (slot: number) => boolean,
  piecesOf: ((slot: number) => number) | null,
): number[] {
  if (piecesOf) others.sort((a, b) => piecesOf(a) - piecesOf(b));
  const fresh = [home, ...others].filter((slot) => cluster.peer(slot) && !hasIt(slot));
  return fresh.slice(0, Math.max(0, count));
}
