/**
 * Is a server needed? What would become of the files without it. Used where members change, by
 * tally and by `dfs-tool server`.
 */
import type { StoredName } from "../../file/names.ts";
import { counted } from "../../counted.ts";
import { DfsError } from "../../errors.ts";
import { type Config, placesOf } from "../../membership.ts";
import { neverHeld } from "./hollow.ts";
import { damagedOf, holdersOf } from "../fetch/holders.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decideByReports, hereOf, type ReportedName, namesIn } from "../files/pages.ts";
import { readName } from "../agree/register.ts";
import { allSpacesIn } from "../files/spaces.ts";

/** A file of a user, under the name that servers know. */
export interface FileOf {
  readonly user: string;
  readonly name: string;
}

/** What depends on one server. */
export interface Need {
  /**
   * Files that cannot be read without it, as far as the servers that answer can tell; and the first
   * few of them.
   */
  readonly files: number;
  readonly first: readonly FileOf[];
  /** Pieces of current versions that lie on it. */
  readonly pieces: number;
  /** Does it tell of all names? It does not where its records are damaged. */
  readonly isTold: boolean;
  /** How many servers the widest file with parity takes, and that file. */
  readonly width: number;
  readonly widest: FileOf | null;
}

const FILES_SHOWN = 3;

/**
 * Looks through all names of all users. Throws DfsError("tooFew") when too few servers answer, and
 * ("down") when this one is too slow.
 */
export async function needOf(cluster: Cluster, slot: number): Promise<Need> {
  const need = {
    files: 0,
    first: [] as FileOf[],
    pieces: 0,
    isTold: true,
    width: 0,
    widest: null as null | FileOf,
  };
  for (const inSpace of await allSpacesIn(cluster))
    for await (const one of namesIn(inSpace, "", false)) await addToNeed(inSpace, slot, one, need);
  return need;
}

type MutableNeed = { -readonly [K in keyof Need]: K extends "first" ? FileOf[] : Need[K] };

async function addToNeed(
  cluster: Cluster,
  slot: number,
  one: ReportedName,
  need: MutableNeed,
): Promise<void> {
  if (cluster.peer(slot) && !one.answering.includes(slot))
    throw new DfsError(
      "down",
      `${cluster.labelOf(slot)} does not answer in time what lies on it: try again`,
    );
  need.isTold &&= !one.answering.includes(slot) || one.vouching.includes(slot);
  const { is, state } = decideByReports(one);
  if (is === "tooFew")
    throw new DfsError(
      "tooFew",
      `too few servers answer to tell whether ${cluster.labelOf(slot)} is needed`,
    );
  if (!state || state.deleted) return;
  const held = [...one.reports].flatMap(([from, told]) => {
    const here = hereOf(told, state.vid);
    return here ? [{ from, pieces: here.held }] : [];
  });
  const mine = held.find(({ from }) => from === slot)?.pieces ?? [];
  const elsewhere = new Set(held.flatMap((told) => (told.from === slot ? [] : told.pieces)));
  const file = { user: cluster.space.user, name: one.name };
  need.pieces += mine.length;
  // A file that nobody could read anyway takes no servers.
  const isWhole = new Set([...elsewhere, ...mine]).size >= state.needed;
  if (isWhole && state.pieces > state.needed && state.pieces > need.width) {
    need.width = state.pieces;
    need.widest = file;
  }
  if (is === "current" && elsewhere.size >= state.needed) return;
  if (!(await isNeeded(cluster, one.name, slot))) return;
  need.files++;
  if (need.first.length < FILES_SHOWN) need.first.push(file);
}

/**
 * Would a part of this file be lost with the server? If the server answers: the pieces that it
 * alone has. If it is silent: all pieces that are not elsewhere may lie there, unless the version
 * can never have had any.
 */
async function isNeeded(cluster: Cluster, name: StoredName, slot: number): Promise<boolean> {
  const reading = await readName(cluster, name, { patienceMs: null });
  const { is, current, replies, view } = reading;
  if (is !== "current") return true;
  const version = current?.version ?? null;
  if (version === null || version.deleted) return false;
  const holders = holdersOf(version, replies);
  const elsewhere = holders.map((slots) => slots.some((one) => one !== slot));
  if (elsewhere.filter((isThere) => isThere).length >= version.needed) return false;
  if (!replies.has(slot)) return !neverHeld(version, replies, view, slot);
  const damaged = damagedOf(version, replies);
  return holders.some(
    (slots, piece) => !elsewhere[piece] && [...slots, ...(damaged[piece] ?? [])].includes(slot),
  );
}

/** These files, for a line to people. */
export const filesText = (files: readonly FileOf[], count: number): string =>
  `${files.map(({ name, user }) => (user === "" ? name : `${name} of ${user}`)).join(", ")}${count > files.length ? ", …" : ""}`;

/** The command that deletes them, should they be lost. */
const removalText = (cluster: Cluster, files: readonly FileOf[]): string => {
  const other = files.find(({ user }) => user !== cluster.space.user);
  return other ? `dfs-tool rm --user ${other.user} NAME` : "dfs-tool rm NAME";
};

/** Throws DfsError("failed") where files cannot be read without this server. */
export function checkNotNeeded(cluster: Cluster, slot: number, need: Need): void {
  if (need.files === 0) return;
  const name = cluster.labelOf(slot);
  const which = filesText(need.first, need.files);
  throw new DfsError(
    "failed",
    `${counted(need.files, "file")} cannot be had without ${name} (${which}): have all servers run, and repair; what is lost for good must be deleted first, with ${removalText(cluster, need.first)}`,
  );
}

/**
 * Throws DfsError("failed") where fewer servers would be left for pieces than the widest file
 * takes; or fewer than two, where there are two now.
 */
export function checkRoom(cluster: Cluster, slot: number, need: Need, after: Config): void {
  const left = placesOf(after).filter((one) => after.seats[one]?.sid !== null).length;
  const wanted = Math.max(need.width, Math.min(2, placesOf(cluster.view.config).length));
  const widest = need.widest && wanted === need.width ? ` (as ${filesText([need.widest], 1)})` : "";
  if (left < wanted)
    throw new DfsError(
      "failed",
      `without ${cluster.labelOf(slot)} there ${left === 1 ? "is 1 server" : `are ${left} servers`} for pieces, and the files there are take ${wanted}${widest}`,
    );
}
