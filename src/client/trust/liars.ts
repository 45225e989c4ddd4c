/**
 * Finds the servers that contradict what is certain. Pure. Used by agree/believe.ts.
 *
 * A client with the keys of a user knows which versions the user made, and in which order. So a
 * server that lies about what is current is caught once another server shows what it hides.
 */
import type { Accepted, Ballot, Register, Vid } from "../../version.ts";
import { canAccept, type Quorum } from "../../quorum.ts";
import { isBefore, type ChainPosition, type Judged } from "./judge.ts";

/** What one server says of a name. */
export interface Answer {
  readonly floor: Ballot;
  readonly register: Register;
}

/** A value that a server says it accepted, or knows to be chosen. */
interface Claim {
  readonly slot: number;
  readonly ballot: Ballot;
  readonly vid: Vid;
  readonly value: Judged;
}

/**
 * The slots of the servers not to believe. `worthOf` returns null for a value that nobody with the
 * keys made.
 *
 * Each ballot has one value. A value that was accepted above a chosen value is that value, or
 * descends from it. So it is neither older nor another child of the same parent. Where two servers
 * contradict each other in this, one of them lies. The server with more contradictions against it
 * is not believed; if both have as many, neither is.
 */
export function liars(
  quorum: Quorum,
  answers: ReadonlyMap<number, Answer>,
  worthOf: (accepted: Accepted) => Judged | null,
): number[] {
  const lying = new Set<number>();
  const claims: Claim[] = [];
  const chosen: Claim[] = [];
  for (const [slot, { register }] of answers) {
    for (const accepted of [register.acc, register.com]) {
      if (!accepted) continue;
      const value = worthOf(accepted);
      const { ballot, version } = accepted;
      const claim = value && { slot, ballot, vid: version.vid, value };
      if (claim) claims.push(claim);
      else lying.add(slot);
      if (claim && accepted === register.com) chosen.push(claim);
    }
  }
  const isLeft = ({ slot }: Claim): boolean => !lying.has(slot);
  const left = claims.filter(isLeft);
  // Mostly all servers say the same.
  if (left.every((claim) => claim.ballot === left[0]?.ballot && isSame(claim, left[0])))
    return [...lying];
  const certain = [...chosen.filter(isLeft), ...acceptedByEnough(quorum, left)];
  const pairs = left.flatMap((claim) =>
    certain.flatMap((fact) => (contradicts(claim, fact) ? [[claim.slot, fact.slot] as const] : [])),
  );
  return [...lying, ...mostContradicted(pairs)];
}

/**
 * Does the claim contradict the fact, which is a chosen value? It does if it was accepted at a
 * higher ballot and cannot come after the fact, or if it is another value at the same ballot.
 */
function contradicts(claim: Claim, fact: Claim): boolean {
  if (claim.ballot < fact.ballot) return false;
  const isImpossible = isOlder(claim.value, fact.value) || areSiblings(claim, fact);
  return claim.ballot > fact.ballot ? isImpossible : !isSame(claim, fact);
}

const isSame = (a: Claim, b: Claim): boolean =>
  a.vid === b.vid && !isOlder(a.value, b.value) && !isOlder(b.value, a.value);

/**
 * Two versions that were made for the same position. Only one of them was ever chosen; the other is
 * of a write that failed.
 */
const areSiblings = (a: Claim, b: Claim): boolean =>
  a.vid !== b.vid && a.value.isMade && b.value.isMade && isLevel(a.value, b.value);

const isLevel = (a: ChainPosition, b: ChainPosition): boolean =>
  a.birthFloor === b.birthFloor && a.seq === b.seq;

const isOlder = (a: Judged, b: Judged): boolean =>
  a.isMade === b.isMade ? a.isMade && isBefore(a, b) : b.isMade;

/**
 * The claims of values that enough servers accepted: those were chosen, whether any server knows
 * that or not.
 */
function acceptedByEnough(quorum: Quorum, claims: readonly Claim[]): Claim[] {
  const alike = new Map<string, Claim[]>();
  for (const claim of claims) {
    const key = `${claim.ballot} ${claim.vid} ${claim.value.isMade} ${claim.value.seq}`;
    alike.set(key, [...(alike.get(key) ?? []), claim]);
  }
  return [...alike.values()]
    .filter((same) =>
      canAccept(
        quorum,
        same.map(({ slot }) => slot),
      ),
    )
    .flat();
}

/**
 * The servers to blame for all contradictions, as few as possible. The server with most
 * contradictions comes first; servers with as many are blamed together.
 */
function mostContradicted(pairs: readonly (readonly [number, number])[]): number[] {
  const lying: number[] = [];
  for (let left = pairs; left.length > 0;) {
    const against = new Map<number, Set<number>>();
    for (const [a, b] of left) {
      against.set(a, (against.get(a) ?? new Set()).add(b));
      against.set(b, (against.get(b) ?? new Set()).add(a));
    }
    const most = Math.max(...[...against.values()].map((others) => others.size));
    const blamed = [...against].flatMap(([slot, others]) => (others.size === most ? [slot] : []));
    lying.push(...blamed);
    left = left.filter(([a, b]) => !blamed.includes(a) && !blamed.includes(b));
  }
  return lying;
}
