/**
 * Judges a value: whether its user made it, and its position in the chain of its name. Pure. A
 * client with keys judges by them (guard.ts). A client without keys takes each value for what it
 * says it is. Used by guard, liars, cluster and unlock.
 */
import type { StoredName } from "../../file/names.ts";
import type { Accepted, Ballot, Version } from "../../version.ts";

/** The position of a version in the chain of its name. */
export interface ChainPosition {
  readonly birthFloor: Ballot;
  readonly seq: number;
}

/**
 * A value that may be believed. `isMade` false: a tombstone that stands for "never there". It is
 * older than all versions that were made.
 */
export interface Judged extends ChainPosition {
  readonly isMade: boolean;
}

/** Does this version stand for "never there"? Repair may have to say that, and nobody made it. */
export const isFence = ({ deleted, body }: Version): boolean => deleted && body.length === 0;

/** How such a version is judged. */
export const NEVER_THERE: Judged = { isMade: false, birthFloor: 0n, seq: 0 };

/**
 * Is `a` before `b` in the chain? Each life of a name is born above the floor of the life before.
 * Within a life, each version's `seq` is one more than its parent's.
 */
export const isBefore = (a: ChainPosition, b: ChainPosition): boolean =>
  a.birthFloor < b.birthFloor || (a.birthFloor === b.birthFloor && a.seq < b.seq);

/** Judges a value; null: its user never made it. */
export type Judge = (stored: StoredName, accepted: Accepted) => Judged | null;

/** Without keys a value is what it says it is. */
export const takeAll: Judge = (_, { version: { birthFloor, seq } }) => ({
  isMade: true,
  birthFloor,
  seq,
});
