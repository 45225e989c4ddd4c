/** The client itself, in the process of the test, where the command line has no word for what it is to do. */
import type { Cluster } from "../../src/client/cluster.ts";
import { openCluster } from "../../src/client/open.ts";
import type { Source } from "../../src/client/pieces.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import type { Stage } from "./stage.ts";

/** Nobody listens here. */
const DEAD_PORT = 1;

/** Opens the cluster with some servers dead, for as long as `work` takes. */
export async function without<T>(
  stage: Stage,
  dead: readonly number[],
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const addresses = stage.servers.map(({ name, port }, slot) => {
    return { name, host: "127.0.0.1", port: dead.includes(slot) ? DEAD_PORT : port };
  });
  const ports = { clock: bunClock, net: bunNet, random: bunRandom };
  const cluster = await openCluster(ports, addresses, { user: "", warn: () => {} });
  try {
    return await work(cluster);
  } finally {
    cluster.close();
  }
}

/** Bytes as something to put. */
export const sourceOf = (data: Uint8Array): Source => ({
  bytes: data.length,
  modified: 0,
  mode: 0o644,
  read: async (into, offset) => void into.set(data.subarray(offset, offset + into.length)),
});
