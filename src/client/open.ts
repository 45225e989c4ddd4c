/**
 * Which servers are the cluster (CONSISTENCY.md section 4, identity). `dfc.conf` only says where to look; what the servers
 * themselves have agreed on says who belongs, and in which order.
 */
import { decode } from "../bytes.ts";
import { DfsError, isDfsError } from "../errors.ts";
import type { Accepted } from "../version.ts";
import { type Config, configCodec } from "../wire/messages.ts";
import type { ClientPorts, Cluster } from "./cluster.ts";
import { decide, select } from "./decide.ts";
import { Again, CONFIG_NAME, initialise, initServer, proposeConfig } from "./initialise.ts";
import { clusterOf, type Greeted, type OpenOptions } from "./members.ts";
import { Peer, type ServerAddress } from "./peer.ts";
import { settle } from "./register.ts";

const OPEN_TRIES = 20;
const OPEN_PAUSE_MS = 50;

/** Connects to a cluster, making it first where all servers are blank. Throws DfsError("tooFew", "config"). */
export async function openCluster(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  options: OpenOptions,
): Promise<Cluster> {
  for (let tries = 1; ; tries++) {
    const { greeted, failures } = await greetAll(ports, servers, options);
    try {
      const [first] = failures;
      if (greeted.length === 0)
        throw new DfsError("tooFew", `no server answers (${first}); are they running?`);
      return await join(ports, servers, greeted, options);
    } catch (error) {
      for (const { peer } of greeted) peer.close();
      if (!(error instanceof Again)) throw error;
      if (tries === OPEN_TRIES) throw new DfsError("config", error.message);
      await new Promise<void>((resolve) => void ports.clock.after(OPEN_PAUSE_MS, resolve));
    }
  }
}

async function greetAll(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  { user, warn, patienceMs }: OpenOptions,
) {
  const greeted: Greeted[] = [];
  const failures: string[] = [];
  await Promise.all(
    servers.map(async (server, place) => {
      try {
        greeted.push({ place, ...(await Peer.connect(ports, server, user, patienceMs)) });
      } catch (error) {
        // One server that cannot answer for itself must not keep people from the others.
        if (!isDfsError(error) || error.code === "login") throw error;
        if (error.code !== "down") warn(`${server.name}: ${error.message}; it does not count`);
        failures.push(error.message);
      }
    }),
  );
  return { greeted: greeted.toSorted((a, b) => a.place - b.place), failures };
}

async function join(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  greeted: readonly Greeted[],
  options: OpenOptions,
): Promise<Cluster> {
  checkDistinct(greeted);
  const clusterId = theOneCluster(greeted);
  const known = newestConfig(greeted);
  if (!known || clusterId === null) return initialise(ports, servers, greeted, clusterId, options);
  // A member that is still blank is one that the first client's INIT did not reach.
  for (const server of greeted)
    if (server.greeting.cluster === null && known.slots.includes(server.greeting.sid))
      await initServer(server, clusterId, known.slots.length);
  let cluster = clusterOf(ports, servers, greeted, clusterId, known, options);
  const agreed = await agreedConfig(cluster, greeted);
  if (agreed === "none") return initialise(ports, servers, greeted, clusterId, options);
  if (agreed !== "unknown" && !sameSlots(agreed, known))
    cluster = clusterOf(ports, servers, greeted, clusterId, agreed, options);
  return bindNew(ports, servers, greeted, cluster, options);
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

const acceptedConfigs = (greeted: readonly Greeted[]) =>
  greeted.map(({ greeting }) => greeting.config);

const configIn = (accepted: Accepted): Config => decode(configCodec, accepted.version.body);

/** The newest configuration that any server knows, committed ones first: enough to know whom to ask. */
function newestConfig(greeted: readonly Greeted[]): Config | null {
  const registers = acceptedConfigs(greeted);
  const committed = select(registers.map((register) => ({ ...register, acc: null }))).current;
  const newest = committed ?? select(registers).current;
  return newest && configIn(newest);
}

/** The configuration that is certainly current; "none": the first one was never chosen; "unknown": too few answer to tell. */
async function agreedConfig(
  cluster: Cluster,
  greeted: readonly Greeted[],
): Promise<Config | "none" | "unknown"> {
  const members = greeted.filter(({ greeting }) => cluster.config.slots.includes(greeting.sid));
  const decision = decide(cluster.quorum, acceptedConfigs(members));
  if (decision.is === "tooFew") return "unknown";
  const current = decision.is === "current" ? decision.current : await settle(cluster, CONFIG_NAME);
  if (current === "failed") return "unknown";
  return current ? configIn(current) : "none";
}

const sameSlots = (a: Config, b: Config): boolean => a.slots.join() === b.slots.join();

/** Gives a slot that no server was seen for to a server that has none; what is left over does not count. */
async function bindNew(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  greeted: readonly Greeted[],
  cluster: Cluster,
  options: OpenOptions,
): Promise<Cluster> {
  const { slots } = cluster.config;
  const strangers = greeted.filter(({ greeting }) => !slots.includes(greeting.sid));
  const fresh = strangers.find(() => slots.includes(null));
  if (!fresh) {
    for (const { peer } of strangers) {
      options.warn(
        `${peer.label} has lost its data (its folder is new, restored or another one's): it does not count until it is replaced`,
      );
      peer.close();
    }
    return cluster;
  }
  const current = await currentConfig(cluster);
  const id = greeted.find(({ greeting }) => slots.includes(greeting.sid))?.greeting.cluster;
  if (!current || !id) return cluster;
  if (!sameSlots(configIn(current), cluster.config))
    throw new Again("another client is adding a server");
  await initServer(fresh, id, slots.length);
  const slot = slots[fresh.place] === null ? fresh.place : slots.indexOf(null);
  const config = { ...cluster.config, slots: slots.with(slot, fresh.greeting.sid) };
  const outcome = await proposeConfig(cluster, config, current.version.vid);
  if (outcome === "taken") throw new Again("another client is adding a server");
  if (outcome === "failed") return cluster;
  return bindNew(
    ports,
    servers,
    greeted,
    clusterOf(ports, servers, greeted, id, config, options),
    options,
  );
}

async function currentConfig(cluster: Cluster): Promise<Accepted | null> {
  const settled = await settle(cluster, CONFIG_NAME);
  return settled === "failed" ? null : settled;
}
