/**
 * What registers mean: the rules of docs/consistency.md section 3, applied to the answers of a
 * quorum. Pure. Used by register, propose, the fast path, lists and the founding.
 */
import {
  type Accepted,
  type Ballot,
  highest,
  isAncestor,
  isGone,
  type Register,
  type Version,
  type Vid,
} from "../../version.ts";
import { canAccept, countIn, type Quorum } from "../../quorum.ts";

/** A value's ballot, and the values in one server's register: the parts that decide. */
interface AtBallot {
  readonly ballot: Ballot;
}
interface Vote<T> {
  readonly acc: T | null;
  readonly com: T | null;
}

/**
 * What a reader may conclude. `lagging`: the value was chosen, and some server that answered does
 * not know that.
 */
export type Decision<T> =
  | { readonly is: "current"; readonly current: T | null; readonly lagging: boolean }
  | { readonly is: "doubt" }
  | { readonly is: "tooFew" };

/** The value with the largest ballot. */
export const newest = <T extends AtBallot>(values: readonly (T | null)[]): T | null =>
  values.reduce((a, b) => (b && (!a || b.ballot > a.ballot) ? b : a), null);

/**
 * decide: which value is current, given the answers of servers to READ, by slot. While members
 * change, it is enough that the old members cannot have chosen anything newer: in either epoch a
 * choice takes a quorum of them.
 */
export function decide<T extends AtBallot>(
  quorum: Quorum,
  votes: ReadonlyMap<number, Vote<T>>,
): Decision<T> {
  // A list asks this of every name, and mostly nothing is pending. It uses loops, because making
  // arrays would take most of the time.
  // rule: read-by-quorum
  if (!quorum.every((group) => countIn(group, votes) >= group.read)) return { is: "tooFew" };
  let committed: T | null = null;
  for (const { com } of votes.values())
    if (com && (committed === null || com.ballot > committed.ballot)) committed = com;
  const ballot = committed?.ballot ?? 0n;
  const pending: { slot: number; acc: T }[] = [];
  let lagging = false;
  for (const [slot, { acc, com }] of votes) {
    // rule: accepted-counts
    if (acc && acc.ballot > ballot) pending.push({ slot, acc });
    if ((com?.ballot ?? 0n) < ballot) lagging = true;
  }
  const [now] = quorum;
  const ahead = pending.filter(({ slot }) => now.slots.includes(slot)).length;
  const silent = now.slots.length - countIn(now, votes);
  // rule: unheard-may-be-newer
  if (ahead + silent < now.accept) return { is: "current", current: committed, lagging };
  const slotsAt = (at: Ballot): number[] =>
    pending.flatMap(({ slot, acc }) => (acc.ballot === at ? [slot] : []));
  const chosen = pending.flatMap(({ acc }) =>
    canAccept(quorum, slotsAt(acc.ballot)) ? [acc] : [],
  );
  return chosen.length > 0
    ? { is: "current", current: newest(chosen), lagging: true }
    : /* rule: doubt-is-settled */ { is: "doubt" };
}

/** select: the value that a proposer must build on, given the promises it got. */
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

/** What must hold of the current version for a write to happen. null means "absent". */
export type Condition = { readonly vid: Vid | null };

/** An ACCEPT that the operation has sent. */
export interface Attempt {
  readonly ballot: Ballot;
  readonly parentSeq: number;
}

/** What a proposer does next, once it has its promises. */
export type Step =
  | { readonly do: "confirm" }
  | { readonly do: "unknown" }
  | { readonly do: "refuse" }
  | { readonly do: "refuseBehindOwn" }
  | { readonly do: "nothingToDelete" }
  | { readonly do: "write" };

/**
 * propose, steps 2 to 5.
 *
 * "confirm": the write is done already, as another client may have finished it. The current value
 * is accepted again.
 * "unknown": what became of an earlier attempt cannot be told.
 * "refuse": the condition fails.
 * "refuseBehindOwn": the condition fails. But an attempt of ours may be left over, and a higher
 * ballot must be accepted first, so that it can never be chosen.
 * "nothingToDelete": there is no file to delete.
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
  // rule: written-once
  if (current?.vid === own.vid || (tried && current && isAncestor(current, own.vid)))
    return { do: "confirm" };
  // rule: open-outcome-is-told
  if (tried && !isProvablyNoAncestor(own.attempts, current, floors)) return { do: "unknown" };
  if (own.condition && /* rule: condition-at-each-try */ !holds(own.condition, current))
    return settled && /* rule: strays-are-dominated */ !tried
      ? { do: "refuse" }
      : { do: "refuseBehindOwn" };
  if (own.deletes && isGone(current) && settled && !tried) return { do: "nothingToDelete" };
  return { do: "write" };
}

const holds = (condition: Condition, current: Version | null): boolean =>
  condition.vid === null ? isGone(current) : !isGone(current) && current?.vid === condition.vid;

/**
 * Is it certain that none of these attempts was ever chosen and later overwritten? The history of
 * `current` tells only if it reaches back to what the attempts were built on.
 */
function isProvablyNoAncestor(
  attempts: readonly Attempt[],
  current: Version | null,
  floors: readonly Ballot[],
): boolean {
  const first = attempts.reduce((a, b) => (b.ballot < a.ballot ? b : a));
  const parentSeq = Math.min(...attempts.map((attempt) => attempt.parentSeq));
  const born = current ? current.birthFloor : highest(floors);
  if (born >= first.ballot) return false;
  return (
    current === null ||
    /* rule: history-reaches-back */ current.seq - current.history.length <= parentSeq + 1
  );
}

/**
 * Is it certain that none of these attempts was chosen, or ever will be? That holds once a chosen
 * value has a higher ballot than each of them, and its history does not have them and reaches back
 * to what they were built on.
 */
export const areDead = (attempts: readonly Attempt[], chosen: Accepted): boolean =>
  attempts.every((attempt) => attempt.ballot < chosen.ballot) &&
  isProvablyNoAncestor(attempts, chosen.version, []);
