/** Servers that answered, and the cluster that they make under a configuration. */
import type { Config, ReplyOf } from "../wire/messages.ts";
import { type ClientPorts, Cluster } from "./cluster.ts";
import type { Peer, ServerAddress } from "./peer.ts";

export interface OpenOptions {
  readonly user: string;
  /** Takes a line for the user, such as that a server is lost. */
  readonly warn: (line: string) => void;
  /** How long a server has to answer at first; a second where nothing is said. */
  readonly patienceMs?: number | undefined;
}

/** A server that answered, at its place in this client's configuration. */
export interface Greeted {
  readonly place: number;
  readonly peer: Peer;
  readonly greeting: ReplyOf<"hello">;
}

/** The cluster of a configuration, its servers connected as far as they answer. */
export function clusterOf(
  ports: ClientPorts,
  servers: readonly ServerAddress[],
  greeted: readonly Greeted[],
  clusterId: string,
  config: Config,
  { warn }: OpenOptions,
): Cluster {
  const members = config.slots.map(
    (sid) => greeted.find(({ greeting }) => sid !== null && greeting.sid === sid) ?? null,
  );
  for (const member of members)
    member?.peer.attach({ cluster: clusterId, epoch: config.epoch, sid: member.greeting.sid });
  const peers = members.map((member) => member?.peer ?? null);
  return new Cluster(ports, config, peers, labelsOf(servers, members), warn);
}

/** Names by slot; one that does not answer has the name that this configuration gives its place, if nobody else has it. */
function labelsOf(
  servers: readonly ServerAddress[],
  members: readonly (Greeted | null)[],
): string[] {
  const taken = new Set(members.flatMap((member) => (member ? [member.place] : [])));
  const free = servers.map((_, place) => place).filter((place) => !taken.has(place));
  return members.map((member, slot) => {
    if (member) return member.peer.address.name;
    const at = free.indexOf(slot);
    const [place] = free.splice(at >= 0 ? at : 0, 1);
    return (place !== undefined && servers[place]?.name) || `server ${slot + 1}`;
  });
}
