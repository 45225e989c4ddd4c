/**
 * Opens a cluster: finds which servers belong to it (docs/consistency.md section 4, identity).
 * `dfc.conf` only says where to look. What the servers themselves have agreed on says which servers
 * belong, and in which order. Used by all commands that use a cluster.
 */
import { DfsError } from "../../errors.ts";
import { OpenAgain } from "../connect/blank.ts";
import { Cluster } from "../connect/cluster.ts";
import { type ClientPorts } from "../connect/peer.ts";
import { Connections, type OpenOptions } from "../connect/connections.ts";
import { configIn } from "../connect/view.ts";
import type { Greeted } from "../connect/greeter.ts";
import { canRead } from "../../quorum.ts";
import { initialise } from "./initialise.ts";
import { joinLateServers } from "./join.ts";
import { knownCluster, noteCluster } from "../trust/memory.ts";
import type { ServerAddress } from "../../membership.ts";
import { noteMovedServers } from "./moved.ts";

const OPEN_TRIES = 20;
const OPEN_PAUSE_MS = 50;

/**
 * Connects to a cluster, and founds it first where all servers are blank. Throws DfsError("tooFew",
 * "config").
 */
export async function openCluster(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  options: OpenOptions,
): Promise<Cluster> {
  for (let tries = 1; ; tries++) {
    const connections = new Connections(ports, servers, options);
    try {
      return await connect(ports, servers, connections, options);
    } catch (error) {
      connections.close();
      if (!(error instanceof OpenAgain)) throw error;
      if (tries === OPEN_TRIES) throw new DfsError("config", error.message);
      await new Promise<void>((resolve) => void ports.clock.after(OPEN_PAUSE_MS, resolve));
    }
  }
}

async function connect(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  connections: Connections,
  options: OpenOptions,
): Promise<Cluster> {
  const { greeted, failures } = await connections.greetAll();
  if (greeted.length === 0)
    throw new DfsError(
      "tooFew",
      `no server answers (${whyNone(servers, failures)}); are they running?`,
    );
  checkDistinct(greeted);
  const id = commonCluster(greeted);
  const config = configIn(greeted);
  if (!config || id === null) return initialise(ports, connections, servers, greeted, id, options);
  const cluster = Cluster.of({
    ports,
    connections,
    id,
    config,
    user: options.user,
    warn: options.warn,
  });
  await cluster.epochs.reach(config, greeted);
  await cluster.epochs.meet();
  await cluster.reachSilent(() => canRead(cluster.view.quorum, cluster.live));
  await joinLateServers(cluster);
  // rule: moves-are-noted
  await noteMovedServers(cluster);
  noteOrWarn(cluster, options);
  return cluster;
}

/** Why no server answers: what is wrong with one of them, and which others do not answer either. */
function whyNone(servers: readonly ServerAddress[], [first = ""]: readonly string[]): string {
  const others = servers.map(({ name }) => name).filter((name) => !first.startsWith(`${name} `));
  const nor = others.length === 1 ? "nor does" : "nor do";
  return `${first}${others.length > 0 ? `, ${nor} ${others.join(", ")}` : ""}`;
}

/** Remembers the cluster, and warns where it is another one than this computer has used. */
function noteOrWarn(cluster: Cluster, { memory }: OpenOptions): void {
  const { config } = cluster.view;
  const known = knownCluster(memory);
  if (known && known.birth !== config.birth)
    cluster.warn(
      "these servers are another cluster than the one that this computer has used: what was stored in that one is not here",
    );
  noteCluster(memory, config);
}

function checkDistinct(greeted: readonly Greeted[]): void {
  for (const { peer, greeting } of greeted) {
    const same = greeted.find((other) => other.greeting.sid === greeting.sid);
    if (same && same.peer !== peer)
      throw new DfsError(
        "config",
        `${same.peer.label} and ${peer.label} are one server: name each server once`,
      );
  }
}

/** What a server says it belongs to: a cluster, and its founding once it was told of that. */
const belongingOf = ({ greeting: { cluster, config } }: Greeted): string | null =>
  cluster && `${cluster}${config ? ` ${config.birth}` : ""}`;

/**
 * The id of the cluster that these servers belong to; null when all are blank. Throws when there
 * are two.
 */
function commonCluster(greeted: readonly Greeted[]): string | null {
  const counts = new Map<string, number>();
  for (const server of greeted) {
    const belonging = belongingOf(server);
    if (belonging !== null) counts.set(belonging, (counts.get(belonging) ?? 0) + 1);
  }
  const [main] = [...counts].toSorted((a, b) => b[1] - a[1]).map(([belonging]) => belonging);
  if (main === undefined) return null;
  // A server that was not told of any founding yet may belong to either.
  const isAlike = (belonging: string): boolean =>
    belonging.startsWith(main) || main.startsWith(belonging);
  const others = greeted.filter((server) => !isAlike(belongingOf(server) ?? main));
  const id = main.slice(0, 32);
  const [first] = others;
  if (!first) return id;
  const names = others.map(({ peer }) => peer.label).join(", ");
  throw new DfsError(
    "config",
    first.greeting.cluster === id
      ? `two clusters: ${names} of another cluster than the rest, which was founded anew from the same list; take those of one of the two out of dfc.conf`
      : `${names}: of another cluster than the rest; take it out of dfc.conf`,
  );
}
