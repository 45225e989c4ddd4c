/** The client itself, in the process of the test, where the command line has no word for what it is to do. */
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { Opener } from "../../src/client/trust/opener.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import { bunClock, bunRandom } from "../../src/io/bun.ts";
import { netTo } from "../harness/reach.ts";
import { login, newMemory, secret, user } from "../harness/password.ts";
import type { Stage } from "../harness/stage.ts";

/** Opens the cluster with some servers dead, for as long as `work` takes. */
export async function without<T>(
  stage: Stage,
  dead: readonly number[],
  work: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const addresses = stage.servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
  const net = netTo(addresses.filter((_, slot) => !dead.includes(slot)));
  const ports = { clock: bunClock, net, random: bunRandom };
  const cluster = await openCluster(ports, addresses, { user, login, warn: () => {} });
  try {
    return await work(secret ? await unlock(cluster, new Opener(secret), newMemory()) : cluster);
  } finally {
    cluster.close();
  }
}
