/**
 * Counts over all stored names: how many files there are, how safe they are, and what is left to do
 * for them. Used by status.
 */
import { KEY_NAME, type StoredName } from "../../file/names.ts";
import { homesOf } from "../../file/placement.ts";
import { type Cut, pieceBytes } from "../../file/split.ts";
import { isGone, type Version } from "../../version.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import { copiesShort, holdersOf, lackingOf } from "../fetch/holders.ts";
import { neverHeld } from "../members/hollow.ts";
import { decideByReports, hereOf, type ReportedName, namesIn } from "../files/pages.ts";
import { tolerance } from "../fetch/plan.ts";
import { type Reading, readName } from "../agree/register.ts";
import type { FileOf } from "../members/safety.ts";
import { NOBODY, spacesIn } from "../files/spaces.ts";

/**
 * How many files of other users are looked at closely. Each look takes time; further such files
 * count as missing.
 */
const HOLLOW_LOOKS = 1000;
/** How long names that look bad are looked at once more, in all. A put may have been under way. */
const SECOND_LOOKS_MS = 1000;

/** What repair and scrubbing have left to do. */
export interface ToDo {
  /** Copies that are missing, and that an answering home lacks. */
  lacking: number;
  /** Copies of pieces that lie away from home, and for which there is room at home. */
  astray: number;
  /** Pieces known to be damaged. */
  damaged: number;
  /** Pieces that were never read back. */
  unread: number;
  /** Names on which servers do not agree yet. */
  unsettled: number;
  /** Deletions that some server has not forgotten. */
  deletions: number;
  /** Names with pending versions that nobody needs. */
  orphans: number;
  /** Records that a server can no longer read. */
  records: number;
  /** 1 while a change of the servers is not finished. */
  changes: number;
}

/** The counts over all names. */
export interface Tally {
  canLose: number;
  files: number;
  bytes: number;
  /** The bytes of all copies of all pieces of files. */
  used: number;
  /** Pieces that have all their copies, and lie away from home because their home has no room. */
  displaced: number;
  unreadable: number;
  hollow: number;
  firstHollow: FileOf | null;
  /** Files from before there were users. Nobody sees them until an operator adopts them. */
  open: number;
  /** The slots of servers that were asked for names, and did not answer in time. */
  readonly late: Set<number>;
  /** The slots of servers with records that do not verify. */
  readonly damaged: Set<number>;
  readonly toDo: ToDo;
}

/** The STATUS replies of servers. They are awaited only where they are needed. */
type Healths = () => Promise<Replies<"status">>;

/** The pieces of one file, by slot. */
interface FilePieces {
  readonly cut: Cut;
  /** Is it certain that this is the current version? */
  readonly isCurrent: boolean;
  readonly held: ReadonlyMap<number, readonly number[]>;
  /** How many pieces each answering home lacks. */
  readonly lacking: ReadonlyMap<number, number>;
  /** How many copies of pieces lie away from home. */
  readonly astray: number;
}

/** The state of one count over all names. */
interface Look {
  readonly tally: Tally;
  readonly healths: Healths;
  /** The user whose own names are trusted. */
  readonly ownUser: string;
  /**
   * How many more names that may be hollow are looked at closely, and how much time is left for
   * looking at other names once more.
   */
  hollowLooks: number;
  secondLooksMs: number;
}

/**
 * Counts all names of all users that this user may see. Throws DfsError("tooFew") when no server
 * answers.
 */
export async function tallyOf(cluster: Cluster, healths: Healths): Promise<Tally> {
  const tally = emptyTally(cluster);
  const look: Look = {
    tally,
    healths,
    ownUser: cluster.space.user,
    hollowLooks: HOLLOW_LOOKS,
    secondLooksMs: SECOND_LOOKS_MS,
  };
  for (const inSpace of await spacesIn(cluster))
    for await (const reported of namesIn(inSpace, "", true)) {
      for (const slot of cluster.live) if (!reported.answering.includes(slot)) tally.late.add(slot);
      for (const slot of reported.answering)
        if (!reported.vouching.includes(slot)) tally.damaged.add(slot);
      const before = tally.files;
      await countName(inSpace, reported, look);
      if (isOpen(inSpace)) tally.open += tally.files - before;
    }
  const { toDo } = tally;
  // A damaged record may be of a name that no other server knows any more.
  toDo.records = Math.max(toDo.records, tally.damaged.size);
  return tally;
}

/** Are the files of this space out of sight, since there are users and it is nobody's space? */
const isOpen = ({ space, connections }: Cluster): boolean =>
  space.user === NOBODY && connections.isLoggedIn;

const emptyTally = (cluster: Cluster): Tally => ({
  canLose: Infinity,
  files: 0,
  bytes: 0,
  used: 0,
  displaced: 0,
  unreadable: 0,
  hollow: 0,
  firstHollow: null,
  open: 0,
  late: new Set<number>(),
  damaged: new Set<number>(),
  toDo: {
    lacking: 0,
    astray: 0,
    damaged: 0,
    unread: 0,
    unsettled: 0,
    deletions: 0,
    orphans: 0,
    records: 0,
    changes: cluster.view.config.next ? 1 : 0,
  },
});

/** Adds one name to the counts. */
async function countName(cluster: Cluster, reported: ReportedName, look: Look): Promise<void> {
  const { toDo } = look.tally;
  const entries = [...reported.reports.values()];
  toDo.records += entries.filter(({ damaged }) => damaged).length;
  if (entries.some(({ others }) => others)) toDo.orphans++;
  const { is, state, votes } = decideByReports(reported);
  if (!state) return;
  if (state.deleted) {
    toDo.deletions++;
    return;
  }
  const isThisState = (value: { vid: string } | null): boolean => value?.vid === state.vid;
  if (![...votes.values()].every(({ acc, com }) => isThisState(acc) && isThisState(com)))
    toDo.unsettled++;
  const holdings = [...reported.reports].flatMap(([slot, entry]) => {
    const here = hereOf(entry, state.vid);
    return here ? [{ slot, ...here }] : [];
  });
  const pieces: FilePieces = {
    cut: state,
    isCurrent: is === "current",
    held: new Map(holdings.map(({ slot, held }) => [slot, held])),
    lacking: new Map(holdings.map(({ slot, lacking }) => [slot, lacking])),
    astray: holdings.reduce((sum, { astray }) => sum + astray, 0),
  };
  const looksAgain = reported.name !== KEY_NAME && isWorthAnotherLook(pieces, cluster, look);
  if (!looksAgain) return countFile(cluster, reported.name, pieces, look);
  const { clock } = cluster.ports;
  const begun = clock.now();
  await lookAgain(cluster, reported.name, pieces, look);
  if (!mayBeHollow(pieces, cluster, look)) look.secondLooksMs -= clock.now() - begun;
}

/** May it be a file that another user has made up: one that no server has a piece of? */
const mayBeHollow = ({ cut, held }: FilePieces, cluster: Cluster, look: Look): boolean =>
  cluster.space.user !== look.ownUser && cut.needed > 0 && [...held.values()].every(isNothing);

/**
 * Is the name looked at once more? A put that came between the answers of two servers looks like a
 * loss. While a server is late there is no second look, since each would wait for that server.
 */
function isWorthAnotherLook(pieces: FilePieces, cluster: Cluster, look: Look): boolean {
  if (mayBeHollow(pieces, cluster, look)) return look.hollowLooks-- > 0;
  const isSound = pieces.isCurrent && shortOf(pieces, cluster) === 0;
  return !isSound && look.tally.late.size === 0 && look.secondLooksMs > 0;
}

const isNothing = (pieces: readonly number[]): boolean => pieces.length === 0;

/**
 * Looks at one name alone, and counts it. A user may have made up a file. Such a file counts as
 * missing, unless it is certain that it never had pieces, or that nobody can bring them back.
 */
async function lookAgain(
  cluster: Cluster,
  name: StoredName,
  before: FilePieces,
  look: Look,
): Promise<void> {
  const { tally } = look;
  const reading = await readName(cluster, name);
  const version = reading.current?.version ?? null;
  if (reading.is !== "current") return countFile(cluster, name, before, look);
  if (version === null || isGone(version)) return;
  const isOthers = cluster.space.user !== look.ownUser;
  if (isOthers && neverHeld(version, reading.replies, reading.view, null)) {
    tally.hollow++;
    tally.firstHollow ??= { user: cluster.space.user, name };
    return;
  }
  await countFile(cluster, name, piecesIn(reading, version), look);
}

/** The pieces of a version, by what servers answer to a READ of its name. */
function piecesIn({ replies, view }: Reading, version: Version): FilePieces {
  const held = new Map<number, number[]>();
  const lacking = new Map<number, number>();
  const atHome = homesOf(version, view.config);
  let astray = 0;
  for (const [piece, slots] of holdersOf(version, replies).entries())
    for (const slot of slots) {
      held.set(slot, [...(held.get(slot) ?? []), piece]);
      if (!atHome[piece]?.includes(slot)) astray++;
    }
  for (const slot of lackingOf(version, replies, view.config).flat())
    lacking.set(slot, (lacking.get(slot) ?? 0) + 1);
  return { cut: version, isCurrent: true, held, lacking, astray };
}

/** Adds a file with these pieces to the counts. */
async function countFile(
  cluster: Cluster,
  name: StoredName,
  pieces: FilePieces,
  look: Look,
): Promise<void> {
  const { tally } = look;
  const { cut, isCurrent, held } = pieces;
  if (name !== KEY_NAME) tally.files++;
  tally.bytes += cut.size;
  const all = [...held.values()];
  for (const piece of all.flat()) tally.used += pieceBytes(cut, piece);
  const canLose = tolerance(all, cut.needed);
  if (!isCurrent || canLose < 0) tally.unreadable++;
  else tally.canLose = Math.min(tally.canLose, canLose);
  const lacked = [...pieces.lacking.values()].reduce((a, b) => a + b, 0);
  if (lacked === 0) {
    tally.toDo.astray += pieces.astray;
    return;
  }
  const lacking = Math.min(lacked, shortOf(pieces, cluster));
  const noRoom = lacked > lacking ? await lackingForRoom(pieces, look.healths) : 0;
  const displaced = Math.min(pieces.astray, Math.max(0, noRoom - lacking));
  tally.toDo.lacking += lacking;
  tally.displaced += displaced;
  tally.toDo.astray += pieces.astray - displaced;
}

/** How many copies a file lacks. */
function shortOf({ cut, held }: FilePieces, { view }: Cluster): number {
  const holders = Array.from({ length: cut.pieces }, (): number[] => []);
  for (const [slot, pieces] of held) for (const piece of pieces) holders[piece]?.push(slot);
  return copiesShort(cut, holders, view.places.length);
}

/** How many copies are lacking at homes that have no room for one. */
async function lackingForRoom({ cut, lacking }: FilePieces, healths: Healths): Promise<number> {
  const replies = await healths();
  let count = 0;
  for (const [slot, lacks] of lacking) {
    const health = replies.get(slot);
    const isFull =
      health && (health.short !== "" || (health.free ?? Infinity) < pieceBytes(cut, 0));
    if (isFull) count += lacks;
  }
  return count;
}
