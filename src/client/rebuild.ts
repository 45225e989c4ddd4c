/** Pieces that nobody holds whole any more are made from others, or from what is good of damaged copies, and sent to their homes. */
import { isDfsError } from "../errors.ts";
import { manifestOf } from "../file/manifest.ts";
import { pieceBytes } from "../file/split.ts";
import { CHUNK_BYTES, CHUNKS_PER_PIECE } from "../limits.ts";
import type { Version } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { Diagnosis } from "./diagnose.ts";
import { VersionReader } from "./version_reader.ts";

/** A piece on its way to a home; null once that failed. */
interface Way {
  readonly piece: number;
  to: number | null;
}

/** The piece of each copy that arrived; `isReadable` false: there was nothing left to make them of. */
export interface Rebuilt {
  readonly arrived: number[];
  readonly isReadable: boolean;
}

/** Makes these pieces for all their homes. */
export async function rebuild(
  cluster: Cluster,
  name: string,
  version: Version,
  holders: readonly (readonly number[])[],
  lacking: Diagnosis["missing"],
  progress: (bytes: number) => void,
): Promise<Rebuilt> {
  const { roots } = manifestOf(name, version);
  const reader = new VersionReader(cluster, name, version);
  reader.aim(holders);
  const ways = lacking.flatMap(({ piece, to }) => to.map((slot): Way => ({ piece, to: slot })));
  const wanted = lacking.map(({ piece }) => piece);

  const send = async (way: Way, offset: number, data: Uint8Array): Promise<void> => {
    const { piece, to } = way;
    const size = pieceBytes(version, piece);
    if (to === null || (data.length === 0 && offset > 0)) return;
    const root = offset + data.length === size ? (roots[piece] ?? null) : null;
    try {
      await cluster.call(to, "upload", { name, vid: version.vid, piece, size, offset, root, data });
      progress(data.length);
    } catch (error) {
      if (!isDfsError(error)) throw error;
      way.to = null;
      cluster.warn(`${name}: piece ${piece + 1} to ${cluster.labelOf(to)}: ${error.message}`);
    }
  };
  const onTheWay: Promise<unknown>[] = [];
  let isReadable = true;
  try {
    for (let offset = 0; offset === 0 || offset < pieceBytes(version, 0); offset += CHUNK_BYTES) {
      await onTheWay.at(-CHUNKS_PER_PIECE);
      const chunks = await reader.read({ pieces: wanted, offset, length: CHUNK_BYTES });
      const chunkOf = ({ piece }: Way): Uint8Array =>
        chunks[wanted.indexOf(piece)] ?? new Uint8Array();
      onTheWay.push(Promise.all(ways.map((way) => send(way, offset, chunkOf(way)))));
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
    isReadable = false;
    cluster.warn(`${name}: ${error.message}`);
  } finally {
    await Promise.allSettled(onTheWay);
  }
  const arrived = ways.flatMap(({ piece, to }) => (to === null ? [] : [piece]));
  return isReadable ? { arrived, isReadable } : { arrived: [], isReadable };
}
