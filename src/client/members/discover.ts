/**
 * Finds the servers of a cluster from some of them, for somebody who has no dfc.conf yet. Used by
 * `dfs-tool init`.
 */
import { DfsError } from "../../errors.ts";
import { listedIn, type ServerAddress } from "../../membership.ts";
import type { ClientPorts } from "../connect/peer.ts";
import { Connections, type OpenOptions } from "../connect/connections.ts";
import { configIn } from "../connect/view.ts";

/**
 * The servers of the cluster that these servers belong to, as they say; null where they belong to
 * none. Asking founds nothing. Throws DfsError("tooFew") where none of them answers, and ("login").
 */
export async function discoverServers(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  options: OpenOptions,
): Promise<ServerAddress[] | null> {
  const connections = new Connections(ports, servers, options);
  try {
    const { greeted, failures } = await connections.greetAll();
    if (greeted.length === 0) throw new DfsError("tooFew", `no server answers (${failures[0]})`);
    const config = configIn(greeted);
    return config && listedIn(config).flatMap((slot) => config.seats[slot] ?? []);
  } finally {
    connections.close();
  }
}
