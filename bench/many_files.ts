/** Many small files, put from within this process: a command each would take all day. */
import { openCluster } from "../src/client/members/open.ts";
import type { Cluster } from "../src/client/connect/cluster.ts";
import type { Source } from "../src/client/send/source.ts";
import { put } from "../src/client/files/put.ts";
import { inParallel } from "../src/client/connect/window.ts";
import { NO_ATTRIBUTES } from "../src/file/attributes.ts";
import { PAIRS } from "../src/file/layout.ts";
import { bunClock, bunNet, bunRandom } from "../src/io/bun.ts";
import { KIB } from "../src/limits.ts";
import type { Stage } from "../test/harness/stage.ts";
import { named } from "../test/harness/named.ts";

const IN_FLIGHT = 64;

/** Stores so many files of 1 KiB, in a hundred folders; resolves to the stage. */
export async function putMany(stage: Stage, count: number): Promise<Stage> {
  const ports = { clock: bunClock, net: bunNet, random: bunRandom };
  const addresses = stage.servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
  const cluster = await openCluster(ports, addresses, {
    user: "",
    login: null,
    warn: console.error,
  });
  const numbers = Array.from({ length: count }, (_, i) => i);
  await inParallel(numbers, IN_FLIGHT, (i) => putOne(cluster, i));
  cluster.close();
  return stage;
}

async function putOne(cluster: Cluster, i: number): Promise<void> {
  const source: Source = {
    bytes: KIB,
    attributes: NO_ATTRIBUTES,
    read: async (into, offset) => void into.fill((i + offset) & 0xff),
  };
  const name = named(`folder ${i % 100}/file ${i}`);
  await put(cluster, name, source, { layout: PAIRS, placement: "name" });
}
