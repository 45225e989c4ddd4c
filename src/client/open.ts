/**
 * Which servers are the cluster (CONSISTENCY.md section 4, identity). `dfc.conf` only says where to look; what the servers
 * themselves have agreed on says who belongs, and in which order.
 */
import { DfsError } from "../errors.ts";
import { slotOf } from "../membership.ts";
import { Again, changeConfig } from "./change.ts";
import { type ClientPorts, Cluster } from "./cluster.ts";
import { addressText, Connections, type Greeted, type OpenOptions } from "./connections.ts";
import { canRead } from "./decide.ts";
import { initialise, initServer } from "./initialise.ts";
import type { ServerAddress } from "./peer.ts";
import { vouched } from "./view.ts";

const OPEN_TRIES = 20;
const OPEN_PAUSE_MS = 50;

/** Connects to a cluster, making it first where all servers are blank. Throws DfsError("tooFew", "config"). */
export async function openCluster(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  options: OpenOptions,
): Promise<Cluster> {
  for (let tries = 1; ; tries++) {
    const connections = new Connections(ports, servers, options);
    try {
      return await join(ports, servers, connections, options);
    } catch (error) {
      connections.close();
      if (!(error instanceof Again)) throw error;
      if (tries === OPEN_TRIES) throw new DfsError("config", error.message);
      await new Promise<void>((resolve) => void ports.clock.after(OPEN_PAUSE_MS, resolve));
    }
  }
}

async function join(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  connections: Connections,
  options: OpenOptions,
): Promise<Cluster> {
  const { greeted, failures } = await connections.greetAll();
  const [first] = failures;
  if (greeted.length === 0)
    throw new DfsError("tooFew", `no server answers (${first}); are they running?`);
  checkDistinct(greeted);
  const id = theOneCluster(greeted);
  const config = vouched(greeted.map(({ greeting }) => greeting));
  if (!config || id === null) return initialise(ports, connections, servers, greeted, id, options);
  const cluster = Cluster.of({
    ports,
    connections,
    id,
    config,
    user: options.user,
    warn: options.warn,
  });
  await cluster.reach(config, greeted);
  await cluster.reachSilent(() => canRead(cluster.view.quorum, cluster.live));
  await bindNew(cluster, greeted);
  return cluster;
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

/** The id of the cluster that these servers belong to, null when all are blank. Throws when there are two. */
function theOneCluster(greeted: readonly Greeted[]): string | null {
  const members = greeted.filter(({ greeting }) => greeting.cluster !== null);
  const counts = new Map<string, number>();
  for (const { greeting } of members)
    counts.set(greeting.cluster ?? "", (counts.get(greeting.cluster ?? "") ?? 0) + 1);
  const [main, other] = [...counts].toSorted((a, b) => b[1] - a[1]).map(([id]) => id);
  if (other !== undefined) {
    const strangers = members
      .filter(({ greeting }) => greeting.cluster !== main)
      .map(({ peer }) => peer.label);
    throw new DfsError(
      "config",
      `${strangers.join(", ")}: of another cluster than the rest; take it out of dfc.conf`,
    );
  }
  return main ?? null;
}

/** Gives a slot that no server was seen for to a server that has none; what is left over does not count. */
async function bindNew(cluster: Cluster, greeted: readonly Greeted[]): Promise<void> {
  const { config, members } = cluster.view;
  if (!cluster.connections.isOperator) return;
  const strangers = greeted.filter(({ greeting }) => slotOf(config, greeting.sid) < 0);
  const vacant = members.filter((slot) => config.seats[slot]?.sid === null);
  const [fresh] = strangers;
  if (!fresh || vacant.length === 0) {
    for (const { peer, greeting } of greeted) warnOf(cluster, peer.address, greeting.sid);
    return;
  }
  await initServer(fresh, cluster.id);
  const isThere = (slot: number): boolean => {
    const seat = config.seats[slot];
    return seat !== undefined && addressText(seat) === addressText(fresh.peer.address);
  };
  const slot = vacant.find(isThere) ?? vacant[0];
  const seats = config.seats.map((seat, i) =>
    i === slot ? { ...seat, ...fresh.peer.address, sid: fresh.greeting.sid } : seat,
  );
  const outcome = await changeConfig(cluster, { ...config, epoch: config.epoch + 1, seats });
  if (outcome === "taken") throw new Again("another client is adding a server");
  if (outcome === "done") await bindNew(cluster, greeted);
}

/** Says what keeps a server that dfc.conf names from counting. */
function warnOf(cluster: Cluster, server: ServerAddress, sid: string): void {
  const { config, members } = cluster.view;
  const slot = slotOf(config, sid);
  if (members.includes(slot)) return;
  const label = `${server.name} (${server.host}:${server.port})`;
  const lost = members.find(
    (one) =>
      !cluster.peer(one) && [cluster.labelOf(one), config.seats[one]?.name].includes(server.name),
  );
  if (slot >= 0)
    cluster.warn(`${label} is no member of the cluster any more: take it out of dfc.conf`);
  else if (lost !== undefined)
    cluster.warn(
      `${label} has lost its data (its folder is new, restored or another one's): it does not count until it is replaced, as by dfs-tool server replace ${server.name}`,
    );
  else
    cluster.warn(
      `${label} is no member of the cluster: it does not count until dfs-tool server add ${server.name}`,
    );
}
