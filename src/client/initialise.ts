/** How a cluster begins: blank servers join it, and its configuration becomes a register (CONSISTENCY.md section 4). */
import { createHash } from "node:crypto";
import { DfsError, isDfsError } from "../errors.ts";
import { type Config, CONFIG_FORMAT } from "../membership.ts";
import { Again, changeConfig } from "./change.ts";
import { type ClientPorts, Cluster } from "./cluster.ts";
import { addressText, type Connections, type Greeted, type OpenOptions } from "./connections.ts";
import { groupOf } from "./decide.ts";
import type { ServerAddress } from "./peer.ts";

/** The first client: makes a cluster of the servers in its dfc.conf. Throws Again, DfsError("tooFew"). */
export async function initialise(
  ports: ClientPorts,
  connections: Connections,
  servers: readonly ServerAddress[],
  greeted: readonly Greeted[],
  existing: string | null,
  { user, warn }: OpenOptions,
): Promise<Cluster> {
  const id = clusterIdOf(servers);
  const { accept } = groupOf([...servers.keys()]);
  if (existing !== null && existing !== id)
    throw new Again(
      "another client with another dfc.conf has begun to set up this cluster: use that one once",
    );
  if (greeted.length < accept)
    throw new DfsError(
      "tooFew",
      `a new cluster of ${servers.length} begins with ${accept} servers; ${greeted.length} answer`,
    );
  // The server with the smallest id decides between two first clients.
  const [first, ...others] = greeted.toSorted((a, b) => (a.greeting.sid < b.greeting.sid ? -1 : 1));
  if (first) await initServer(first, id);
  await Promise.all(others.map((server) => initServer(server, id)));

  const sidOf = (server: ServerAddress): string | null =>
    greeted.find(({ peer }) => peer.address === server)?.greeting.sid ?? null;
  const config: Config = {
    format: CONFIG_FORMAT,
    epoch: 0,
    seats: servers.map((server) => ({ ...server, sid: sidOf(server), heir: null })),
    voters: [...servers.keys()],
    next: null,
    leaving: [],
  };
  const cluster = Cluster.of({ ports, connections, id, config, user, warn });
  // Where another first client was quicker its configuration is as good as ours.
  await changeConfig(cluster, { ...config, epoch: 1 });
  if (cluster.view.config.epoch > 0) {
    await cluster.meet();
    return cluster;
  }
  throw new DfsError("tooFew", "the cluster could not be set up: too few servers answer");
}

/** Has a blank server join. */
export async function initServer({ peer }: Greeted, cluster: string): Promise<void> {
  try {
    await peer.init(cluster);
  } catch (error) {
    if (isDfsError(error, "identity")) throw new Again(`${peer.label}: ${error.message}`);
    if (!isDfsError(error, "down")) throw error;
  }
}

/** So that two first clients with the same list make the same cluster. */
function clusterIdOf(servers: readonly ServerAddress[]): string {
  return createHash("sha256")
    .update(`dfs-tool cluster\n${servers.map(addressText).join("\n")}`)
    .digest("hex")
    .slice(0, 32);
}
