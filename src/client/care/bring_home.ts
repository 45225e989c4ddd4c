/**
 * Brings the pieces of one name home: copies them to the homes that lack them, and drops the copies
 * that were handed off. Used by repair.
 */
import type { StoredName } from "../../file/names.ts";
import { type DfsError, isDfsError } from "../../errors.ts";
import { pieceBytes } from "../../file/split.ts";
import { CHUNK_BYTES } from "../../limits.ts";
import type { Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { type Diagnosis, droppable } from "./diagnose.ts";
import { Delivery } from "./deliver.ts";
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
  const delivery = new Delivery(cluster, name, version, holders, progress);
  const restored: number[] = [];
  const failed = new Set<number>();
  let failures = 0;
  const record = (lacking: Diagnosis["missing"], arrived: readonly number[]): void => {
    restored.push(...arrived);
    for (const { piece, to } of lacking)
      if (arrived.filter((other) => other === piece).length < to.length) failed.add(piece);
    failures += lacking.reduce((n, { to }) => n + to.length, 0) - arrived.length;
  };
  const unheld = found.missing.filter(({ from }) => from.length === 0);
  let lost: number[] = [];
  if (unheld.length > 0) {
    const { arrived, isReadable } = await delivery.deliver(unheld);
    if (isReadable) record(unheld, arrived);
    else lost = unheld.map(({ piece }) => piece);
    for (const piece of lost) failed.add(piece);
  }
  for (const lacking of found.missing.filter(({ from }) => from.length > 0))
    record([lacking], (await delivery.deliver([lacking])).arrived);
  const reader = new PieceReader(cluster, name, version);
  let dropped = 0;
  for (const { piece, homes, slots } of droppable(version, found.away, failed)) {
    const isSafe = await verifyAtHomes(cluster, version, reader, piece, homes);
    if (!isSafe) continue;
    const request = { name, vid: version.vid, piece };
    const { replies } = await cluster.ask(
      "drop",
      (slot) => (slots.includes(slot) ? request : null),
      () => null,
      // rule: drop-at-its-epoch. Another configuration has other homes.
      epoch,
    );
    dropped += [...replies.values()].filter(({ ok }) => ok).length;
  }
  const bytes = restored.reduce((n, piece) => n + pieceBytes(version, piece), 0);
  const { refused } = delivery;
  return { restored: restored.length, bytes, dropped, failed: failures, refused, lost };
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
        await reader.read(slot, piece, offset, Math.min(CHUNK_BYTES, size - offset));
    return true;
  } catch (error) {
    if (!isDfsError(error)) throw error;
    cluster.warn(
      `piece ${piece + 1} of version ${version.vid} is not safe at home yet: ${error.message}`,
    );
    return false;
  }
}
