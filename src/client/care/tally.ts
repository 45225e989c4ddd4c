/** What all stored names come to together: how many, how safe they are, and what is left to do with them. `status` tells it. */
import { KEY_NAME } from "../../file/names.ts";
import { homesOf } from "../../file/placement.ts";
import { type Cut, pieceBytes } from "../../file/split.ts";
import { isGone, type Version } from "../../version.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import { copiesShort, holdersOf, lackingOf } from "../fetch/holders.ts";
import { neverHeld } from "../members/hollow.ts";
import { decideByReports, hereOf, type ReportedName, namesIn } from "../files/list.ts";
import { tolerance } from "../fetch/plan.ts";
import { type Reading, readName } from "../agree/register.ts";
import type { FileOf } from "../members/safety.ts";
import { NOBODY, spacesIn } from "../files/spaces.ts";

/** So many files of others are looked at closely, for that takes time; more count as missing. */
const HOLLOW_LOOKS = 1000;
/** Names that look bad are looked at once more, for a put may have been under way; but not for longer than that in all. */
const SECOND_LOOKS_MS = 1000;

/** What repair, or reading back, has left to do. */
export interface ToDo {
  /** Copies of pieces that are nowhere, and that a home which answers lacks. */
  lacking: number;
  /** Pieces that lie elsewhere than at home, and could be there. */
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

/** What all names come to. */
export interface Tally {
  canLose: number;
  files: number;
  bytes: number;
  /** Bytes of all copies of all pieces of files. */
  used: number;
  /** Pieces that have all their copies, and lie away from home because there is no room for them there. */
  displaced: number;
  unreadable: number;
  hollow: number;
  firstHollow: FileOf | null;
  /** Files that lie in the open since before there were users; nobody sees them until an operator adopts them. */
  open: number;
  /** Servers that were asked for names, and did not answer in time. */
  readonly late: Set<number>;
  /** Servers with records that do not verify. */
  readonly damaged: Set<number>;
  readonly toDo: ToDo;
}

/** What servers say of themselves, once that is needed. */
type Healths = () => Promise<Replies<"status">>;

/** The pieces of one file, by slot. */
interface Pieces {
  readonly cut: Cut;
  /** Is it certain that this is the current version? */
  readonly isCurrent: boolean;
  readonly held: ReadonlyMap<number, readonly number[]>;
  /** How many pieces each home that answers lacks. */
  readonly lacking: ReadonlyMap<number, number>;
  /** How many pieces lie elsewhere than at home. */
  readonly astray: number;
}

/** The work of one look at all names. */
interface Look {
  readonly tally: Tally;
  readonly healths: Healths;
  /** Whose own names are not mistrusted. */
  readonly own: string;
  /** How many names that may be hollow may still be looked at closely, and for how long others. */
  hollowLooks: number;
  secondLooksMs: number;
}

/** Looks at all names of all users that this one may see. Throws DfsError("tooFew") when no server answers. */
export async function tallyOf(cluster: Cluster, healths: Healths): Promise<Tally> {
  const tally = emptyTally(cluster);
  const look: Look = {
    tally,
    healths,
    own: cluster.user,
    hollowLooks: HOLLOW_LOOKS,
    secondLooksMs: SECOND_LOOKS_MS,
  };
  for (const space of await spacesIn(cluster))
    for await (const said of namesIn(space, "", true)) {
      for (const slot of cluster.live) if (!said.answering.includes(slot)) tally.late.add(slot);
      for (const slot of said.answering) if (!said.vouching.includes(slot)) tally.damaged.add(slot);
      const before = tally.files;
      await lookAt(space, said, look);
      if (isOpen(space)) tally.open += tally.files - before;
    }
  const { toDo } = tally;
  // One may be of a name that nobody knows any more.
  toDo.records = Math.max(toDo.records, tally.damaged.size);
  return tally;
}

/** Is what a space has out of sight, for there are users, and it is nobody's? */
const isOpen = ({ user, connections }: Cluster): boolean =>
  user === NOBODY && connections.isLoggedIn;

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

/** Adds what servers say of one name. */
async function lookAt(space: Cluster, one: ReportedName, look: Look): Promise<void> {
  const { toDo } = look.tally;
  const entries = [...one.reports.values()];
  toDo.records += entries.filter(({ damaged }) => damaged).length;
  if (entries.some(({ others }) => others)) toDo.orphans++;
  const { is, state, votes } = decideByReports(one);
  if (!state) return;
  if (state.deleted) {
    toDo.deletions++;
    return;
  }
  const isIt = (x: { vid: string } | null): boolean => x?.vid === state.vid;
  if (![...votes.values()].every(({ acc, com }) => isIt(acc) && isIt(com))) toDo.unsettled++;
  const said = [...one.reports].flatMap(([slot, entry]) => {
    const here = hereOf(entry, state.vid);
    return here ? [{ slot, ...here }] : [];
  });
  const pieces: Pieces = {
    cut: state,
    isCurrent: is === "current",
    held: new Map(said.map(({ slot, held }) => [slot, held])),
    lacking: new Map(said.map(({ slot, lacking }) => [slot, lacking])),
    astray: said.reduce((sum, { astray }) => sum + astray, 0),
  };
  const isWorth = one.name !== KEY_NAME && isWorthAnotherLook(pieces, space, look);
  if (!isWorth) return add(space, one.name, pieces, look);
  const { clock } = space.ports;
  const begun = clock.now();
  await lookAgain(space, one.name, pieces, look);
  if (!isHollow(pieces, space, look)) look.secondLooksMs -= clock.now() - begun;
}

/** May it be a file of somebody else that nobody has a piece of? */
const isHollow = ({ cut, held }: Pieces, space: Cluster, look: Look): boolean =>
  space.user !== look.own && cut.needed > 0 && [...held.values()].every(isNothing);

/** A put that came between the answers of two servers looks like a loss. Where a server is late, each such look would wait for it. */
function isWorthAnotherLook(pieces: Pieces, space: Cluster, look: Look): boolean {
  if (isHollow(pieces, space, look)) return look.hollowLooks-- > 0;
  const isSound = pieces.isCurrent && shortOf(pieces, space) === 0;
  return !isSound && look.tally.late.size === 0 && look.secondLooksMs > 0;
}

const isNothing = (pieces: readonly number[]): boolean => pieces.length === 0;

/**
 * Looks at one name alone. A user may have made up a file: it counts as missing, unless it is certain that it never was there, or that
 * nobody can bring it back.
 */
async function lookAgain(space: Cluster, name: string, before: Pieces, look: Look): Promise<void> {
  const { tally } = look;
  const reading = await readName(space, name);
  const version = reading.current?.version ?? null;
  if (reading.is !== "current") return add(space, name, before, look);
  if (version === null || isGone(version)) return;
  const isOthers = space.user !== look.own;
  if (isOthers && neverHeld(version, reading.replies, reading.view, null)) {
    tally.hollow++;
    tally.firstHollow ??= { user: space.user, name };
    return;
  }
  await add(space, name, piecesIn(reading, version), look);
}

/** The same of what servers say of one name alone. */
function piecesIn({ replies, view }: Reading, version: Version): Pieces {
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

/** Adds a file with these pieces. */
async function add(space: Cluster, name: string, pieces: Pieces, look: Look): Promise<void> {
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
  const lacking = Math.min(lacked, shortOf(pieces, space));
  const noRoom = lacked > lacking ? await lackingForRoom(pieces, look.healths) : 0;
  const displaced = Math.min(pieces.astray, Math.max(0, noRoom - lacking));
  tally.toDo.lacking += lacking;
  tally.displaced += displaced;
  tally.toDo.astray += pieces.astray - displaced;
}

/** How many copies there are too few of. */
function shortOf({ cut, held }: Pieces, { view }: Cluster): number {
  const holders = Array.from({ length: cut.pieces }, (): number[] => []);
  for (const [slot, pieces] of held) for (const piece of pieces) holders[piece]?.push(slot);
  return copiesShort(cut, holders, view.places.length);
}

/** How many pieces their homes lack that have no room for one. */
async function lackingForRoom({ cut, lacking }: Pieces, healths: Healths): Promise<number> {
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
