/**
 * Servers that moved: the cluster's configuration says where each was last known to be, and whoever finds any server finds the others
 * there. Another address changes neither who decides nor what lies where, so that it takes no epoch of both.
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
import { change } from "./members.ts";
import { finishChange } from "./migrate.ts";
import { checkOperator } from "../files/spaces.ts";

/**
 * The configuration says from now on that a member is there. Throws DfsError("down", "usage") where it is not, and ("tooFew", "failed")
 * where that cannot be agreed on.
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
  if (addressText(seat) !== addressText(server)) await change(cluster, moved(config, slot, server));
}

/** The same of whichever member is there, where the configuration has it elsewhere: its slot; else null. Throws as `moveServer`. */
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
    // One process may have several addresses; two of them with one id are a server and a copy of its folder.
    if (other.standing?.now.mark !== greeting.now.mark)
      throw new DfsError(
        "usage",
        `${server.name} runs twice, at ${where} and at ${writtenAddress(other.address)}: one of the two is a copy of its folder; stop that one first`,
      );
  }
  await cluster.meet();
  if (connections.ofSid(sid)) return;
  throw new DfsError(
    "usage",
    `the server at ${where} does not count: first put right what is said of it`,
  );
}

const moved = (config: Config, slot: number, { host, port }: ServerAddress): Config => ({
  ...config,
  seats: config.seats.map((seat, i) => (i === slot ? { ...seat, host, port } : seat)),
});

/**
 * Opening a cluster as an operator: a member that dfc.conf has led to, and that is not where the configuration says, has moved. It never
 * throws for what servers do: another time will do.
 */
export async function noteMoved(cluster: Cluster): Promise<void> {
  const { config, quorum } = cluster.view;
  if (!cluster.connections.isOperator || config.next || !canAccept(quorum, cluster.live)) return;
  try {
    const looked = await Promise.all(cluster.live.map((slot) => moveOf(cluster, slot)));
    const moves = looked.filter((one) => one !== null);
    if (moves.length === 0) return;
    const now = moves.reduce((before, { slot, to }) => moved(before, slot, to), config);
    await change(cluster, now);
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
 * Where a member has moved to; null: nowhere. One that is at both addresses is seen from two networks. Each pair of addresses is looked
 * at once by a computer, so that two whose ways to a server differ do not take turns for ever. What others could not reach is left to
 * who says so; and so is an address under another name, or of another member: a server that lies could pass itself off for one that is
 * down, and count twice.
 */
async function moveOf(cluster: Cluster, slot: number): Promise<Move | null> {
  const { seats } = cluster.view.config;
  const seat = seats[slot];
  const to = cluster.peer(slot)?.address;
  if (!seat || !to) return null;
  const isTaken = seats.some((other) => addressText(other) === addressText(to));
  if (isTaken || to.name !== seat.name) return null;
  if (isLoopback(to.host) && !isLoopback(seat.host)) return null;
  const looked = cluster.connections.memory?.factOf(keyOf(seat));
  if (looked && Buffer.compare(looked, pairOf(seat, to)) === 0) return null;
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
