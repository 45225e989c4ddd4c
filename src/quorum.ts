/**
 * Quorums. Of N servers, W choose a value by accepting it, and R answers show every chosen value
 * (docs/consistency.md section 1). While the voters change, it takes a quorum of the voters before
 * and a quorum of the voters after. Pure. Used by the rooms of the client.
 */
import type { Config } from "./membership.ts";

export interface Group {
  readonly slots: readonly number[];
  /** W: so many accepts choose a value. */
  readonly accept: number;
  /** R: so many answers show every chosen value. */
  readonly read: number;
}

/**
 * One group of voters. While the voters change it is two groups, those before and those after, and
 * it takes both (model/members.ts).
 */
export type Quorum = readonly [Group, ...Group[]];

export function groupOf(slots: readonly number[]): Group {
  const accept = Math.floor(slots.length / 2) + 1;
  return { slots, accept, read: slots.length - accept + 1 };
}

export const quorumOf = ({ voters, next }: Pick<Config, "voters" | "next">): Quorum =>
  next ? [groupOf(voters), groupOf(next)] : [groupOf(voters)];

/** How many servers of a group are among these. */
export function countIn(group: Group, slots: { has(slot: number): boolean }): number {
  let count = 0;
  for (const slot of group.slots) if (slots.has(slot)) count++;
  return count;
}

/**
 * These servers as a set to count in. They are few, and they are counted at each reply, so to build
 * a real set would take longer.
 */
function countable(slots: Iterable<number>): { has(slot: number): boolean } {
  const all = [...slots];
  return { has: (slot) => all.includes(slot) };
}

/** Are these servers enough to choose a value? */
export function canAccept(quorum: Quorum, slots: Iterable<number>): boolean {
  const those = countable(slots);
  return quorum.every((group) => countIn(group, those) >= group.accept);
}

/**
 * What is missing to choose a value; null where these servers are enough. `count` of the `of`
 * voters of a group are here, and it takes `takes`.
 */
export function shortOf(
  quorum: Quorum,
  slots: readonly number[],
): { count: number; of: number; takes: number } | null {
  const group = quorum.find((one) => !canAccept([one], slots));
  return group
    ? { count: countIn(group, countable(slots)), of: group.slots.length, takes: group.accept }
    : null;
}

/** Are the answers of these servers enough to show every chosen value? */
export function canRead(quorum: Quorum, slots: Iterable<number>): boolean {
  const those = countable(slots);
  return quorum.every((group) => countIn(group, those) >= group.read);
}
