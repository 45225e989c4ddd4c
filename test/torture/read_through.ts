/** Reading through some of the servers only, as a client would that knows of no others. */
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { currentOf, get } from "../../src/client/files/get.ts";
import { type Sink } from "../../src/client/fetch/sink.ts";
import { PieceReader } from "../../src/client/fetch/piece_reader.ts";
import { readName } from "../../src/client/agree/register.ts";
import { isDfsError } from "../../src/errors.ts";
import { pieceBytes } from "../../src/file/split.ts";
import { bunClock, bunRandom } from "../../src/io/bun.ts";
import { CHUNK_BYTES } from "../../src/limits.ts";
import { netTo } from "../harness/reach.ts";
import { openAs } from "./person.ts";
import type { Servers } from "./servers.ts";
import { named } from "../harness/named.ts";

/** Servers that between them hold a copy of each piece, when each is at home. */
export const OPPOSITE: readonly (readonly number[])[] = [
  [0, 2],
  [1, 3],
];
/** All pairs of four servers. */
export const PAIRS: readonly (readonly number[])[] = [...OPPOSITE, [0, 1], [1, 2], [2, 3], [0, 3]];

export interface Read {
  readonly name: string;
  /** "done", or the code of the error. */
  readonly outcome: string;
  readonly data: Uint8Array;
  readonly why: string;
}

export async function readThrough(
  servers: Servers,
  slots: readonly number[],
  names: readonly string[],
): Promise<Read[]> {
  const reads: Read[] = [];
  await withCluster(servers, slots, async (cluster) => {
    for (const name of names) {
      let data = new Uint8Array();
      const sink: Sink = {
        inOrder: false,
        open: async ({ bytes }) => void (data = new Uint8Array(bytes)),
        write: async (bytes, offset) => data.set(bytes, offset),
      };
      try {
        await get(cluster, named(name), sink, {});
        reads.push({ name, outcome: "done", data, why: "" });
      } catch (error) {
        if (!isDfsError(error)) throw error;
        reads.push({ name, outcome: error.code, data, why: error.message });
      }
    }
  });
  return reads;
}

async function withCluster(
  servers: Servers,
  slots: readonly number[],
  work: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const addresses = servers.addresses.filter((_, slot) => slots.includes(slot));
  const ports = { clock: bunClock, net: netTo(addresses), random: bunRandom };
  const cluster = await openAs(servers.person, ports, addresses, () => {});
  try {
    await work(cluster);
  } finally {
    cluster.close();
  }
}

/** Reads the copy of a piece (from 0) that one server has; resolves to whether it is good. */
export async function isCopyGood(
  servers: Servers,
  slot: number,
  name: string,
  piece: number,
): Promise<boolean> {
  let isGood = true;
  await withCluster(servers, servers.slots, async (cluster) => {
    const stored = cluster.space.stored(named(name));
    const version = currentOf(cluster, name, await readName(cluster, stored));
    const reader = new PieceReader(cluster, stored, version);
    const size = pieceBytes(version, piece);
    try {
      for (let offset = 0; offset < size; offset += CHUNK_BYTES)
        await reader.read(slot, piece, offset, Math.min(CHUNK_BYTES, size - offset), () => {});
    } catch (error) {
      if (!isDfsError(error, "badPiece", "noPiece")) throw error;
      isGood = false;
    }
  });
  return isGood;
}

/** Servers as people call them. */
export const labelOf = (slots: readonly number[]): string =>
  slots.map((slot) => `DFS${slot + 1}`).join(" and ");
