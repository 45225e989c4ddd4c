/**
 * What a value is worth to a client: whether its user made it, and where it stands in the chain of its name. Pure. A client with keys
 * judges by them (guard.ts); one without takes values for what they say they are.
 */
import type { Accepted, Ballot, Version } from "../../version.ts";

/** Where a version stands in the chain of its name. */
export interface Place {
  readonly birthFloor: Ballot;
  readonly seq: number;
}

/** A version that may be believed to be one; `isMade` false: a tombstone for what was never there, older than all that was. */
export interface Value extends Place {
  readonly isMade: boolean;
}

/** Does it stand for "never there"? Repair may have to say so, and nobody made it. */
export const isFence = ({ deleted, body }: Version): boolean => deleted && body.length === 0;

/** What a fence is worth. */
export const NEVER: Value = { isMade: false, birthFloor: 0n, seq: 0 };

/** Each life of a name is born above the floor of the one before, and in one life each version has one more than its parent. */
export const isBefore = (a: Place, b: Place): boolean =>
  a.birthFloor < b.birthFloor || (a.birthFloor === b.birthFloor && a.seq < b.seq);

/** What a value is worth; null: its user never made it. */
export type Judge = (stored: string, accepted: Accepted) => Value | null;

/** Without keys a value is what it says it is. */
export const takeAll: Judge = (_, { version: { birthFloor, seq } }) => ({
  isMade: true,
  birthFloor,
  seq,
});
