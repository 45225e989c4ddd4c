/**
 * What is wrong with one name, as far as the answers of servers show it (docs/consistency.md
 * section 4, repair). Pure. Used by repair, full and bring_home.
 */
import { homesOf } from "../../file/placement.ts";
import { hasParity } from "../../file/split.ts";
import { type Config, placesOf } from "../../membership.ts";
import type { Accepted, Ballot, Register, Version, Vid } from "../../version.ts";
import type { Held } from "../../wire/values.ts";
import { damagedOf, holdersOf, lackingOf } from "../fetch/holders.ts";
import type { ReportedName } from "../files/pages.ts";

/** What one server answers to a READ of a name, as far as repair needs it. */
export interface ReadReply {
  readonly floor: Ballot;
  readonly register: Register;
  readonly held: readonly Held[];
}

export interface Diagnosis {
  /**
   * Some register differs in such a way that only accepting the value anew, at a fresh ballot,
   * brings it in line.
   */
  readonly isStray: boolean;
  /** Some server that answered does not know the value as committed. */
  readonly isLagging: boolean;
  /**
   * For each piece, the homes that answered and lack it (`to`), and the slots to copy it from.
   * `from` is empty where the piece must be rebuilt, or put together from damaged copies.
   */
  readonly missing: readonly {
    readonly piece: number;
    readonly from: number[];
    readonly to: number[];
  }[];
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
  /** Versions that have pieces, and are neither current nor pending on any server. */
  readonly orphans: readonly Vid[];
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
  const missing: { piece: number; from: number[]; to: number[] }[] = [];
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

function orphansAmong(
  all: readonly ReadReply[],
  orphanAge: number,
): Pick<Diagnosis, "orphans" | "spared"> {
  const known = new Set(
    all.flatMap(({ register: { acc, com } }) => [acc?.version.vid, com?.version.vid]),
  );
  const held = all.flatMap((reply) => reply.held);
  const young = new Set(held.flatMap(({ vid, age }) => (age < orphanAge ? [vid] : [])));
  const unknown = [...new Set(held.map(({ vid }) => vid))].filter((vid) => !known.has(vid));
  const orphans = unknown.filter((vid) => !young.has(vid));
  return { orphans, spared: unknown.length - orphans.length };
}
