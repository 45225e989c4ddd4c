/**
 * Which servers contradict what is certain: pure. A client with the keys of a user knows which versions the user made, in which
 * order; so a server that lies about what is current is caught where another one shows what it hides. Used by believe.ts.
 */
import type { Accepted, Ballot, Register, Vid } from "../../version.ts";
import { canAccept, type Quorum } from "../../quorum.ts";
import { isBefore, type Place, type Value } from "./judge.ts";

/** What one server says of a name. */
export interface Told {
  readonly floor: Ballot;
  readonly register: Register;
}

/** A value that a server says it accepted, or knows to have been chosen. */
interface Claim {
  readonly slot: number;
  readonly ballot: Ballot;
  readonly vid: Vid;
  readonly value: Value;
}

/**
 * The slots of the servers not to believe. `worthOf` is null for what nobody with the keys made. Whatever was accepted above a chosen
 * value is that value or descends from it, and so is neither older nor another child of its parent; and each ballot has one value. Who
 * says otherwise lies, or the other one does: of two that contradict each other the one with more against it goes, or both.
 */
export function liars(
  quorum: Quorum,
  told: ReadonlyMap<number, Told>,
  worthOf: (accepted: Accepted) => Value | null,
): number[] {
  const out = new Set<number>();
  const claims: Claim[] = [];
  const chosen: Claim[] = [];
  for (const [slot, { register }] of told) {
    for (const accepted of [register.acc, register.com]) {
      if (!accepted) continue;
      const value = worthOf(accepted);
      const { ballot, version } = accepted;
      const claim = value && { slot, ballot, vid: version.vid, value };
      if (claim) claims.push(claim);
      else out.add(slot);
      if (claim && accepted === register.com) chosen.push(claim);
    }
  }
  const isLeft = ({ slot }: Claim): boolean => !out.has(slot);
  const left = claims.filter(isLeft);
  // Mostly all say the same.
  if (left.every((claim) => claim.ballot === left[0]?.ballot && isSame(claim, left[0])))
    return [...out];
  const certain = [...chosen.filter(isLeft), ...acceptedByEnough(quorum, left)];
  const pairs = left.flatMap((claim) =>
    certain.flatMap((fact) => (contradicts(claim, fact) ? [[claim.slot, fact.slot] as const] : [])),
  );
  return [...out, ...worst(pairs)];
}

/** Is something said to have been accepted after something was chosen that cannot come after it, or something else at that very ballot? */
function contradicts(claim: Claim, fact: Claim): boolean {
  if (claim.ballot < fact.ballot) return false;
  const isElse = isOlder(claim.value, fact.value) || areSiblings(claim, fact);
  return claim.ballot > fact.ballot ? isElse : !isSame(claim, fact);
}

const isSame = (a: Claim, b: Claim): boolean =>
  a.vid === b.vid && !isOlder(a.value, b.value) && !isOlder(b.value, a.value);

/** Two versions made for one place, of which only one was ever chosen: the other is of a write that failed. */
const areSiblings = (a: Claim, b: Claim): boolean =>
  a.vid !== b.vid && a.value.isMade && b.value.isMade && isLevel(a.value, b.value);

const isLevel = (a: Place, b: Place): boolean => a.birthFloor === b.birthFloor && a.seq === b.seq;

const isOlder = (a: Value, b: Value): boolean =>
  a.isMade === b.isMade ? a.isMade && isBefore(a, b) : b.isMade;

/** Claims that together say that their value was chosen, whether anybody knows that or not. */
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

/** The fewest that all contradictions can be laid to, the one with most of them first; where two have as many, both. */
function worst(pairs: readonly (readonly [number, number])[]): number[] {
  const out: number[] = [];
  for (let left = pairs; left.length > 0;) {
    const against = new Map<number, Set<number>>();
    for (const [a, b] of left) {
      against.set(a, (against.get(a) ?? new Set()).add(b));
      against.set(b, (against.get(b) ?? new Set()).add(a));
    }
    const most = Math.max(...[...against.values()].map((others) => others.size));
    const blamed = [...against].flatMap(([slot, others]) => (others.size === most ? [slot] : []));
    out.push(...blamed);
    left = left.filter(([a, b]) => !blamed.includes(a) && !blamed.includes(b));
  }
  return out;
}
