/**
 * Quorums: of N servers a value is chosen once W have accepted it, and R are enough to see every chosen one (CONSISTENCY.md section 1).
 * While the servers change it takes a quorum of those before and of those after. Pure; the client's rooms share it.
 */
import type { Config } from "./membership.ts";

export interface Group {
  readonly slots: readonly number[];
  /** W: accepts that choose a value. */
  readonly accept: number;
  /** R: answers that see every chosen value. */
  readonly read: number;
}

/** One group of servers; while that changes two, those before and those after, and it takes both (model/member.ts). */
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

/** These servers, to be counted. They are few, and are counted at each reply: a set of them would take longer. */
function countable(slots: Iterable<number>): { has(slot: number): boolean } {
  const all = [...slots];
  return { has: (slot) => all.includes(slot) };
}

/** Are these servers enough to choose a value? */
export function canAccept(quorum: Quorum, slots: Iterable<number>): boolean {
  const those = countable(slots);
  return quorum.every((group) => countIn(group, those) >= group.accept);
}

/** How many of these servers count, of how many, where that is fewer than it takes to choose a value; else null. */
export function shortOf(
  quorum: Quorum,
  slots: readonly number[],
): { count: number; of: number; takes: number } | null {
  const group = quorum.find((one) => !canAccept([one], slots));
  return group
    ? { count: countIn(group, countable(slots)), of: group.slots.length, takes: group.accept }
    : null;
}

/** Are these servers enough to see every chosen value? */
export function canRead(quorum: Quorum, slots: Iterable<number>): boolean {
  const those = countable(slots);
  return quorum.every((group) => countIn(group, those) >= group.read);
}
