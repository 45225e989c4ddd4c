/** What is not as it should be with one name: pure, from what the servers say (docs/consistency.md section 4, repair). */
import { homesOf } from "../file/placement.ts";
import { hasParity } from "../file/split.ts";
import { type Config, placesOf } from "../membership.ts";
import type { Accepted, Ballot, Register, Version, Vid } from "../version.ts";
import type { Held } from "../wire/values.ts";
import { damagedOf, holdersOf, lackingOf } from "./holders.ts";
import type { NameSaid } from "./list.ts";

/** What one server says of a name. */
export interface Told {
  readonly floor: Ballot;
  readonly register: Register;
  readonly held: readonly Held[];
}

export interface Diagnosis {
  /** Some register differs so that only accepting the value anew, at a fresh ballot, brings it in line. */
  readonly isStray: boolean;
  /** Some server that answered does not know the value as committed. */
  readonly isLagging: boolean;
  /** Homes that answered and lack a piece, with the slots to have it from; none where it must be rebuilt, or put together from damaged copies. */
  readonly missing: readonly {
    readonly piece: number;
    readonly from: number[];
    readonly to: number[];
  }[];
  /** Slots that hold a piece that is not at home there, while its homes have it or are about to. */
  readonly away: readonly {
    readonly piece: number;
    readonly homes: number[];
    readonly slots: number[];
  }[];
  /** Pieces that no server that answered holds, and that do not follow from others. */
  readonly lost: readonly number[];
  /** Versions that are neither current nor pending anywhere, and have pieces. */
  readonly orphans: readonly Vid[];
  /** How many more of them there are that are left alone: too young, or of puts that may go on. */
  readonly spared: number;
  /** It is deleted, or was never there: its rows can go once all servers agree. */
  readonly isGone: boolean;
}

/**
 * What repair has to do for a name whose current value is this, where these servers belong. Orphans younger than `orphanAge`
 * seconds are left alone: they may be the pieces of a put that goes on.
 */
export function diagnose(
  current: Accepted | null,
  told: ReadonlyMap<number, Told>,
  config: Config,
  orphanAge: number,
): Diagnosis {
  const all = [...told.values()];
  const value = current?.ballot ?? 0n;
  const isStray = all.some(({ register: { acc, com }, floor }) =>
    acc ? acc.ballot !== com?.ballot : current !== null && com === null && floor >= value,
  );
  const version = current && !current.version.deleted ? current.version : null;
  return {
    isStray,
    isLagging: all.some(({ register: { com } }) => com?.ballot !== current?.ballot),
    ...(version ? diagnosePieces(version, told, config) : { missing: [], away: [], lost: [] }),
    ...orphansAmong(all, orphanAge),
    isGone: version === null,
  };
}

/** Do servers have different versions of a name? */
export function isDisputed(told: ReadonlyMap<number, Pick<Told, "register">>): boolean {
  const values = [...told.values()].flatMap(({ register: { acc, com } }) => [acc, com]);
  return new Set(values.flatMap((value) => value?.version.vid ?? [])).size > 1;
}

/** Has any server a row of the name that holds nothing? Where its promise is the server's floor, only a list tells it from none. */
export const hasEmptyRow = ({ said }: Pick<NameSaid, "said">): boolean =>
  [...said.values()].some(({ damaged, others, acc, com }) => !damaged && !others && !acc && !com);

/** A row that promises something and holds nothing; FORGET turns its promise into the server's floor. */
export const isEmptyRow = ({ register: { acc, com, prom }, floor }: Told): boolean =>
  acc === null && com === null && prom !== floor;

function diagnosePieces(version: Version, told: ReadonlyMap<number, Told>, config: Config) {
  const missing: { piece: number; from: number[]; to: number[] }[] = [];
  const away: { piece: number; homes: number[]; slots: number[] }[] = [];
  const lost: number[] = [];
  const holders = holdersOf(version, told);
  const damaged = damagedOf(version, told);
  const lacking = lackingOf(version, told, config);
  const atHomes = homesOf(version, config);
  const found = holders.filter((slots, piece) => slots.length > 0 || damaged[piece]?.length).length;
  const isThere = (homes: readonly number[]): boolean => homes.every((slot) => told.has(slot));
  const isCrowded = hasParity(version) && placesOf(config).length < version.pieces;
  const canBeRebuilt = hasParity(version) && found >= version.needed;
  for (const [piece, from] of holders.entries()) {
    const atHome = atHomes[piece] ?? [];
    const to = lacking[piece] ?? [];
    const bad = damaged[piece] ?? [];
    if (from.length === 0 && bad.length === 0 && !canBeRebuilt) lost.push(piece);
    else if (to.length > 0) missing.push({ piece, from, to });
    const slots = [...from, ...bad].filter((slot) => !atHome.includes(slot));
    // While a home is away the copy in its stead stays; with parity all do, for it counts how many pieces lie on servers of their own. And
    // so does a piece that has a server of its own only there.
    const mayGo = isThere(hasParity(version) ? atHomes.flat() : atHome);
    if (slots.length > 0 && !isCrowded && mayGo) away.push({ piece, homes: atHome, slots });
  }
  return { missing, away, lost };
}

/**
 * Of what lies away, what may go though these pieces are not all at home. With parity that is nothing: it counts how many pieces lie on
 * servers of their own, so none is too much before each is at home.
 */
export const goingBeside = (
  version: Version,
  away: Diagnosis["away"],
  notHome: ReadonlySet<number>,
): Diagnosis["away"] =>
  hasParity(version) && notHome.size > 0 ? [] : away.filter(({ piece }) => !notHome.has(piece));

function orphansAmong(
  all: readonly Told[],
  orphanAge: number,
): Pick<Diagnosis, "orphans" | "spared"> {
  const known = new Set(
    all.flatMap(({ register: { acc, com } }) => [acc?.version.vid, com?.version.vid]),
  );
  const held = all.flatMap((told) => told.held);
  const young = new Set(held.flatMap(({ vid, age }) => (age < orphanAge ? [vid] : [])));
  const unknown = [...new Set(held.map(({ vid }) => vid))].filter((vid) => !known.has(vid));
  const orphans = unknown.filter((vid) => !young.has(vid));
  return { orphans, spared: unknown.length - orphans.length };
}
