/** How a cluster begins: blank servers join it, and its configuration becomes a register (CONSISTENCY.md section 4). */
import { createHash } from "node:crypto";
import { encode } from "../bytes.ts";
import { DfsError, isDfsError } from "../errors.ts";
import { tombstone } from "../version.ts";
import { type Config, configCodec } from "../wire/messages.ts";
import type { ClientPorts, Cluster } from "./cluster.ts";
import { quorumOf } from "./decide.ts";
import { clusterOf, type Greeted, type OpenOptions } from "./members.ts";
import type { ServerAddress } from "./peer.ts";
import { propose } from "./propose.ts";

const CONFIG_FORMAT = 1;
/** The reserved name whose register holds the configuration. */
export const CONFIG_NAME = "";
/** Somebody else is changing the configuration at this moment. */
export class Again extends Error {}

/** The first client: makes a cluster of the servers in its configuration. */
export async function initialise(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  greeted: readonly Greeted[],
  existing: string | null,
  options: OpenOptions,
): Promise<Cluster> {
  const id = clusterIdOf(servers);
  const quorum = quorumOf(servers.length);
  if (existing !== null && existing !== id)
    throw new Again(
      "another client with another dfc.conf has begun to set up this cluster: use that one once",
    );
  if (greeted.length < quorum.accept)
    throw new DfsError(
      "tooFew",
      `a new cluster of ${servers.length} begins with ${quorum.accept} servers; ${greeted.length} answer`,
    );
  // The server with the smallest id decides between two first clients.
  const [first, ...others] = greeted.toSorted((a, b) => (a.greeting.sid < b.greeting.sid ? -1 : 1));
  if (first) await initServer(first, id, servers.length);
  await Promise.all(others.map((server) => initServer(server, id, servers.length)));

  const slots = servers.map(
    (_, place) => greeted.find((server) => server.place === place)?.greeting.sid ?? null,
  );
  const config: Config = { format: CONFIG_FORMAT, epoch: 1, slots };
  const cluster = clusterOf(ports, servers, greeted, id, config, options);
  const outcome = await proposeConfig(cluster, config, null);
  if (outcome === "taken") throw new Again("another client is setting up this cluster");
  if (outcome === "failed")
    throw new DfsError("tooFew", "the cluster could not be set up: too few servers answer");
  return cluster;
}

/** Has a blank server join. */
export async function initServer(
  { peer, greeting }: Greeted,
  cluster: string,
  slots: number,
): Promise<void> {
  try {
    await peer.init({ sid: greeting.sid, cluster, slots });
  } catch (error) {
    if (isDfsError(error, "identity")) throw new Again(`${peer.label}: ${error.message}`);
    if (!isDfsError(error, "down")) throw error;
  }
}

/** Makes this the configuration, if the current one is still `parent` (null: if there is none). */
export async function proposeConfig(
  cluster: Cluster,
  config: Config,
  parent: string | null,
): Promise<"done" | "taken" | "failed"> {
  const vid = cluster.ports.random.bytes(16).toHex();
  const content = { ...tombstone(vid), deleted: false, body: encode(configCodec, config) };
  const outcome = await propose(cluster, CONFIG_NAME, {
    content,
    condition: { vid: parent },
    supply: null,
  });
  if (outcome.is === "done") return "done";
  return outcome.is === "refused" ? "taken" : "failed";
}

/** So that two first clients with the same list make the same cluster. */
function clusterIdOf(servers: readonly ServerAddress[]): string {
  const spelt = servers.map(
    ({ host, port }) => `${host.toLowerCase().replace(/^localhost$/, "127.0.0.1")}:${port}`,
  );
  return createHash("sha256")
    .update(`dfs-tool cluster\n${spelt.join("\n")}`)
    .digest("hex")
    .slice(0, 32);
}
