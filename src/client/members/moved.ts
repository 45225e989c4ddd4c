/**
 * Servers that moved to another address. The configuration says where each server was last known to
 * be, so that whoever finds one server finds the others. Another address changes neither who
 * decides nor where pieces lie, so it takes no joint epoch. Used by open and by `dfs-tool server`.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import {
  type Config,
  type Seat,
  type ServerAddress,
  slotOf,
  writtenAddress,
} from "../../membership.ts";
import { isLoopback } from "../../wire/handshake.ts";
import type { Cluster } from "../connect/cluster.ts";
import { canAccept } from "../../quorum.ts";
import { addressText } from "../connect/greeter.ts";
import { changeOrThrow } from "./members.ts";
import { finishChange } from "./migrate.ts";
import { checkOperator } from "../files/spaces.ts";

/**
 * Has the configuration say from now on that a member is at this address. Throws DfsError("down",
 * "usage") where it is not, and ("tooFew", "failed") where that cannot be agreed on.
 */
export async function moveServer(
  cluster: Cluster,
  slot: number,
  server: ServerAddress,
): Promise<void> {
  checkOperator(cluster);
  await checkIsThere(cluster, slot, server);
  await finishChange(cluster);
  const { config, members } = cluster.view;
  const seat = config.seats[slot];
  if (!seat || !members.includes(slot))
    throw new DfsError("usage", `${server.name} is no member of the cluster any more`);
  if (addressText(seat) !== addressText(server))
    await changeOrThrow(cluster, withAddress(config, slot, server));
}

/**
 * Does the same for the member that answers at this address, if the configuration has it elsewhere,
 * and returns its slot; else null. Throws as `moveServer` does.
 */
export async function moveIfMember(
  cluster: Cluster,
  server: ServerAddress,
): Promise<number | null> {
  const greeted = await cluster.connections.greet(server);
  const { config, members } = cluster.view;
  const slot = greeted ? slotOf(config, greeted.greeting.sid) : -1;
  const seat = config.seats[slot];
  if (!seat || !members.includes(slot) || config.leaving.includes(slot)) return null;
  if (addressText(seat) === addressText(server)) return null;
  await moveServer(cluster, slot, server);
  return slot;
}

async function checkIsThere(cluster: Cluster, slot: number, server: ServerAddress): Promise<void> {
  const { connections } = cluster;
  const where = writtenAddress(server);
  const sid = cluster.view.config.seats[slot]?.sid ?? null;
  const failures: string[] = [];
  const greeted = await connections.greet(server, failures);
  if (!greeted) throw new DfsError("down", failures.join());
  const { greeting, peer } = greeted;
  if (greeting.sid !== sid)
    throw new DfsError(
      "usage",
      `the server at ${where} is another one than ${server.name}: name the address at which that one is now`,
    );
  const other = connections.connectedTo(sid);
  if (other && other !== peer) {
    peer.close();
    // One process may have several addresses. Two processes with one id are a server and a copy of
    // its folder.
    if (other.standing?.now.mark !== greeting.now.mark)
      throw new DfsError(
        "usage",
        `${server.name} runs twice, at ${where} and at ${writtenAddress(other.address)}: one of the two is a copy of its folder; stop that one first`,
      );
  }
  await cluster.epochs.meet();
  if (connections.ofSid(sid)) return;
  throw new DfsError(
    "usage",
    `the server at ${where} does not count: first put right what is said of it`,
  );
}

const withAddress = (config: Config, slot: number, { host, port }: ServerAddress): Config => ({
  ...config,
  seats: config.seats.map((seat, i) => (i === slot ? { ...seat, host, port } : seat)),
});

/**
 * Notes members that dfc.conf led to and that are not where the configuration says: they have
 * moved. It does so when an operator opens the cluster. It never throws for what servers do: it can
 * be done another time.
 */
export async function noteMovedServers(cluster: Cluster): Promise<void> {
  const { config, quorum } = cluster.view;
  if (!cluster.connections.isOperator || config.next || !canAccept(quorum, cluster.live)) return;
  try {
    const found = await Promise.all(cluster.live.map((slot) => moveOf(cluster, slot)));
    const moves = found.filter((move) => move !== null);
    if (moves.length === 0) return;
    const now = moves.reduce((before, { slot, to }) => withAddress(before, slot, to), config);
    await changeOrThrow(cluster, now);
    for (const { slot, seat, to } of moves) {
      noteLooked(cluster, seat, to);
      cluster.warn(
        `${cluster.labelOf(slot)} has moved from ${writtenAddress(seat)} to ${writtenAddress(to)}: the cluster knows it now`,
      );
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
  }
}

interface Move {
  readonly slot: number;
  readonly seat: Seat;
  readonly to: ServerAddress;
}

/**
 * Where a member has moved to; null: nowhere.
 *
 * A server that answers at both addresses is seen from two networks. Each computer looks at a pair
 * of addresses once, so that two computers that reach the server by different ways do not take
 * turns for ever.
 *
 * Two cases are left to a user's command. One is an address that others could not reach. The other
 * is an address under another name, or of another member: a lying server could pass itself off for
 * one that is down, and count twice.
 */
async function moveOf(cluster: Cluster, slot: number): Promise<Move | null> {
  const { seats } = cluster.view.config;
  const seat = seats[slot];
  const to = cluster.peer(slot)?.address;
  if (!seat || !to) return null;
  const isTaken = seats.some((other) => addressText(other) === addressText(to));
  if (isTaken || to.name !== seat.name) return null;
  if (isLoopback(to.host) && !isLoopback(seat.host)) return null;
  const lookedAt = cluster.connections.memory?.factOf(keyOf(seat));
  if (lookedAt && Buffer.compare(lookedAt, pairOf(seat, to)) === 0) return null;
  if (!(await isAt(cluster, seat))) return { slot, seat, to };
  noteLooked(cluster, seat, to);
  return null;
}

const keyOf = ({ sid }: Seat): string => `moved ${sid}`;

const pairOf = (seat: Seat, to: ServerAddress): Buffer =>
  Buffer.from(`${addressText(seat)} ${addressText(to)}`);

const noteLooked = ({ connections }: Cluster, seat: Seat, to: ServerAddress): void =>
  connections.memory?.noteFact(keyOf(seat), pairOf(seat, to));

/** Is the server of a seat where the configuration says? */
async function isAt(cluster: Cluster, seat: Seat): Promise<boolean> {
  try {
    const greeted = await cluster.connections.greet(seat);
    if (greeted?.greeting.sid !== seat.sid) return false;
    greeted.peer.close();
    return true;
  } catch (error) {
    if (isDfsError(error)) return false;
    throw error;
  }
}
