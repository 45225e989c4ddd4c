/**
 * Adds, drains, removes and replaces servers (docs/consistency.md section 4, membership;
 * model/members.ts). In the joint epoch of a change, each decision takes a quorum of the servers
 * before and of those after. Each step may be cut short; `finishChange` (migrate.ts) goes on with
 * it. Used by `dfs-tool server`.
 */
import { DfsError } from "../../errors.ts";
import { SERVERS_MAX, WEIGHT_MAX } from "../../limits.ts";
import {
  type Config,
  hasPlaceOf,
  type Seat,
  type ServerAddress,
  slotOf,
  vacantIn,
} from "../../membership.ts";
import { renewFormat, takeSeats } from "../../seating.ts";
import { counted } from "../../counted.ts";
import { changeConfig, install } from "../agree/change.ts";
import type { Cluster } from "../connect/cluster.ts";
import { addressText } from "../connect/greeter.ts";
import { canAccept, quorumOf } from "../../quorum.ts";
import { pagesIn } from "../files/pages.ts";
import { finishChange, departingIn, tooFew } from "./migrate.ts";
import { makingWay } from "./seats.ts";
import { checkNotNeeded, checkRoom, needOf } from "./safety.ts";
import { allSpacesIn, checkOperator } from "../files/spaces.ts";
import { withNewWeighed } from "./weigh.ts";

/**
 * Makes a blank server a member. A server that was leaving stays. Does nothing where the server is
 * a member of this name already. Throws DfsError("usage", "tooFew", "failed").
 */
export async function addServer(cluster: Cluster, server: ServerAddress): Promise<void> {
  await finishChange(cluster);
  const sid = await greetNew(cluster, server);
  const { config, members } = cluster.view;
  const known = slotOf(config, sid);
  if (config.leaving.includes(known))
    return changeOrThrow(cluster, {
      ...config,
      leaving: config.leaving.filter((one) => one !== known),
    });
  if (members.includes(known)) {
    const label = cluster.labelOf(known);
    // The same command was cut short before.
    if ([label, config.seats[known]?.name].includes(server.name)) return;
    const where = addressText(server);
    throw new DfsError("usage", `${where} is a member of the cluster already: it is ${label}`);
  }
  const kept = vacantIn(config).find((slot) => isKeptFor(cluster, slot, server));
  if (kept !== undefined) return giveSeat(cluster, kept, server, sid);
  if (members.some((slot) => cluster.labelOf(slot) === server.name))
    throw new DfsError(
      "usage",
      `the cluster has a server ${server.name} already: replace it, or give the new one another name`,
    );
  if (members.length >= SERVERS_MAX)
    throw new DfsError("usage", `a cluster has ${SERVERS_MAX} servers at most`);
  const seats = [...config.seats, seatOf(server, sid)];
  await changeOrThrow(cluster, { ...config, seats, next: [...config.voters, seats.length - 1] });
  await finishChange(cluster);
}

/** Is this the server that a seat is kept for? */
const isKeptFor = (cluster: Cluster, slot: number, server: ServerAddress): boolean => {
  const kept = cluster.view.config.seats[slot];
  return (
    kept !== undefined &&
    (cluster.labelOf(slot) === server.name || addressText(kept) === addressText(server))
  );
};

/** Gives a server a seat that was kept for one that was never seen. */
async function giveSeat(
  cluster: Cluster,
  slot: number,
  { host, port }: ServerAddress,
  sid: string,
): Promise<void> {
  await changeOrThrow(
    cluster,
    takeSeats(cluster.view.config, new Map([[slot, { sid, host, port }]])),
  );
  await finishChange(cluster);
}

/**
 * From now on no piece comes to this server, and repair takes away those that are there. Throws
 * DfsError("usage", "failed", "tooFew").
 */
export async function drainServer(cluster: Cluster, slot: number): Promise<void> {
  await finishChange(cluster);
  const { config } = cluster.view;
  // A seat whose server was never seen has no pieces.
  if (vacantIn(config).includes(slot)) return;
  checkMember(cluster, slot);
  if (config.leaving.includes(slot)) return;
  const leaving = [...config.leaving, slot];
  checkRoom(cluster, slot, await needOf(cluster, slot), { ...config, leaving });
  await changeOrThrow(cluster, { ...config, leaving });
  // From here on, everybody who looks sees what was accepted before.
  if (!canAccept(cluster.view.quorum, await install(cluster, 0n))) throw tooFew();
}

/**
 * Ends the membership of a server that is drained, or gone for good. It reports first that the
 * removal is safe. Throws DfsError("usage", "failed", "tooFew").
 */
export async function removeServer(
  cluster: Cluster,
  slot: number,
  report: (line: string) => unknown = () => {},
): Promise<void> {
  await finishChange(cluster);
  const { config } = cluster.view;
  if (config.awaited.includes(slot)) return removeAwaited(cluster, slot, report);
  // The change that was just finished may have been this one.
  if (!config.voters.includes(slot)) return;
  const next = config.voters.filter((one) => one !== slot);
  const need = await needOf(cluster, slot);
  const name = cluster.labelOf(slot);
  checkNotNeeded(cluster, slot, need);
  checkRoom(cluster, slot, need, { ...config, next });
  // While the server is not drained, pieces may still be on their way to it.
  if (cluster.peer(slot) && (need.pieces > 0 || !config.leaving.includes(slot)))
    throw new DfsError(
      "failed",
      `${name} cannot be removed yet (${counted(need.pieces, "piece lies", "pieces lie")} on it): dfs-tool server drain ${name} comes first`,
    );
  await report(
    `${name} is safe to remove: ${cluster.peer(slot) ? "nothing lies on it" : "it does not answer, and no file needs it"}`,
  );
  await changeOrThrow(cluster, { ...config, next });
  await finishChange(cluster);
}

/**
 * Keeps a seat no more for a server that was never seen. What would be at home there gets other
 * homes.
 */
async function removeAwaited(
  cluster: Cluster,
  slot: number,
  report: (line: string) => unknown,
): Promise<void> {
  const { config } = cluster.view;
  const awaited = config.awaited.filter((one) => one !== slot);
  checkRoom(cluster, slot, await needOf(cluster, slot), { ...config, awaited });
  await report(`${cluster.labelOf(slot)} is safe to remove: it was never seen`);
  await changeOrThrow(cluster, { ...config, awaited });
}

/**
 * Gives a blank server the place of another one. Where the other one still answers, the change is
 * only begun: repair moves what lies there, and finishes the change. "again": that was begun or
 * done before. Throws DfsError("usage", "failed", "tooFew").
 */
export async function replaceServer(
  cluster: Cluster,
  slot: number,
  server: ServerAddress,
): Promise<"begun" | "again"> {
  const sid = await greetNew(cluster, server);
  if (hasPlaceOf(cluster.view.config, slot, sid)) return "again";
  if (cluster.view.config.seats[slot]?.sid === sid)
    throw new DfsError(
      "usage",
      `${server.name} is there with its folder. To have another server in its place name that one's address; to give it a new folder, ${makingWay(cluster, slot)}`,
    );
  await finishChange(cluster);
  const { config } = cluster.view;
  const known = slotOf(config, sid);
  // The change that was just finished may have been this one.
  if (known === slot || hasPlaceOf(config, slot, sid)) return "again";
  if (known >= 0) throw new DfsError("usage", `${server.name} is a member of the cluster already`);
  if (vacantIn(config).includes(slot)) {
    await giveSeat(cluster, slot, server, sid);
    return "begun";
  }
  checkMember(cluster, slot);
  checkNotNeeded(cluster, slot, await needOf(cluster, slot));
  const heir = config.seats.length;
  const seats = config.seats.map((seat, i) => (i === slot ? { ...seat, heir } : seat));
  const next = config.voters.map((one) => (one === slot ? heir : one));
  await changeOrThrow(cluster, { ...config, seats: [...seats, seatOf(server, sid)], next });
  if (departingIn(cluster).length === 0) await finishChange(cluster);
  return "begun";
}

/**
 * Throws DfsError("failed") where so many records are damaged that nobody can tell which names
 * there are.
 */
async function checkListed(cluster: Cluster): Promise<void> {
  for (const space of await allSpacesIn(cluster))
    for await (const { vouching, quorum } of pagesIn(space, "", false))
      if (!canAccept([quorum[0]], vouching))
        throw new DfsError(
          "failed",
          "too few servers answer, or read all their records, to tell which names there are; nothing was changed",
        );
}

/**
 * Makes this the next configuration, in today's format, in which new servers weigh what their disks
 * take. Throws DfsError("failed") where somebody else's change came first, ("tooFew") where it
 * could not be finished.
 */
export async function changeOrThrow(cluster: Cluster, wanted: Config): Promise<void> {
  // rule: joint-epoch
  const config = await withNewWeighed(cluster, renewFormat(wanted));
  const answering = [...config.seats.entries()].flatMap(([slot, { sid }]) =>
    sid !== null && cluster.connections.ofSid(sid) ? [slot] : [],
  );
  if (!canAccept(quorumOf(config), answering))
    throw new DfsError(
      "tooFew",
      "too few servers answer to change who they are; nothing was changed",
    );
  if (config.next) await checkListed(cluster);
  const outcome = await changeConfig(cluster, { ...config, epoch: config.epoch + 1 });
  if (outcome === "failed") throw tooFew();
  if (outcome === "taken")
    throw new DfsError(
      "failed",
      "somebody else changes the servers at this moment: look at dfs-tool server list, and try again",
    );
}

/** The id of a server that may become a member: it is blank, or a member already. */
async function greetNew(cluster: Cluster, server: ServerAddress): Promise<string> {
  const failures: string[] = [];
  const greeted = await cluster.connections.greet(server, failures);
  if (!greeted) throw new DfsError("down", failures.join());
  if (cluster.connections.isLoggedIn && !greeted.peer.loggedIn)
    throw new DfsError(
      "usage",
      `${server.name} knows no users, as the others do: start it with their file of users`,
    );
  const { sid, cluster: id, config } = greeted.greeting;
  const isMember = cluster.view.members.includes(slotOf(cluster.view.config, sid));
  if (isMember) return sid;
  // A former member may know what all others have forgotten since.
  const isFormer = slotOf(cluster.view.config, sid) >= 0;
  if (isFormer || config !== null || (id !== null && id !== cluster.id))
    throw new DfsError(
      "usage",
      `${server.name} has the data of ${id === cluster.id ? "its earlier time in this" : "another"} cluster, or a copy of it; to make it a member, ${makingWay(cluster, slotOf(cluster.view.config, sid))}`,
    );
  checkOperator(cluster);
  await greeted.peer.init(cluster.id);
  return sid;
}

const seatOf = ({ name, host, port }: ServerAddress, sid: string): Seat => ({
  sid,
  name,
  host,
  port,
  heir: null,
  weight: WEIGHT_MAX,
  zone: "",
});

/** Throws where a change that was finished just now ended this membership. */
function checkMember(cluster: Cluster, slot: number): void {
  if (cluster.view.members.includes(slot)) return;
  throw new DfsError(
    "usage",
    `${cluster.labelOf(slot)} is no member of the cluster any more: a change that had begun ended that`,
  );
}
