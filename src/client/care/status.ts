/**
 * `status`: is everything that is stored safe, and what is left to do to make it safe? Used by the
 * status command.
 */
import { isDfsError } from "../../errors.ts";
import { type Layout, PAIRS, type Shape, shapeOf } from "../../file/layout.ts";
import {
  FIRST_REPLY_MS,
  REACH_MS,
  SCARCE_BYTES,
  STATUS_REPLY_MS,
  UNREAD_SECONDS_MAX,
} from "../../limits.ts";
import { weightOf } from "../../seating.ts";
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
  /**
   * How large its disk counts where files lie on only some of the servers. The largest counts
   * 65,535.
   */
  readonly weight: number;
  /** null: the server does not answer, or does not count. */
  readonly health: ReplyOf<"status"> | null;
  /**
   * "awaited": a seat is kept for the server, and it has not joined. "lost": it has lost its data,
   * so that another server is at its address.
   */
  readonly state: "up" | "down" | "awaited" | "lost";
}

export interface Status extends Omit<Tally, "late" | "damaged"> {
  readonly word: Word;
  /** How many more servers may be lost, whichever they are, before a file is lost. */
  readonly canLose: number;
  /**
   * The bytes that are free for pieces on all disks together, and the bytes of files that still fit
   * in the layout. null: they are not known.
   */
  readonly free: number | null;
  readonly usable: number | null;
  /** The layout of new files. */
  readonly layout: Layout;
  /** For each disk that several servers share, these servers. */
  readonly shared: readonly (readonly string[])[];
  readonly servers: readonly ServerStatus[];
  /** One line for each server that does not count or was never seen: why, and what to do. */
  readonly notes: readonly string[];
  /** Servers with records that do not verify. */
  readonly damaged: readonly string[];
}

/** A status without its word. */
type Facts = Omit<Status, "word">;

export interface StatusOptions {
  /** The layout of new files. */
  readonly layout: Layout;
  /**
   * With it, the word is HEALTHY only once every piece is at home and was read back, and no disk is
   * full.
   */
  readonly isStrict: boolean;
}

/**
 * Looks at all servers and all names. Where too little can be told within the short time that
 * status gives a server, it looks once more, with the patience of other commands. Throws
 * DfsError("tooFew") when no server answers.
 */
export async function statusOf(
  cluster: Cluster,
  options: StatusOptions = { layout: PAIRS, isStrict: false },
): Promise<Status> {
  const patience = FIRST_REPLY_MS + REACH_MS;
  let replyMs = Math.max(STATUS_REPLY_MS, cluster.connections.patienceMs);
  for (let tries = 0; ; tries++) {
    const { arrivals } = cluster;
    const status = await statusOnce(cluster, options, replyMs);
    if (status.word !== "DATA MISSING" && status.word !== "TOO FEW SERVERS") return status;
    const isMore = await hearsMore(cluster, arrivals, tries);
    if (!isMore && (replyMs >= patience || !isOneLate(cluster, status))) return status;
    replyMs = Math.max(replyMs, patience);
  }
}

/** Is there a server that is connected, and did not answer? */
const isOneLate = ({ view, live }: Cluster, { servers }: Status): boolean =>
  view.listed.some((slot, i) => live.includes(slot) && servers[i]?.health === null);

async function statusOnce(
  cluster: Cluster,
  options: StatusOptions,
  replyMs: number,
): Promise<Status> {
  const asked = cluster.ask(
    "status",
    () => ({}),
    () => replyMs,
  );
  // The tally may fail first, and then nobody looks at the answers.
  asked.catch(() => {});
  const tally = await tallyOf(cluster, async () => (await asked).replies);
  const { replies, view } = await asked;
  const { late, damaged, ...sums } = tally;
  // A server that does not list its names in time counts as one that does not answer.
  for (const slot of late) replies.delete(slot);
  const servers = view.listed.map((slot) => serverOf(cluster, slot, replies.get(slot) ?? null));
  for (const { bad, unread } of replies.values()) {
    sums.toDo.damaged += bad;
    sums.toDo.unread += unread;
  }
  // With fewer than R answers nobody can tell what is current.
  const answering = (group: Group): number =>
    group.slots.filter((slot) => replies.has(slot)).length;
  const spare = Math.min(...view.quorum.map((group) => answering(group) - group.read));
  const shape = shapeOn(options.layout, view.places.length);
  // Where nothing is stored yet, it is what the first file can lose.
  const keeps = sums.canLose === Infinity && shape ? keptBy(shape) : sums.canLose;
  const canLose = Math.max(0, Math.min(spare, keeps));
  const room = roomIn(cluster, view.places, replies, shape);
  const status = {
    ...sums,
    ...room,
    layout: options.layout,
    canLose: sums.unreadable > 0 ? 0 : canLose,
    servers,
    notes: seatWarnings(cluster),
    damaged: [...damaged].map((slot) => cluster.labelOf(slot)),
  };
  const isWhole = isSafe(status) && (!options.isStrict || isAllDone(status));
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

/** The shape of new files; null where there are too few servers for their layout. */
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
  // A server that is about to leave gets no more pieces.
  const taking = disks.filter(({ slot }) => places.includes(slot));
  const shared = byDisk(disks).filter((group) => group.length > 1);
  return {
    free: freeOn(taking),
    usable: shape && usableOn(taking, shape),
    shared: shared.map((group) => group.map(({ slot }) => cluster.labelOf(slot)).sort()),
  };
}

/**
 * Has every piece its copies, is nothing damaged, and can files still be stored? Pieces that lie
 * away from home, or are new, do no harm here.
 */
function isSafe({ servers, hollow, toDo, usable }: Facts): boolean {
  const unreadFor = Math.max(0, ...servers.map(({ health }) => health?.unreadFor ?? 0));
  return (
    servers.every(({ state }) => state === "up") &&
    hollow + toDo.lacking + toDo.damaged + toDo.records + toDo.changes === 0 &&
    unreadFor < UNREAD_SECONDS_MAX &&
    (usable ?? Infinity) >= SCARCE_BYTES
  );
}

/** Is nothing left to do, apart from work that only frees room? */
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
