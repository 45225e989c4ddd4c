/** Pieces on their way between servers: to the homes that lack them, and away from where they were handed off. */
import { isDfsError } from "../errors.ts";
import { manifestOf } from "../file/manifest.ts";
import { pieceBytes } from "../file/split.ts";
import { CHUNK_BYTES } from "../limits.ts";
import type { Version } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { Diagnosis } from "./diagnose.ts";
import { PieceReader } from "./piece_reader.ts";
import { rebuild } from "./rebuild.ts";

/** What was moved, and what could not be. */
export interface Moved {
  readonly restored: number;
  /** Bytes of what was restored. */
  readonly bytes: number;
  readonly dropped: number;
  /** Copies that were to be made and were not. */
  readonly failed: number;
  /** Pieces that could not be made of what there is. */
  readonly lost: number[];
}

/** `holders`: for each piece the slots that have it. Copies pieces to the homes that lack them, and takes away what was handed off; returns how many copies of each. */
export async function bringHome(
  cluster: Cluster,
  name: string,
  version: Version,
  found: Diagnosis,
  holders: readonly (readonly number[])[],
  progress: (bytes: number) => void = () => {},
): Promise<Moved> {
  const reader = new PieceReader(cluster, name, version, manifestOf(name, version).roots);
  const failed = new Set<number>();
  const unheld = found.missing.filter(({ from }) => from.length === 0);
  const { arrived, isReadable } =
    unheld.length > 0
      ? await rebuild(cluster, name, version, holders, unheld, progress)
      : { arrived: [], isReadable: true };
  for (const { piece } of unheld) if (!arrived.includes(piece)) failed.add(piece);
  const lost = isReadable ? [] : [...failed];
  const made = [...arrived];
  const wanted = unheld.reduce((n, { to }) => n + to.length, 0);
  let failures = isReadable ? wanted - arrived.length : 0;
  for (const { piece, from, to } of found.missing.filter((one) => one.from.length > 0)) {
    for (const target of to) {
      const done = await copyPiece(cluster, name, version, reader, piece, from, target, progress);
      if (done) made.push(piece);
      else {
        failed.add(piece);
        failures++;
      }
    }
  }
  let dropped = 0;
  for (const { piece, homes, slots } of found.away.filter((one) => !failed.has(one.piece))) {
    const isSafe = await verifyAt(cluster, version, reader, piece, homes);
    if (!isSafe) continue;
    const what = { name, vid: version.vid, piece };
    const replies = await cluster.ask(
      "drop",
      (slot) => (slots.includes(slot) ? what : null),
      () => null,
    );
    dropped += [...replies.values()].filter(({ ok }) => ok).length;
  }
  const bytes = made.reduce((n, piece) => n + pieceBytes(version, piece), 0);
  return { restored: made.length, bytes, dropped, failed: failures, lost };
}

/** Reads a piece back from each of its homes: only then may another copy go. */
async function verifyAt(
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

/** One piece from the first of these servers that has it whole to another; false when that did not work out. */
async function copyPiece(
  cluster: Cluster,
  name: string,
  version: Version,
  reader: PieceReader,
  piece: number,
  from: readonly number[],
  to: number,
  progress: (bytes: number) => void,
): Promise<boolean> {
  const size = pieceBytes(version, piece);
  const root = manifestOf(name, version).roots[piece] ?? null;
  for (const source of from) {
    try {
      for (let offset = 0; offset === 0 || offset < size; offset += CHUNK_BYTES) {
        const length = Math.min(CHUNK_BYTES, size - offset);
        const data = await reader.read(source, piece, offset, length);
        const isLast = offset + length === size;
        const chunk = {
          name,
          vid: version.vid,
          piece,
          size,
          offset,
          root: isLast ? root : null,
          data,
        };
        await cluster.call(to, "upload", chunk);
        progress(length);
      }
      return true;
    } catch (error) {
      if (!isDfsError(error)) throw error;
      cluster.warn(
        `${name}: piece ${piece + 1} from ${cluster.labelOf(source)} to ${cluster.labelOf(to)}: ${error.message}`,
      );
    }
  }
  return false;
}
