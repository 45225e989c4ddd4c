/** status: is everything that is stored safe, and what would it take to make it so. */
import { isDfsError } from "../../errors.ts";
import { type Layout, PAIRS, type Shape, shapeOf } from "../../file/layout.ts";
import {
  FIRST_REPLY_MS,
  REACH_MS,
  SCARCE_BYTES,
  STATUS_REPLY_MS,
  UNREAD_SECONDS_MAX,
} from "../../limits.ts";
import { weightOf } from "../../membership.ts";
import type { ReplyOf } from "../../wire/messages.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import type { Group } from "../../quorum.ts";
import { byDisk, freeOn, usableOn } from "./room_left.ts";
import { seatWarnings, strangersIn } from "../members/seats.ts";
import { hearsMore } from "../connect/silent.ts";
import { type Tally, tallyOf } from "./tally.ts";

export type Word = "HEALTHY" | "DEGRADED" | "AT RISK" | "DATA MISSING" | "TOO FEW SERVERS";

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

export interface Status extends Omit<Tally, "late" | "damaged"> {
  readonly word: Word;
  /** How many more servers may be lost, whichever they are, before some file is. */
  readonly canLose: number;
  /** Bytes that are free for pieces on all disks together, and that files of the layout may still have; null: nobody can tell. */
  readonly free: number | null;
  readonly usable: number | null;
  /** The layout of new files. */
  readonly layout: Layout;
  /** Servers that are on one disk, for each such disk. */
  readonly shared: readonly (readonly string[])[];
  readonly servers: readonly ServerStatus[];
  /** Of servers that do not count, or were never seen: why, and what to do. */
  readonly notes: readonly string[];
  /** Servers with records that do not verify. */
  readonly damaged: readonly string[];
}

/** All but the word. */
type Facts = Omit<Status, "word">;

export interface StatusHow {
  /** What new files are stored in. */
  readonly layout: Layout;
  /** Is it well only once all is at home and was read back, and no disk is full? */
  readonly isStrict: boolean;
}

/**
 * Looks at all servers and all names; where too little can be told in the time that a server has for it, once more with the patience
 * that others have. Throws DfsError("tooFew") when no server answers.
 */
export async function statusOf(
  cluster: Cluster,
  how: StatusHow = { layout: PAIRS, isStrict: false },
): Promise<Status> {
  const patience = FIRST_REPLY_MS + REACH_MS;
  for (let replyMs = Math.max(STATUS_REPLY_MS, cluster.connections.patienceMs); ;) {
    const { arrivals } = cluster;
    const status = await look(cluster, how, replyMs);
    if (status.word !== "DATA MISSING" && status.word !== "TOO FEW SERVERS") return status;
    const isMore = await hearsMore(cluster, arrivals);
    if (!isMore && (replyMs >= patience || !isOneLate(cluster, status))) return status;
    replyMs = Math.max(replyMs, patience);
  }
}

/** Is a server connected that did not answer this? */
const isOneLate = ({ view, live }: Cluster, { servers }: Status): boolean =>
  view.listed.some((slot, i) => live.includes(slot) && servers[i]?.health === null);

async function look(cluster: Cluster, how: StatusHow, replyMs: number): Promise<Status> {
  const asked = cluster.ask(
    "status",
    () => ({}),
    () => replyMs,
  );
  const tally = await tallyOf(cluster, async () => (await asked).replies);
  const { replies, view } = await asked;
  const { late, damaged, ...sums } = tally;
  // Who does not tell in time what it holds does not answer.
  for (const slot of late) replies.delete(slot);
  const servers = view.listed.map((slot) => serverOf(cluster, slot, replies.get(slot) ?? null));
  for (const { bad, unread } of replies.values()) {
    sums.toDo.damaged += bad;
    sums.toDo.unread += unread;
  }
  // Below R answers nobody can tell what is current.
  const answering = (group: Group): number =>
    group.slots.filter((slot) => replies.has(slot)).length;
  const spare = Math.min(...view.quorum.map((group) => answering(group) - group.read));
  const shape = shapeOn(how.layout, view.places.length);
  // Where nothing is stored yet it is what the first file will have.
  const keeps = sums.canLose === Infinity && shape ? keptBy(shape) : sums.canLose;
  const canLose = Math.max(0, Math.min(spare, keeps));
  const room = roomIn(cluster, view.places, replies, shape);
  const status = {
    ...sums,
    ...room,
    layout: how.layout,
    canLose: sums.unreadable > 0 ? 0 : canLose,
    servers,
    notes: seatWarnings(cluster),
    damaged: [...damaged].map((slot) => cluster.labelOf(slot)),
  };
  const isWhole = isWell(status) && (!how.isStrict || isAllDone(status));
  return { ...status, word: wordOf(spare, sums.unreadable, canLose, isWhole) };
}

const serverOf = (
  cluster: Cluster,
  slot: number,
  health: ServerStatus["health"],
): ServerStatus => ({
  name: cluster.labelOf(slot),
  release: cluster.releaseOf(slot),
  weight: weightOf(cluster.view.config, slot),
  health,
  state: stateOf(cluster, slot, health),
});

/** The shape of new files; null where there are too few servers for them. */
function shapeOn(layout: Layout, places: number): Shape | null {
  try {
    return shapeOf(layout, places);
  } catch (error) {
    if (isDfsError(error, "usage")) return null;
    throw error;
  }
}

/** How many servers a file of this shape can lose. */
const keptBy = ({ pieces, needed, copies }: Shape): number =>
  pieces > needed ? pieces - needed : copies - 1;

function roomIn(
  cluster: Cluster,
  places: readonly number[],
  replies: Replies<"status">,
  shape: Shape | null,
): Pick<Status, "free" | "usable" | "shared"> {
  const disks = [...replies].map(([slot, { disk, free }]) => ({ slot, disk, free }));
  // Nothing more comes to who is about to leave.
  const taking = disks.filter(({ slot }) => places.includes(slot));
  const shared = byDisk(disks).filter((group) => group.length > 1);
  return {
    free: freeOn(taking),
    usable: shape && usableOn(taking, shape),
    shared: shared.map((group) => group.map(({ slot }) => cluster.labelOf(slot)).sort()),
  };
}

/** Has every piece its copies, is nothing damaged, and can files still be stored? What lies elsewhere, or is new, is well. */
function isWell({ servers, hollow, toDo, usable }: Facts): boolean {
  const unreadFor = Math.max(0, ...servers.map(({ health }) => health?.unreadFor ?? 0));
  return (
    servers.every(({ state }) => state === "up") &&
    hollow + toDo.lacking + toDo.damaged + toDo.records + toDo.changes === 0 &&
    unreadFor < UNREAD_SECONDS_MAX &&
    (usable ?? Infinity) >= SCARCE_BYTES
  );
}

/** Is nothing left to do but what takes room and does no harm? */
const isAllDone = ({ servers, displaced, toDo }: Facts): boolean =>
  servers.every(({ health }) => health?.short === "") &&
  displaced + toDo.astray + toDo.unread + toDo.unsettled === 0;

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
