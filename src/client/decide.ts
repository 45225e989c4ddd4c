/**
 * What registers mean: the pure rules of docs/consistency.md section 3. Of N servers a value is chosen once W have accepted it;
 * R are enough to see every chosen one.
 */
import type { Config } from "../membership.ts";
import {
  type Accepted,
  type Ballot,
  highest,
  isGone,
  type Register,
  type Version,
  type Vid,
} from "../version.ts";

export interface Group {
  readonly slots: readonly number[];
  /** W: accepts that choose a value. */
  readonly accept: number;
  /** R: answers that see every chosen value. */
  readonly read: number;
}

/** One group of servers; while that changes two, those before and those after, and it takes both (model/members.ts). */
export type Quorum = readonly [Group, ...Group[]];

export function groupOf(slots: readonly number[]): Group {
  const accept = Math.floor(slots.length / 2) + 1;
  return { slots, accept, read: slots.length - accept + 1 };
}

export const quorumOf = ({ voters, next }: Pick<Config, "voters" | "next">): Quorum =>
  next ? [groupOf(voters), groupOf(next)] : [groupOf(voters)];

function countIn(group: Group, slots: { has(slot: number): boolean }): number {
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

/** A value at its ballot, and what one server has of them: the parts of its register that decide. */
interface AtBallot {
  readonly ballot: Ballot;
}
interface Vote<T> {
  readonly acc: T | null;
  readonly com: T | null;
}

/** What a reader may conclude. `lagging`: it was chosen, and not every server that answered knows that. */
export type Decision<T> =
  | { readonly is: "current"; readonly current: T | null; readonly lagging: boolean }
  | { readonly is: "doubt" }
  | { readonly is: "tooFew" };

/** The value with the largest ballot. */
export const newest = <T extends AtBallot>(values: readonly (T | null)[]): T | null =>
  values.reduce((a, b) => (b && (!a || b.ballot > a.ballot) ? b : a), null);

/**
 * decide: which value is current, going by what these servers, by slot, answered to READ. While members change it is enough
 * that nothing newer can have been chosen by those before, for it takes a quorum of them in either epoch.
 */
export function decide<T extends AtBallot>(
  quorum: Quorum,
  votes: ReadonlyMap<number, Vote<T>>,
): Decision<T> {
  // A list asks this of every name, and mostly nothing is pending: loops, for arrays would be most of what it takes.
  if (!quorum.every((group) => countIn(group, votes) >= group.read)) return { is: "tooFew" };
  let committed: T | null = null;
  for (const { com } of votes.values())
    if (com && (committed === null || com.ballot > committed.ballot)) committed = com;
  const ballot = committed?.ballot ?? 0n;
  const pending: { slot: number; acc: T }[] = [];
  let lagging = false;
  for (const [slot, { acc, com }] of votes) {
    if (acc && acc.ballot > ballot) pending.push({ slot, acc });
    if ((com?.ballot ?? 0n) < ballot) lagging = true;
  }
  const [now] = quorum;
  const ahead = pending.filter(({ slot }) => now.slots.includes(slot)).length;
  const silent = now.slots.length - countIn(now, votes);
  if (ahead + silent < now.accept) return { is: "current", current: committed, lagging };
  const slotsAt = (at: Ballot): number[] =>
    pending.flatMap(({ slot, acc }) => (acc.ballot === at ? [slot] : []));
  const chosen = pending.flatMap(({ acc }) =>
    canAccept(quorum, slotsAt(acc.ballot)) ? [acc] : [],
  );
  return chosen.length > 0
    ? { is: "current", current: newest(chosen), lagging: true }
    : { is: "doubt" };
}

/** select: the value that a proposer must build on, going by the promises it got. */
export function select(registers: ReadonlyMap<number, Register>): {
  current: Accepted | null;
  isCommitted: boolean;
} {
  const promises = [...registers.values()];
  const committed = newest(promises.map((promise) => promise.com));
  const accepted = newest(promises.map((promise) => promise.acc));
  const isCommitted = committed !== null && committed.ballot >= (accepted?.ballot ?? 0n);
  return { current: isCommitted ? committed : accepted, isCommitted };
}

/** What must hold of the current version for a write to happen; null is "absent". */
export type Condition = { readonly vid: Vid | null };

/** An ACCEPT that this operation has sent. */
export interface Attempt {
  readonly ballot: Ballot;
  readonly parentSeq: number;
}

/** What a proposer does next, having its promises. */
export type Step =
  | { readonly do: "confirm" }
  | { readonly do: "unknown" }
  | { readonly do: "refuse" }
  | { readonly do: "refuseBehindOwn" }
  | { readonly do: "nothingToDelete" }
  | { readonly do: "write" };

/**
 * propose, steps 2 to 5. "confirm": it is done already, by somebody who finished it for us; re-accept what is current.
 * "refuse": the condition fails. "refuseBehindOwn": it fails, but a stray attempt of ours must be dominated first.
 * "write": the new version may be sent.
 */
export function nextStep(
  own: { vid: Vid; deletes: boolean; condition: Condition | null; attempts: readonly Attempt[] },
  selected: { current: Accepted | null; isCommitted: boolean },
  floors: readonly Ballot[],
): Step {
  const current = selected.current?.version ?? null;
  const settled = current === null || selected.isCommitted;
  const tried = own.attempts.length > 0;
  if (current?.vid === own.vid || (tried && current?.history.includes(own.vid)))
    return { do: "confirm" };
  if (tried && !isProvablyNoAncestor(own.attempts, current, floors)) return { do: "unknown" };
  if (own.condition && !holds(own.condition, current))
    return settled && !tried ? { do: "refuse" } : { do: "refuseBehindOwn" };
  if (own.deletes && isGone(current) && settled && !tried) return { do: "nothingToDelete" };
  return { do: "write" };
}

const holds = (condition: Condition, current: Version | null): boolean =>
  condition.vid === null ? isGone(current) : !isGone(current) && current?.vid === condition.vid;

/** Is it certain that none of these attempts was ever chosen, and then overwritten beyond what the history tells? */
function isProvablyNoAncestor(
  attempts: readonly Attempt[],
  current: Version | null,
  floors: readonly Ballot[],
): boolean {
  const first = attempts.reduce((a, b) => (b.ballot < a.ballot ? b : a));
  const parentSeq = Math.min(...attempts.map((attempt) => attempt.parentSeq));
  const born = current ? current.birthFloor : highest(floors);
  if (born >= first.ballot) return false;
  return current === null || current.seq - current.history.length <= parentSeq + 1;
}

/**
 * Can none of these attempts be chosen any more, nor have been? So it is once a chosen value has a higher ballot than each,
 * and its history, which does not have them, reaches back to what they were built on.
 */
export const areDead = (attempts: readonly Attempt[], chosen: Accepted): boolean =>
  attempts.every((attempt) => attempt.ballot < chosen.ballot) &&
  isProvablyNoAncestor(attempts, chosen.version, []);
