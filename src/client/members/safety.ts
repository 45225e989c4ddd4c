/**
 * Is a server needed? What would become of the files without it. Used where members change, by
 * tally and by `dfs-tool server`.
 */
import { counted } from "../../counted.ts";
import { DfsError } from "../../errors.ts";
import { type Config, placesOf } from "../../membership.ts";
import { neverHeld } from "./hollow.ts";
import { damagedOf, holdersOf } from "../fetch/holders.ts";
import type { Cluster } from "../connect/cluster.ts";
import { conclude, hereOf, type NameSaid, namesIn } from "../files/list.ts";
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
  for (const space of await allSpacesIn(cluster))
    for await (const entry of namesIn(space, "", false)) await addToNeed(space, slot, entry, need);
  return need;
}

type MutableNeed = { -readonly [K in keyof Need]: K extends "first" ? FileOf[] : Need[K] };

async function addToNeed(
  space: Cluster,
  slot: number,
  entry: NameSaid,
  need: MutableNeed,
): Promise<void> {
  if (space.peer(slot) && !entry.answering.includes(slot))
    throw new DfsError(
      "down",
      `${space.labelOf(slot)} does not answer in time what lies on it: try again`,
    );
  need.isTold &&= !entry.answering.includes(slot) || entry.vouching.includes(slot);
  const { is, state } = conclude(entry);
  if (is === "tooFew")
    throw new DfsError(
      "tooFew",
      `too few servers answer to tell whether ${space.labelOf(slot)} is needed`,
    );
  if (!state || state.deleted) return;
  const held = [...entry.said].flatMap(([from, answer]) => {
    const here = hereOf(answer, state.vid);
    return here ? [{ from, pieces: here.held }] : [];
  });
  const mine = held.find(({ from }) => from === slot)?.pieces ?? [];
  const elsewhere = new Set(held.flatMap(({ from, pieces }) => (from === slot ? [] : pieces)));
  const file = { user: space.user, name: entry.name };
  need.pieces += mine.length;
  // A file that nobody could read anyway takes no servers.
  const isWhole = new Set([...elsewhere, ...mine]).size >= state.needed;
  if (isWhole && state.pieces > state.needed && state.pieces > need.width) {
    need.width = state.pieces;
    need.widest = file;
  }
  if (is === "current" && elsewhere.size >= state.needed) return;
  if (!(await isNeeded(space, entry.name, slot))) return;
  need.files++;
  if (need.first.length < FILES_SHOWN) need.first.push(file);
}

/**
 * Would a part of this file be lost with the server? If the server answers: the pieces that it
 * alone has. If it is silent: all pieces that are not elsewhere may lie there, unless the version
 * can never have had any.
 */
async function isNeeded(space: Cluster, name: string, slot: number): Promise<boolean> {
  const reading = await readName(space, name, { patienceMs: null });
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
  const other = files.find(({ user }) => user !== cluster.user);
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
