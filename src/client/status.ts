/** status: is everything that is stored safe, and what would it take to make it so. */
import { KEY_NAME } from "../file/names.ts";
import { FIRST_REPLY_MS, REACH_MS, STATUS_REPLY_MS } from "../limits.ts";
import { weightOf } from "../membership.ts";
import type { ReplyOf } from "../wire/messages.ts";
import type { Cluster } from "./cluster.ts";
import type { Group } from "./decide.ts";
import { neverHeld } from "./hollow.ts";
import { conclude, hereOf, type NameSaid, namesIn } from "./list.ts";
import { tolerance } from "./plan.ts";
import { readName } from "./register.ts";
import type { FileOf } from "./safety.ts";
import { linesOf, strangersIn } from "./seats.ts";
import { hearsMore } from "./silent.ts";
import { spacesIn } from "./spaces.ts";

/** So many files of others are looked at closely, for that takes time; more count as missing. */
const HOLLOW_LOOKS = 1000;

export type Word = "HEALTHY" | "DEGRADED" | "AT RISK" | "DATA MISSING" | "TOO FEW SERVERS";

/** What repair, or reading back, has left to do. */
export interface ToDo {
  /** Pieces that answering servers are home to and lack. */
  lacking: number;
  /** Pieces that lie elsewhere than at home. */
  astray: number;
  /** Pieces known to be damaged. */
  damaged: number;
  /** Pieces that were never read back. */
  unread: number;
  /** Names whose servers do not agree yet. */
  unsettled: number;
  /** Deletions that are not forgotten everywhere. */
  deletions: number;
  /** Names of which there are pieces of versions that nobody needs. */
  orphans: number;
  /** Records that a server cannot read any more. */
  records: number;
  /** Is a change of the servers not finished? */
  changes: number;
}

export interface ServerStatus {
  readonly name: string;
  readonly release: string | null;
  /** How large it counts where files lie on some of the servers; the largest is 65,535. */
  readonly weight: number;
  /** null: it does not answer, or is not one that counts. */
  readonly health: ReplyOf<"status"> | null;
  /** "awaited": a seat is kept for it, and it has not joined. "lost": another one is at its address, for it has lost its data. */
  readonly state: "up" | "down" | "awaited" | "lost";
}

export interface Status {
  readonly word: Word;
  /** How many more servers may be lost, whichever they are, before some file is. */
  readonly canLose: number;
  readonly files: number;
  readonly bytes: number;
  /** Files that cannot be had from the servers that answer. */
  readonly unreadable: number;
  /** Files of other users that no server has a piece of, nor ever had, or lost wholly: how many, and the first. */
  readonly hollow: number;
  readonly firstHollow: FileOf | null;
  readonly servers: readonly ServerStatus[];
  /** Of servers that do not count, or were never seen: why, and what to do. */
  readonly notes: readonly string[];
  /** Servers with records that do not verify. */
  readonly damaged: readonly string[];
  readonly toDo: ToDo;
}

/**
 * Looks at all servers and all names; where too little can be told in the time that a server has for it, once more with the patience
 * that others have. Throws DfsError("tooFew") when no server answers.
 */
export async function statusOf(cluster: Cluster): Promise<Status> {
  const patience = FIRST_REPLY_MS + REACH_MS;
  for (let replyMs = Math.max(STATUS_REPLY_MS, cluster.connections.patienceMs); ;) {
    const { arrivals } = cluster;
    const status = await look(cluster, replyMs);
    if (status.word !== "DATA MISSING" && status.word !== "TOO FEW SERVERS") return status;
    const isMore = await hearsMore(cluster, arrivals);
    if (!isMore && (replyMs >= patience || !isOneLate(cluster, status))) return status;
    replyMs = Math.max(replyMs, patience);
  }
}

/** Is a server connected that did not answer this? */
const isOneLate = ({ view, live }: Cluster, { servers }: Status): boolean =>
  view.listed.some((slot, i) => live.includes(slot) && servers[i]?.health === null);

async function look(cluster: Cluster, replyMs: number): Promise<Status> {
  const asked = cluster.ask(
    "status",
    () => ({}),
    () => replyMs,
  );
  const names = await lookAtNames(cluster);
  const { replies, view } = await asked;
  // Who does not tell in time what it holds does not answer.
  for (const slot of names.late) replies.delete(slot);
  const servers = view.listed.map((slot) => {
    const health = replies.get(slot) ?? null;
    const name = cluster.labelOf(slot);
    return {
      name,
      release: cluster.releaseOf(slot),
      weight: weightOf(view.config, slot),
      health,
      state: stateOf(cluster, slot, health),
    };
  });
  for (const { bad, unread } of replies.values()) {
    names.toDo.damaged += bad;
    names.toDo.unread += unread;
  }
  // Below R answers nobody can tell what is current.
  const answering = (group: Group): number =>
    group.slots.filter((slot) => replies.has(slot)).length;
  const spare = Math.min(...view.quorum.map((group) => answering(group) - group.read));
  const canLose = Math.max(0, Math.min(spare, names.canLose));
  // What nobody needs takes room and does no harm.
  const { deletions: _, orphans: __, ...harm } = names.toDo;
  const isRoom = [...replies.values()].every(({ short }) => short === "");
  const isWhole =
    isRoom &&
    servers.every(({ state }) => state === "up") &&
    names.hollow === 0 &&
    Object.values(harm).every((n) => n === 0);
  const { late: ___, looks: ____, damaged, ...sums } = names;
  const word = wordOf(spare, names.unreadable, canLose, isWhole);
  return {
    ...sums,
    word,
    canLose: names.unreadable > 0 ? 0 : canLose,
    servers,
    notes: linesOf(cluster),
    damaged: [...damaged].map((slot) => cluster.labelOf(slot)),
  };
}

function wordOf(spare: number, unreadable: number, canLose: number, isWhole: boolean): Word {
  if (spare < 0) return "TOO FEW SERVERS";
  if (unreadable > 0) return "DATA MISSING";
  if (canLose === 0) return "AT RISK";
  return isWhole ? "HEALTHY" : "DEGRADED";
}

function stateOf(
  cluster: Cluster,
  slot: number,
  health: ServerStatus["health"],
): ServerStatus["state"] {
  if (health) return "up";
  if (cluster.view.config.seats[slot]?.sid === null) return "awaited";
  const isLost = strangersIn(cluster).some((one) => one.is === "lost" && one.slot === slot);
  return isLost ? "lost" : "down";
}

/** What all names come to. */
interface Sums {
  canLose: number;
  files: number;
  bytes: number;
  unreadable: number;
  hollow: number;
  firstHollow: FileOf | null;
  /** Names of others that may be hollow, and were looked at. */
  looks: number;
  /** Servers that were asked for names, and did not answer in time. */
  readonly late: Set<number>;
  /** Servers with records that do not verify. */
  readonly damaged: Set<number>;
  readonly toDo: ToDo;
}

async function lookAtNames(cluster: Cluster): Promise<Sums> {
  const toDo: ToDo = {
    lacking: 0,
    astray: 0,
    damaged: 0,
    unread: 0,
    unsettled: 0,
    deletions: 0,
    orphans: 0,
    records: 0,
    changes: cluster.view.config.next ? 1 : 0,
  };
  const all: Sums = {
    canLose: Infinity,
    files: 0,
    bytes: 0,
    unreadable: 0,
    hollow: 0,
    firstHollow: null,
    looks: 0,
    late: new Set<number>(),
    damaged: new Set<number>(),
    toDo,
  };
  for (const space of await spacesIn(cluster))
    for await (const said of namesIn(space, "", true)) {
      for (const slot of cluster.live) if (!said.answering.includes(slot)) all.late.add(slot);
      for (const slot of said.answering) if (!said.vouching.includes(slot)) all.damaged.add(slot);
      const isMissing = lookAt(said, all);
      if (isMissing && space.user !== cluster.user) await lookAgain(space, said.name, all);
    }
  // One may be of a name that nobody knows any more.
  toDo.records = Math.max(toDo.records, all.damaged.size);
  return all;
}

/** Adds what servers say of one name. Returns whether no server says that it has a piece of it. */
function lookAt(one: NameSaid, all: Sums): boolean {
  const { toDo } = all;
  const entries = [...one.said.values()];
  toDo.records += entries.filter(({ damaged }) => damaged).length;
  if (entries.some(({ others }) => others)) toDo.orphans++;
  const { is, state, votes } = conclude(one);
  if (!state) return false;
  if (state.deleted) {
    toDo.deletions++;
    return false;
  }
  const isIt = (x: { vid: string } | null): boolean => x?.vid === state.vid;
  if (![...votes.values()].every(({ acc, com }) => isIt(acc) && isIt(com))) toDo.unsettled++;
  const told = entries.flatMap((entry) => hereOf(entry, state.vid) ?? []);
  for (const { lacking, astray } of told) {
    toDo.lacking += lacking;
    toDo.astray += astray;
  }
  const canLose = tolerance(
    told.map(({ held }) => held),
    state.needed,
  );
  if (one.name !== KEY_NAME) all.files++;
  all.bytes += state.size;
  if (is !== "current" || canLose < 0) all.unreadable++;
  else all.canLose = Math.min(all.canLose, canLose);
  return state.needed > 0 && told.every(({ held }) => held.length === 0);
}

/** A user may have made up a file. It counts as missing, unless it is certain that it never was there, or that nobody can bring it back. */
async function lookAgain(space: Cluster, name: string, all: Sums): Promise<void> {
  if (++all.looks > HOLLOW_LOOKS) return;
  const { is, current, replies, view } = await readName(space, name);
  if (is !== "current" || !current || !neverHeld(current.version, replies, view, null)) return;
  all.files--;
  all.unreadable--;
  all.bytes -= current.version.size;
  all.hollow++;
  all.firstHollow ??= { user: space.user, name };
}
