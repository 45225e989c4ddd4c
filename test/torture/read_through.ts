/** Reading through some of the servers only, as a client would that knows of no others. */
import { get, type Sink } from "../../src/client/get.ts";
import { openCluster } from "../../src/client/open.ts";
import { isDfsError } from "../../src/errors.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import type { Servers } from "./servers.ts";

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
  const addresses = servers.addresses.filter((_, slot) => slots.includes(slot));
  const ports = { clock: bunClock, net: bunNet, random: bunRandom };
  const reads: Read[] = [];
  const cluster = await openCluster(ports, addresses, { user: "", warn: () => {} });
  try {
    for (const name of names) {
      let data = new Uint8Array();
      const sink: Sink = {
        inOrder: false,
        open: async ({ bytes }) => void (data = new Uint8Array(bytes)),
        write: async (bytes, offset) => data.set(bytes, offset),
      };
      try {
        await get(cluster, name, sink, {});
        reads.push({ name, outcome: "done", data, why: "" });
      } catch (error) {
        if (!isDfsError(error)) throw error;
        reads.push({ name, outcome: error.code, data, why: error.message });
      }
    }
  } finally {
    cluster.close();
  }
  return reads;
}

/** Servers as people call them. */
export const labelOf = (slots: readonly number[]): string =>
  slots.map((slot) => `DFS${slot + 1}`).join(" and ");
