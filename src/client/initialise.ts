/** How a cluster begins: blank servers join it, and its configuration becomes a register (docs/consistency.md section 4). */
import { createHash } from "node:crypto";
import { decode } from "../bytes.ts";
import { DfsError } from "../errors.ts";
import { WEIGHT_MAX } from "../limits.ts";
import { type Config, configCodec, CONFIG_FORMAT, membersOf, NO_BIRTH } from "../membership.ts";
import { Again, changeConfig, goByChosen } from "./change.ts";
import { type ClientPorts, Cluster } from "./cluster.ts";
import { type Connections, type OpenOptions } from "./connections.ts";
import { addressText, type Greeted } from "./greeter.ts";
import { initServer } from "./blank.ts";
import { groupOf, newest } from "./decide.ts";
import { knownCluster, noteCluster } from "./memory.ts";
import type { ServerAddress } from "../membership.ts";
import { weighedIn } from "./weigh.ts";

/** The first client: makes a cluster of the servers in its dfc.conf. Throws Again, DfsError("tooFew"). */
export async function initialise(
  ports: ClientPorts,
  connections: Connections,
  servers: readonly ServerAddress[],
  greeted: readonly Greeted[],
  existing: string | null,
  options: OpenOptions,
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
  const known = await knownHere(connections, servers, options);
  const away = known ? awayOf(connections, known) : [];
  const { user, warn, memory } = options;
  if (known && away.length > 0) checkBegun(greeted, known, away, memory?.place ?? "");
  await initAll(greeted, id);
  const config = configOf(servers, greeted);
  const cluster = Cluster.of({ ports, connections, id, config, user, warn });
  if (away.length > 0) await goByChosen(cluster);
  else await found(cluster, ports.random.bytes(16).toHex());
  const { epoch } = cluster.view.config;
  if (epoch === 0)
    throw new DfsError("tooFew", "the cluster could not be set up: too few servers answer");
  await cluster.meet();
  if (known && away.length === 0)
    cluster.warn(
      `all ${membersOf(known).length} servers are empty: the cluster that this computer has used is gone, and a new one begins`,
    );
  noteCluster(memory, cluster.view.config);
  return cluster;
}

/**
 * It takes as many as decide among all that are listed, whoever of them is there: so two first clients, of whom each meets others, agree
 * on one configuration. Its seats and voters are those that were met.
 */
async function found(cluster: Cluster, birth: string): Promise<void> {
  const { config } = cluster.view;
  const isThere = (slot: number): boolean => config.seats[slot]?.sid !== null;
  const voters = config.voters.filter(isThere);
  const awaited = config.voters.filter((slot) => !isThere(slot));
  // Where another first client was quicker its configuration is as good as ours.
  const first = { ...config, epoch: 1, birth, voters, awaited };
  const outcome = await changeConfig(cluster, await weighedIn(cluster, first, voters));
  if (outcome !== "done" || awaited.length === 0) return;
  const names = awaited.map((slot) => cluster.labelOf(slot)).join(", ");
  cluster.warn(
    `${voters.length} of ${config.seats.length} servers: until ${names} ${awaited.length > 1 ? "have" : "has"} joined, the guarantees are those of a cluster of ${voters.length}`,
  );
}

/** What all that are listed decide, before they have decided who decides. */
const configOf = (servers: readonly ServerAddress[], greeted: readonly Greeted[]): Config => ({
  format: CONFIG_FORMAT,
  epoch: 0,
  birth: NO_BIRTH,
  seats: servers.map((server) => ({
    ...server,
    sid: greeted.find(({ peer }) => peer.address === server)?.greeting.sid ?? null,
    heir: null,
    weight: WEIGHT_MAX,
  })),
  voters: [...servers.keys()],
  next: null,
  leaving: [],
  awaited: [],
  largest: 0,
});

/** The cluster that this computer has used, unless dfc.conf names other servers by now; those of its servers that dfc.conf lacks are asked too. */
async function knownHere(
  connections: Connections,
  servers: readonly ServerAddress[],
  { memory }: OpenOptions,
): Promise<Config | null> {
  const known = knownCluster(memory);
  const listed = new Set(servers.map(addressText));
  if (!known || !known.seats.some((seat) => listed.has(addressText(seat)))) return null;
  await connections.reach(known);
  return known;
}

/** Those of its servers in whose place there is no empty one. */
const awayOf = ({ greeted }: Connections, known: Config): string[] =>
  membersOf(known).flatMap((slot) => {
    const seat = known.seats[slot];
    if (!seat) return [];
    const isEmpty = greeted.some(
      ({ peer, greeting }) =>
        addressText(peer.address) === addressText(seat) &&
        greeting.sid !== seat.sid &&
        greeting.config === null,
    );
    return isEmpty ? [] : [seat.name];
  });

/**
 * Who knows of a cluster founds no other one while its servers may only be away. The founding of which it knows may be brought to its
 * end. Throws DfsError("tooFew").
 */
function checkBegun(
  greeted: readonly Greeted[],
  known: Config,
  away: readonly string[],
  memory: string,
): void {
  const begun = newest(greeted.map(({ greeting }) => greeting.register.acc));
  if (begun && decode(configCodec, begun.version.body).birth === known.birth) return;
  throw new DfsError(
    "tooFew",
    `the servers that answer are empty, and of the cluster that this computer has used ${away.join(", ")} ${away.length > 1 ? "do" : "does"} not answer: start what has its data. Only if that is gone for good, remove ${memory}, and a new cluster begins`,
  );
}

/** The server with the smallest id decides between two first clients. */
async function initAll(greeted: readonly Greeted[], id: string): Promise<void> {
  const [first, ...others] = greeted.toSorted((a, b) => (a.greeting.sid < b.greeting.sid ? -1 : 1));
  if (first) await initServer(first, id);
  await Promise.all(others.map((server) => initServer(server, id)));
}

/** So that two first clients with the same list make the same cluster. */
function clusterIdOf(servers: readonly ServerAddress[]): string {
  return createHash("sha256")
    .update(`dfs-tool cluster\n${servers.map(addressText).join("\n")}`)
    .digest("hex")
    .slice(0, 32);
}
