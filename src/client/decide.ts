/**
 * What registers mean: the pure rules of CONSISTENCY.md section 3. N = y servers; a value is chosen once W have accepted it;
 * R are enough to see every chosen one.
 */
import {
  type Accepted,
  type Ballot,
  highest,
  isGone,
  type Register,
  type Version,
  type Vid,
} from "../version.ts";

export interface Quorum {
  readonly servers: number;
  /** W: accepts that choose a value. */
  readonly accept: number;
  /** R: answers that see every chosen value. */
  readonly read: number;
}

export function quorumOf(servers: number): Quorum {
  const accept = Math.floor(servers / 2) + 1;
  return { servers, accept, read: servers - accept + 1 };
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

/** decide: which value is current, going by what these servers answered to READ. */
export function decide<T extends AtBallot>(quorum: Quorum, votes: readonly Vote<T>[]): Decision<T> {
  if (votes.length < quorum.read) return { is: "tooFew" };
  const committed = newest(votes.map((vote) => vote.com));
  const ballot = committed?.ballot ?? 0n;
  const pending = votes.flatMap(({ acc }) => (acc && acc.ballot > ballot ? [acc] : []));
  const silent = quorum.servers - votes.length;
  if (pending.length + silent < quorum.accept) {
    const lagging = votes.some(({ com }) => (com?.ballot ?? 0n) < ballot);
    return { is: "current", current: committed, lagging };
  }
  const chosen = pending.filter(
    (value) => pending.filter((other) => other.ballot === value.ballot).length >= quorum.accept,
  );
  return chosen.length > 0
    ? { is: "current", current: newest(chosen), lagging: true }
    : { is: "doubt" };
}

/** select: the value that a proposer must build on, going by the promises it got. */
export function select(promises: readonly Register[]): {
  current: Accepted | null;
  isCommitted: boolean;
} {
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
