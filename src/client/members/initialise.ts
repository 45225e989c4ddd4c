/**
 * Founds a cluster: blank servers join it, and its configuration becomes a register
 * (docs/consistency.md section 4). Used by open.
 */
import { createHash } from "node:crypto";
import { decode } from "../../bytes.ts";
import { DfsError } from "../../errors.ts";
import { WEIGHT_MAX } from "../../limits.ts";
import {
  type Config,
  CONFIG_FORMAT,
  configCodec,
  membersOf,
  NO_BIRTH,
  type ServerAddress,
} from "../../membership.ts";
import { changeConfig, adoptChosen } from "../agree/change.ts";
import { OpenAgain, initServer } from "../connect/blank.ts";
import { Cluster } from "../connect/cluster.ts";
import { type ClientPorts } from "../connect/peer.ts";
import { type Connections, type OpenOptions } from "../connect/connections.ts";
import { addressText, type Greeted } from "../connect/greeter.ts";
import { newest } from "../agree/decide.ts";
import { groupOf } from "../../quorum.ts";
import { knownCluster, noteCluster } from "../trust/memory.ts";
import { withDiskWeights } from "./weigh.ts";

/**
 * Makes a cluster of the servers in dfc.conf, for the first client. Throws OpenAgain,
 * DfsError("tooFew").
 */
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
    throw new OpenAgain(
      "another client with another dfc.conf has begun to set up this cluster: use that one once",
    );
  // rule: majority-of-listed
  if (greeted.length < accept)
    throw new DfsError(
      "tooFew",
      `a new cluster of ${servers.length} begins with ${accept} servers; ${greeted.length} answer`,
    );
  const known = await previousCluster(connections, servers, options);
  const missing = known ? missingIn(connections, known) : [];
  const { user, warn, memory } = options;
  if (known && missing.length > 0) checkMayFound(greeted, known, missing, memory?.location ?? "");
  await initAll(greeted, id);
  const config = foundingConfig(servers, greeted);
  const cluster = Cluster.of({ ports, connections, id, config, user, warn });
  if (missing.length > 0) await adoptChosen(cluster);
  else await foundCluster(cluster, ports.random.bytes(16).toHex());
  const { epoch } = cluster.view.config;
  if (epoch === 0)
    throw new DfsError("tooFew", "the cluster could not be set up: too few servers answer");
  await cluster.epochs.meet();
  if (known && missing.length === 0)
    cluster.warn(
      `all ${membersOf(known).length} servers are empty: the cluster that this computer has used is gone, and a new one begins`,
    );
  noteCluster(memory, cluster.view.config);
  return cluster;
}

/**
 * Has the listed servers choose the first configuration. It takes a majority of all that are
 * listed, whichever of them answer. So two first clients that reach different servers agree on one
 * configuration. Its seats are all that are listed; its voters are the servers that answered.
 */
async function foundCluster(cluster: Cluster, birth: string): Promise<void> {
  const { config } = cluster.view;
  const isThere = (slot: number): boolean => config.seats[slot]?.sid !== null;
  const voters = config.voters.filter(isThere);
  const awaited = config.voters.filter((slot) => !isThere(slot));
  // If another first client was quicker, its configuration is as good as ours.
  const first = { ...config, epoch: 1, birth, voters, awaited };
  const outcome = await changeConfig(cluster, await withDiskWeights(cluster, first, voters));
  if (outcome !== "done" || awaited.length === 0) return;
  const names = awaited.map((slot) => cluster.labelOf(slot)).join(", ");
  cluster.warn(
    `${voters.length} of ${config.seats.length} servers: until ${names} ${awaited.length > 1 ? "have" : "has"} joined, the guarantees are those of a cluster of ${voters.length}`,
  );
}

/** The configuration of epoch 0. All listed servers decide, until they have decided who decides. */
const foundingConfig = (
  servers: readonly ServerAddress[],
  greeted: readonly Greeted[],
): Config => ({
  format: CONFIG_FORMAT,
  epoch: 0,
  birth: NO_BIRTH,
  seats: servers.map((server) => ({
    ...server,
    sid: greeted.find(({ peer }) => peer.address === server)?.greeting.sid ?? null,
    heir: null,
    weight: WEIGHT_MAX,
    zone: "",
  })),
  // rule: all-listed-decide
  voters: [...servers.keys()],
  next: null,
  leaving: [],
  awaited: [],
  largest: 0,
  keepers: [],
  floor: 0n,
  log: [],
});

/**
 * The cluster that this computer has used before, unless dfc.conf names other servers by now. Its
 * servers that are not in dfc.conf are asked too.
 */
async function previousCluster(
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

/** The names of its members for which no empty server answers at the same address. */
const missingIn = ({ greeted }: Connections, known: Config): string[] =>
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
 * A computer that knows a cluster must not found another one while the servers of that cluster may
 * only be away. It may finish the founding of that very cluster. Throws DfsError("tooFew").
 */
function checkMayFound(
  greeted: readonly Greeted[],
  known: Config,
  missing: readonly string[],
  memory: string,
): void {
  const begun = newest(greeted.map(({ greeting }) => greeting.register.acc));
  if (begun && decode(configCodec, begun.version.body).birth === known.birth) return;
  throw new DfsError(
    "tooFew",
    `the servers that answer are empty, and of the cluster that this computer has used ${missing.join(", ")} ${missing.length > 1 ? "do" : "does"} not answer: start what has its data. Only if that is gone for good, remove ${memory}, and a new cluster begins`,
  );
}

/** The server with the smallest id is asked first: it decides between two first clients. */
async function initAll(greeted: readonly Greeted[], id: string): Promise<void> {
  const [first, ...others] = greeted.toSorted((a, b) => (a.greeting.sid < b.greeting.sid ? -1 : 1));
  if (first) await initServer(first, id);
  await Promise.all(others.map((server) => initServer(server, id)));
}

/** The same list gives the same id, so that two first clients with one list make one cluster. */
function clusterIdOf(servers: readonly ServerAddress[]): string {
  return createHash("sha256")
    .update(`dfs-tool cluster\n${servers.map(addressText).join("\n")}`)
    .digest("hex")
    .slice(0, 32);
}
