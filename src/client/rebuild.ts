/** Pieces that nobody holds any more are made from others, and sent to their homes. */
import { isDfsError } from "../errors.ts";
import { manifestOf } from "../file/manifest.ts";
import { pieceBytes } from "../file/split.ts";
import { CHUNK_BYTES, CHUNKS_PER_PIECE } from "../limits.ts";
import type { Version } from "../version.ts";
import type { Cluster } from "./cluster.ts";
import type { Diagnosis } from "./diagnose.ts";
import { Fetcher } from "./fetcher.ts";
import { Rebuilder } from "./rebuilder.ts";

/** A piece on its way home; null once that failed. */
interface Way {
  readonly piece: number;
  to: number | null;
}

/** Makes these pieces of a version with parity; returns those that came home. */
export async function rebuild(
  cluster: Cluster,
  name: string,
  version: Version,
  holders: readonly (readonly number[])[],
  lacking: Diagnosis["missing"],
  progress: (bytes: number) => void,
): Promise<Set<number>> {
  const { roots } = manifestOf(name, version);
  const fetcher = new Fetcher(cluster, name, version, roots);
  fetcher.aim(holders);
  const rebuilder = new Rebuilder(cluster, version, fetcher);
  rebuilder.aim(holders);
  const ways = lacking.flatMap(({ piece, to }) => to.map((slot): Way => ({ piece, to: slot })));
  const wanted = ways.map(({ piece }) => piece);

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
  try {
    for (let offset = 0; offset === 0 || offset < pieceBytes(version, 0); offset += CHUNK_BYTES) {
      await onTheWay.at(-CHUNKS_PER_PIECE);
      const chunks = await rebuilder.read(wanted, offset);
      onTheWay.push(
        Promise.all(ways.map((way, i) => send(way, offset, chunks[i] ?? new Uint8Array()))),
      );
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
    for (const way of ways) way.to = null;
    cluster.warn(`${name}: ${error.message}`);
  } finally {
    await Promise.allSettled(onTheWay);
  }
  return new Set(ways.flatMap(({ piece, to }) => (to === null ? [] : [piece])));
}
