/** The composition root of the client: flags and configuration → real ports → a cluster. */
import type { Cluster } from "../client/cluster.ts";
import { openCluster } from "../client/open.ts";
import { bunClock, bunNet, bunRandom } from "../io/bun.ts";
import { type Configuration, loadConfiguration } from "./config.ts";
import type { CommonFlags } from "./flags.ts";
import { type Log, openLog } from "./log.ts";

/** What a command knows before it talks to any server. */
export interface Setup {
  readonly configuration: Configuration;
  readonly log: Log;
}

/** Reads the configuration; throws DfsError("config"). */
export async function setUp(flags: CommonFlags): Promise<Setup> {
  const log = await openLog(flags);
  const configuration = loadConfiguration(flags.config);
  log.info(`${configuration.path}: ${configuration.servers.map(({ name }) => name).join(", ")}`);
  return { configuration, log };
}

/** Opens the cluster for `work` and closes it after it; see OpenOptions for `patienceMs`. Throws DfsError("tooFew", "config") when it cannot be opened. */
export async function withCluster<T>(
  { configuration, log }: Setup,
  work: (cluster: Cluster) => Promise<T>,
  patienceMs?: number,
): Promise<T> {
  const ports = { clock: bunClock, random: bunRandom, net: bunNet };
  const warn = (line: string): void => log.warn(line);
  const options = { user: configuration.user, warn, patienceMs };
  const cluster = await openCluster(ports, configuration.servers, options);
  try {
    return await work(cluster);
  } finally {
    cluster.close();
  }
}
