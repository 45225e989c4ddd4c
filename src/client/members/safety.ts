/** Is a server needed? What would become of the files without it. */
import { DfsError } from "../../errors.ts";
import { neverHeld } from "./hollow.ts";
import { damagedOf, holdersOf } from "../fetch/holders.ts";
import type { Cluster } from "../connect/cluster.ts";
import { decideByReports, hereOf, type ReportedName, namesIn } from "../files/list.ts";
import { readName } from "../agree/register.ts";
import { allSpacesIn } from "../files/spaces.ts";

/** A file of somebody, as servers know its name. */
export interface FileOf {
  readonly user: string;
  readonly name: string;
}

/** What hangs on one server. */
export interface Need {
  /** Files that cannot be had without it, as far as the servers that answer can tell, and the first few. */
  readonly files: number;
  readonly first: readonly FileOf[];
  /** Pieces of current versions that lie on it. */
  readonly pieces: number;
  /** Does it tell of all names? Not where its records are damaged. */
  readonly isTold: boolean;
  /** How many servers the files with the most parity take, and one of them. */
  readonly width: number;
  readonly widest: FileOf | null;
}

const FILES_SHOWN = 3;

/** Looks through all names of all users. Throws DfsError("tooFew") when too few servers answer, and ("down") when this one is too slow to. */
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
    for await (const one of namesIn(space, "", false)) await lookAt(space, slot, one, need);
  return need;
}

type Growing = { -readonly [K in keyof Need]: K extends "first" ? FileOf[] : Need[K] };

async function lookAt(
  space: Cluster,
  slot: number,
  one: ReportedName,
  need: Growing,
): Promise<void> {
  if (space.peer(slot) && !one.answering.includes(slot))
    throw new DfsError(
      "down",
      `${space.labelOf(slot)} does not answer in time what lies on it: try again`,
    );
  need.isTold &&= !one.answering.includes(slot) || one.vouching.includes(slot);
  const { is, state } = decideByReports(one);
  if (is === "tooFew")
    throw new DfsError(
      "tooFew",
      `too few servers answer to tell whether ${space.labelOf(slot)} is needed`,
    );
  if (!state || state.deleted) return;
  const held = [...one.reports].flatMap(([from, told]) => {
    const here = hereOf(told, state.vid);
    return here ? [{ from, pieces: here.held }] : [];
  });
  const mine = held.find(({ from }) => from === slot)?.pieces ?? [];
  const elsewhere = new Set(held.flatMap((told) => (told.from === slot ? [] : told.pieces)));
  const file = { user: space.user, name: one.name };
  need.pieces += mine.length;
  // What nobody could read anyway takes no servers.
  const isWhole = new Set([...elsewhere, ...mine]).size >= state.needed;
  if (isWhole && state.pieces > state.needed && state.pieces > need.width) {
    need.width = state.pieces;
    need.widest = file;
  }
  if (is === "current" && elsewhere.size >= state.needed) return;
  if (!(await isNeeded(space, one.name, slot))) return;
  need.files++;
  if (need.first.length < FILES_SHOWN) need.first.push(file);
}

/**
 * Would something of this file go with the server? Of one that answers that is what it alone has; of one that is silent all that is not
 * elsewhere may lie there, unless nobody can ever have had it.
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

/** How to delete them, should they be lost. */
export const removalText = (cluster: Cluster, files: readonly FileOf[]): string => {
  const other = files.find(({ user }) => user !== cluster.user);
  return other ? `dfs-tool rm --user ${other.user} NAME` : "dfs-tool rm NAME";
};
