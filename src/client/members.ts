/**
 * Who makes the cluster, and how that changes (docs/consistency.md section 4, membership; model/members.ts): over an epoch in which every
 * decision takes a quorum of the servers before and of those after. Each step may be cut short; `finishChange` (migrate.ts) goes on with it.
 */
import { DfsError } from "../errors.ts";
import { SERVERS_MAX, WEIGHT_MAX } from "../limits.ts";
import {
  type Config,
  hasPlaceOf,
  membersOf,
  placesOf,
  renewed,
  type Seat,
  seated,
  slotOf,
  vacantIn,
} from "../membership.ts";
import { counted } from "./counted.ts";
import { changeConfig, install } from "./change.ts";
import type { Cluster } from "./cluster.ts";
import { addressText } from "./greeter.ts";
import { canAccept, quorumOf } from "./decide.ts";
import { pagesIn } from "./list.ts";
import { finishChange, goersIn, tooFew } from "./migrate.ts";
import type { ServerAddress } from "../membership.ts";
import { makingWay } from "./seats.ts";
import { filesText, type Need, needOf, removalText } from "./safety.ts";
import { allSpacesIn, checkOperator } from "./spaces.ts";
import { withNewWeighed } from "./weigh.ts";

/** So many digits of a server's id are shown, and enough to name it where no other begins so. */
export const ID_DIGITS = 8;

/** The slot of the server that people call so, or whose id begins so; of those that are awaited too. Throws DfsError("usage"). */
export function slotNamed(cluster: Cluster, name: string): number {
  const { config, listed } = cluster.view;
  const named = listed.filter((one) => cluster.labelOf(one) === name);
  // While one is being replaced its heir may have the same name.
  const isHeir = (one: number): boolean => named.some((of) => config.seats[of]?.heir === one);
  const found = named.length > 0 ? named.filter((one) => !isHeir(one)) : slotsOfId(config, name);
  const [slot, other] = found;
  if (other !== undefined)
    throw new DfsError(
      "usage",
      `two servers are called ${name}: name them by their ids, as dfs-tool server list shows them`,
    );
  if (slot !== undefined) return slot;
  const names = listed.map((one) => cluster.labelOf(one));
  throw new DfsError("usage", `the cluster has no server ${name}; it has ${names.join(", ")}`);
}

const slotsOfId = (config: Config, id: string): number[] =>
  id.length < ID_DIGITS
    ? []
    : membersOf(config).filter((slot) => config.seats[slot]?.sid?.startsWith(id.toLowerCase()));

/** Makes a blank server a member; one that was leaving stays, and one that is a member of this name is what was wanted. Throws DfsError("usage", "tooFew", "failed"). */
export async function addServer(cluster: Cluster, server: ServerAddress): Promise<void> {
  await finishChange(cluster);
  const sid = await greetNew(cluster, server);
  const { config, members } = cluster.view;
  const known = slotOf(config, sid);
  if (config.leaving.includes(known))
    return change(cluster, { ...config, leaving: config.leaving.filter((one) => one !== known) });
  if (members.includes(known)) {
    const label = cluster.labelOf(known);
    // Who was cut short asks once more.
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
  await change(cluster, { ...config, seats, next: [...config.voters, seats.length - 1] });
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
  await change(cluster, seated(cluster.view.config, new Map([[slot, { sid, host, port }]])));
  await finishChange(cluster);
}

/** From now on no piece comes to this server, and repair takes away those that are there. Throws DfsError("usage", "failed", "tooFew"). */
export async function drainServer(cluster: Cluster, slot: number): Promise<void> {
  await finishChange(cluster);
  const { config } = cluster.view;
  // Nothing lies where no server was ever seen.
  if (vacantIn(config).includes(slot)) return;
  checkMember(cluster, slot);
  if (config.leaving.includes(slot)) return;
  const leaving = [...config.leaving, slot];
  checkRoom(cluster, slot, await needOf(cluster, slot), { ...config, leaving });
  await change(cluster, { ...config, leaving });
  // What was accepted before is seen by all who look from here on.
  if (!canAccept(cluster.view.quorum, await install(cluster, 0n))) throw tooFew();
}

/**
 * Ends a membership: of a server that is drained, or that is gone for good. Before it acts it says whether that is safe.
 * Throws DfsError("usage", "failed", "tooFew").
 */
export async function removeServer(
  cluster: Cluster,
  slot: number,
  say: (line: string) => unknown = () => {},
): Promise<void> {
  await finishChange(cluster);
  const { config } = cluster.view;
  if (config.awaited.includes(slot)) return awaitNoMore(cluster, slot, say);
  // The change that was just finished may have been this one.
  if (!config.voters.includes(slot)) return;
  const next = config.voters.filter((one) => one !== slot);
  const need = await needOf(cluster, slot);
  const name = cluster.labelOf(slot);
  checkNeed(cluster, slot, need);
  checkRoom(cluster, slot, need, { ...config, next });
  // While it is not drained pieces may still be on their way to it.
  if (cluster.peer(slot) && (need.pieces > 0 || !config.leaving.includes(slot)))
    throw new DfsError(
      "failed",
      `${name} cannot be removed yet (${counted(need.pieces, "piece lies", "pieces lie")} on it): dfs-tool server drain ${name} comes first`,
    );
  await say(
    `${name} is safe to remove: ${cluster.peer(slot) ? "nothing lies on it" : "it does not answer, and no file needs it"}`,
  );
  await change(cluster, { ...config, next });
  await finishChange(cluster);
}

/** No seat is kept any more for a server that was never seen: what would be at home there has its home elsewhere from now on. */
async function awaitNoMore(
  cluster: Cluster,
  slot: number,
  say: (line: string) => unknown,
): Promise<void> {
  const { config } = cluster.view;
  const awaited = config.awaited.filter((one) => one !== slot);
  checkRoom(cluster, slot, await needOf(cluster, slot), { ...config, awaited });
  await say(`${cluster.labelOf(slot)} is safe to remove: it was never seen`);
  await change(cluster, { ...config, awaited });
}

/**
 * A blank server takes the place of another. Where that one still answers the change is only begun: repair moves what lies there, and
 * brings it to its end, as it does when that was done before ("again"). Throws DfsError("usage", "failed", "tooFew").
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
  checkNeed(cluster, slot, await needOf(cluster, slot));
  const heir = config.seats.length;
  const seats = config.seats.map((seat, i) => (i === slot ? { ...seat, heir } : seat));
  const next = config.voters.map((one) => (one === slot ? heir : one));
  await change(cluster, { ...config, seats: [...seats, seatOf(server, sid)], next });
  if (goersIn(cluster).length === 0) await finishChange(cluster);
  return "begun";
}

/** Throws DfsError("failed") where so many records are damaged that nobody can tell which names there are. */
async function checkListed(cluster: Cluster): Promise<void> {
  for (const space of await allSpacesIn(cluster))
    for await (const { vouching, quorum } of pagesIn(space, "", false))
      if (!canAccept([quorum[0]], vouching))
        throw new DfsError(
          "failed",
          "too few servers answer, or read all their records, to tell which names there are; nothing was changed",
        );
}

/** Has this come next, in the format of today, and who is new weigh what it does; throws DfsError("failed") where something else does, and ("tooFew") where it could not be brought to an end. */
export async function change(cluster: Cluster, wanted: Config): Promise<void> {
  const config = await withNewWeighed(cluster, renewed(wanted));
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

/** The id of a server that may become a member: it is blank, or one already. */
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
  // Who was a member once may know what all others have forgotten since.
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
});

/** Throws where a change that was finished just now ended this membership. */
function checkMember(cluster: Cluster, slot: number): void {
  if (cluster.view.members.includes(slot)) return;
  throw new DfsError(
    "usage",
    `${cluster.labelOf(slot)} is no member of the cluster any more: a change that had begun ended that`,
  );
}

function checkNeed(cluster: Cluster, slot: number, need: Need): void {
  if (need.files === 0) return;
  const name = cluster.labelOf(slot);
  const which = filesText(need.first, need.files);
  throw new DfsError(
    "failed",
    `${counted(need.files, "file")} cannot be had without ${name} (${which}): have all servers run, and repair; what is lost for good must be deleted first, with ${removalText(cluster, need.first)}`,
  );
}

/** Throws where fewer servers would be left for pieces than files have, or than can lose one. */
function checkRoom(cluster: Cluster, slot: number, need: Need, after: Config): void {
  const left = placesOf(after).filter((one) => after.seats[one]?.sid !== null).length;
  const wanted = Math.max(need.width, Math.min(2, placesOf(cluster.view.config).length));
  const widest = need.widest && wanted === need.width ? ` (as ${filesText([need.widest], 1)})` : "";
  if (left < wanted)
    throw new DfsError(
      "failed",
      `without ${cluster.labelOf(slot)} there ${left === 1 ? "is 1 server" : `are ${left} servers`} for pieces, and the files there are take ${wanted}${widest}`,
    );
}
