/**
 * Which servers contradict what is certain: pure. A client with the keys of a user knows which versions the user made, in which
 * order; so a server that lies about what is current is caught where another one shows what it hides.
 */
import {
  type Accepted,
  type Ballot,
  type Register,
  unsoundness,
  type Version,
  type Vid,
} from "../version.ts";
import type { Cluster } from "./cluster.ts";
import { canAccept, type Quorum } from "./decide.ts";

/** What one server says of a name. */
export interface Told {
  readonly floor: Ballot;
  readonly register: Register;
}

/** Where a version stands in the chain of its name. */
interface Place {
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

/** Of these answers those to believe: none from a server that says what was never made, or contradicts what is certain. */
export function believed<T extends Told>(
  cluster: Cluster,
  stored: string,
  quorum: Quorum,
  replies: Map<number, T>,
): Map<number, T> {
  const isTold = ({ version: { vid } }: Accepted): boolean =>
    [...replies.values()].filter(({ register: { acc, com } }) =>
      [acc, com].some((known) => known?.version.vid === vid),
    ).length > 1;
  // What no server accepts is not what one of several has.
  const isMadeUp = (accepted: Accepted): boolean =>
    unsoundness(accepted.version) !== null && replies.size > 1 && !isTold(accepted);
  const out = liars(quorum, replies, (accepted) =>
    isMadeUp(accepted) ? null : cluster.judge(stored, accepted),
  );
  if (out.length === 0) return replies;
  const left = new Map(replies);
  for (const slot of out) left.delete(slot);
  return left;
}

/** The same once all is said that will be, and it may take time to judge it: those that are not believed are named. */
export async function believedInEnd<T extends Told>(
  cluster: Cluster,
  stored: string,
  quorum: Quorum,
  replies: Map<number, T>,
): Promise<Map<number, T>> {
  let left = believed(cluster, stored, quorum, replies);
  while (left.size < replies.size && (await cluster.guard?.learn()))
    left = believed(cluster, stored, quorum, replies);
  for (const slot of replies.keys())
    if (!left.has(slot))
      cluster.warn(
        `${cluster.shown(stored)}: what ${cluster.labelOf(slot)} says is not authentic, or contradicts others: it is not believed`,
      );
  return left;
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
