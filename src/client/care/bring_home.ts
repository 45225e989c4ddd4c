/**
 * Brings the pieces of one name home: copies them to the homes that lack them, and drops the copies
 * that were handed off. Used by repair.
 */
import type { StoredName } from "../../file/names.ts";
import { type DfsError, isDfsError } from "../../errors.ts";
import { pieceBytes } from "../../file/split.ts";
import { CHUNK_BYTES } from "../../limits.ts";
import { contentOf, type Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { type Diagnosis, droppable } from "./diagnose.ts";
import { Delivery, type Lacking } from "../send/deliver.ts";
import { PieceReader } from "../fetch/piece_reader.ts";

/** What was moved, and what could not be. */
export interface Moved {
  readonly restored: number;
  /** The bytes of the copies that were restored. */
  readonly bytes: number;
  readonly dropped: number;
  /** How many copies could not be made. */
  readonly failed: number;
  /** Why servers did not take copies, by slot. */
  readonly refused: ReadonlyMap<number, DfsError>;
  /** Pieces that could not be rebuilt from the pieces that can be had. */
  readonly lost: number[];
}

/**
 * Copies pieces to the homes that lack them, and drops the copies that were handed off. `holders`
 * has the slots that hold each piece.
 */
export async function bringHome(
  cluster: Cluster,
  name: StoredName,
  version: Version,
  found: Diagnosis,
  holders: readonly (readonly number[])[],
  epoch: number,
  progress: (bytes: number) => void = () => {},
): Promise<Moved> {
  const delivery = new Delivery(cluster, { name, vid: version.vid }, version, holders, progress);
  const { arrived, unread } = await delivery.bring(found.missing);
  const isLost = (lacking: Lacking): boolean =>
    lacking.from.length === 0 && unread.includes(lacking.piece);
  const lost = found.missing.filter(isLost).map(({ piece }) => piece);
  const failed = new Set(lost);
  let failures = 0;
  for (const lacking of found.missing.filter((one) => !isLost(one))) {
    const count = arrived.filter(({ piece }) => piece === lacking.piece).length;
    failures += lacking.to.length - count;
    if (count < lacking.to.length) failed.add(lacking.piece);
  }
  const reader = new PieceReader(cluster, name, version);
  let dropped = 0;
  for (const { piece, homes, slots } of droppable(version, found.away, failed)) {
    const isSafe = await verifyAtHomes(cluster, version, reader, piece, homes);
    if (!isSafe) continue;
    const request = { name, cid: contentOf(version), piece };
    const { replies } = await cluster.ask(
      "drop",
      (slot) => (slots.includes(slot) ? request : null),
      () => null,
      // rule: drop-at-its-epoch. Another configuration has other homes.
      epoch,
    );
    dropped += [...replies.values()].filter(({ ok }) => ok).length;
  }
  const bytes = arrived.reduce((n, { piece }) => n + pieceBytes(version, piece), 0);
  const { refused } = delivery;
  return { restored: arrived.length, bytes, dropped, failed: failures, refused, lost };
}

/** Reads a piece back from each of its homes. Only after that may another copy be dropped. */
async function verifyAtHomes(
  cluster: Cluster,
  version: Version,
  reader: PieceReader,
  piece: number,
  homes: readonly number[],
): Promise<boolean> {
  const size = pieceBytes(version, piece);
  try {
    for (const slot of homes)
      for (let offset = 0; offset < size; offset += CHUNK_BYTES)
        await reader.read(slot, piece, offset, Math.min(CHUNK_BYTES, size - offset), () => {});
    return true;
  } catch (error) {
    if (!isDfsError(error)) throw error;
    cluster.warn(
      `piece ${piece + 1} of version ${version.vid} is not safe at home yet: ${error.message}`,
    );
    return false;
  }
}
