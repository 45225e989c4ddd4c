/**
 * What is wrong with one name, as far as the answers of servers show it (docs/consistency.md
 * section 4, repair). Pure. Used by repair, full and bring_home.
 */
import { homesOf } from "../../file/placement.ts";
import { hasParity } from "../../file/split.ts";
import { type Config, placesOf } from "../../membership.ts";
import type { Accepted, Ballot, Register, Version, Vid } from "../../version.ts";
import type { Held, Pending } from "../../wire/values.ts";
import { damagedOf, holdersOf, lackingOf } from "../fetch/holders.ts";
import type { ReportedName } from "../files/pages.ts";
import type { Lacking } from "../send/deliver.ts";

/** What one server answers to a READ of a name, as far as repair needs it. */
export interface ReadReply {
  readonly floor: Ballot;
  readonly register: Register;
  /** What it holds for this name, and not what it holds of the same contents for others. */
  readonly held: readonly Held[];
  readonly pending: readonly Pending[];
}

export interface Diagnosis {
  /**
   * Some register differs in such a way that only accepting the value anew, at a fresh ballot,
   * brings it in line.
   */
  readonly isStray: boolean;
  /** Some server that answered does not know the value as committed. */
  readonly isLagging: boolean;
  /** The pieces that homes lack which answered. */
  readonly missing: readonly Lacking[];
  /**
   * For each piece, the slots that hold it and are not its homes. The homes have the piece, or are
   * about to get it.
   */
  readonly away: readonly {
    readonly piece: number;
    readonly homes: number[];
    readonly slots: number[];
  }[];
  /** Pieces that no server that answered holds, and that cannot be rebuilt from others. */
  readonly lost: readonly number[];
  /** Versions whose pieces came, and that no server has accepted or committed. */
  readonly orphans: readonly Pending[];
  /**
   * How many more such versions there are that are left alone: too young, or of puts that may go
   * on.
   */
  readonly spared: number;
  /** The name is deleted, or was never there. Its rows can go once all servers agree. */
  readonly isGone: boolean;
}

/**
 * What repair has to do for a name with this current value, under this configuration. Orphans
 * younger than `orphanAge` seconds are left alone, since they may be the pieces of a put that goes
 * on.
 */
export function diagnose(
  current: Accepted | null,
  replies: ReadonlyMap<number, ReadReply>,
  config: Config,
  orphanAge: number,
): Diagnosis {
  const all = [...replies.values()];
  const value = current?.ballot ?? 0n;
  const isStray = all.some(({ register: { acc, com }, floor }) =>
    acc ? acc.ballot !== com?.ballot : current !== null && com === null && floor >= value,
  );
  const version = current && !current.version.deleted ? current.version : null;
  return {
    isStray,
    isLagging: all.some(({ register: { com } }) => com?.ballot !== current?.ballot),
    ...(version ? diagnosePieces(version, replies, config) : { missing: [], away: [], lost: [] }),
    ...orphansAmong(all, orphanAge),
    isGone: version === null,
  };
}

/** Do servers have different versions of a name? */
export function isDisputed(replies: ReadonlyMap<number, Pick<ReadReply, "register">>): boolean {
  const values = [...replies.values()].flatMap(({ register: { acc, com } }) => [acc, com]);
  return new Set(values.flatMap((value) => value?.version.vid ?? [])).size > 1;
}

/**
 * Has any server a row of the name that holds nothing? Where the promise of the row equals the
 * server's floor, only a list tells such a row from no row.
 */
export const hasEmptyRow = ({ reports }: Pick<ReportedName, "reports">): boolean =>
  [...reports.values()].some(
    ({ damaged, others, acc, com }) => !damaged && !others && !acc && !com,
  );

/**
 * Is it a row that promises something and holds nothing? FORGET turns its promise into the server's
 * floor.
 */
export const isEmptyRow = ({ register: { acc, com, prom }, floor }: ReadReply): boolean =>
  acc === null && com === null && prom !== floor;

function diagnosePieces(version: Version, replies: ReadonlyMap<number, ReadReply>, config: Config) {
  const missing: Lacking[] = [];
  const away: { piece: number; homes: number[]; slots: number[] }[] = [];
  const lost: number[] = [];
  const holders = holdersOf(version, replies);
  const damaged = damagedOf(version, replies);
  const lacking = lackingOf(version, replies, config);
  const homesOfPieces = homesOf(version, config);
  const found = holders.filter((slots, piece) => slots.length > 0 || damaged[piece]?.length).length;
  const allAnswered = (slots: readonly number[]): boolean =>
    slots.every((slot) => replies.has(slot));
  const isCrowded = hasParity(version) && placesOf(config).length < version.pieces;
  const canBeRebuilt = hasParity(version) && found >= version.needed;
  for (const [piece, from] of holders.entries()) {
    const homes = homesOfPieces[piece] ?? [];
    const to = lacking[piece] ?? [];
    const bad = damaged[piece] ?? [];
    if (from.length === 0 && bad.length === 0 && !canBeRebuilt) lost.push(piece);
    else if (to.length > 0) missing.push({ piece, from, to });
    const slots = [...from, ...bad].filter((slot) => !homes.includes(slot));
    // While a home does not answer, the copy that replaces it stays. With parity all copies stay
    // while any home does not answer: the version needs as many pieces as possible on servers of
    // their own. Copies also stay where there are fewer places than pieces: a piece may have a
    // server of its own only there.
    const mayBeDropped = allAnswered(hasParity(version) ? homesOfPieces.flat() : homes);
    if (slots.length > 0 && !isCrowded && mayBeDropped) away.push({ piece, homes, slots });
  }
  return { missing, away, lost };
}

/**
 * The copies in `away` that may be dropped while the pieces in `notHome` are not all at home. With
 * parity there are none: the version needs as many pieces as possible on servers of their own, so
 * no copy is superfluous before each piece is at home.
 */
export const droppable = (
  version: Version,
  away: Diagnosis["away"],
  notHome: ReadonlySet<number>,
): Diagnosis["away"] =>
  hasParity(version) && /* rule: all-home-first */ notHome.size > 0
    ? []
    : away.filter(({ piece }) => !notHome.has(piece));

/** Those of these versions that no server has accepted or committed. */
export function unknownAmong<T extends { readonly vid: Vid }>(
  versions: readonly T[],
  told: Iterable<Pick<ReadReply, "register">>,
): T[] {
  const known = new Set(
    [...told].flatMap(({ register: { acc, com } }) => [acc?.version.vid, com?.version.vid]),
  );
  return versions.filter(({ vid }) => !known.has(vid));
}

function orphansAmong(
  all: readonly ReadReply[],
  orphanAge: number,
): Pick<Diagnosis, "orphans" | "spared"> {
  const pending = all.flatMap((reply) => reply.pending);
  const young = new Set(pending.flatMap(({ vid, age }) => (age < orphanAge ? [vid] : [])));
  const versions = [...new Map(pending.map((one) => [one.vid, one])).values()];
  const unknown = unknownAmong(versions, all);
  const orphans = unknown.filter(({ vid }) => !young.has(vid));
  return { orphans, spared: unknown.length - orphans.length };
}
