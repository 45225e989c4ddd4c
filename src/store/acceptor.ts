/**
 * The rules of one register (docs/consistency.md section 2), pure: the row as it is, and what a message makes of it.
 * An absent row is { prom: floor, acc: null, com: null }.
 */
import {
  type Accepted,
  type Ballot,
  boundOf,
  type Refusal,
  type Register,
  roundOf,
  type Version,
  type Vid,
} from "../version.ts";

/** The row of a name that this server has none for. */
export const absentRow = (floor: Ballot): Register => ({ prom: floor, acc: null, com: null });

/** Why a ballot is refused, if it is, and by what: what is promised in the name, and the floor of its space. */
export interface Refused {
  readonly refused: Refusal | null;
  readonly prom: Ballot;
  readonly floor: Ballot;
}

/** Ballots go up in steps: else one request could leave no room above it for all that others will ever write. */
const isTooHigh = ({ prom }: Register, floor: Ballot, ballot: Ballot): boolean =>
  // rule: ballots-rise-in-steps
  ballot > boundOf(prom, floor) && roundOf(ballot) > roundOf(boundOf(prom, floor));

/** PREPARE: the row with the promise, or why it is refused. */
export function prepare(row: Register, floor: Ballot, ballot: Ballot): Register | Refusal {
  const repeated = ballot === row.prom && (row.acc === null || row.acc.ballot < ballot);
  if (ballot <= row.prom && !repeated) return "low";
  return isTooHigh(row, floor, ballot) ? "high" : { ...row, prom: ballot };
}

/**
 * Whether a version that is promised to may yet become current, as far as this server knows: then its pieces are taken out of the trash.
 * To do so is as if they had come anew just before the promise, so no rule is touched by it: whoever condemned them did so behind a
 * lower promise, and is refused from now on. Of what was current before they are not needed any more.
 */
export const mayBecomeCurrent = ({ com }: Register, vid: Vid): boolean =>
  com?.version.vid !== vid && !com?.version.history.includes(vid);

/** ACCEPT: the row that holds the value, or why it is refused. */
export function accept(
  row: Register,
  floor: Ballot,
  ballot: Ballot,
  version: Version,
): Register | Refusal {
  if (row.acc?.ballot === ballot) return row;
  if (ballot < row.prom) return "low";
  return isTooHigh(row, floor, ballot)
    ? "high"
    : { ...row, prom: ballot, acc: { ballot, version } };
}

/** What COMMIT does: the new row, and the versions whose pieces nobody will ask for any more. */
export interface Committed {
  readonly row: Register;
  readonly trash: Vid[];
}

/** COMMIT: null when it changes nothing; "ignored" for a late one of a name that was forgotten; "high" where it is refused. */
export function commit(
  row: Register,
  floor: Ballot,
  accepted: Accepted,
): Committed | "ignored" | "high" | null {
  const { ballot, version } = accepted;
  // rule: late-commit-is-ignored
  if (row.acc === null && row.com === null && ballot <= floor) return "ignored";
  if (row.com && row.com.ballot >= ballot) return null;
  if (isTooHigh(row, floor, ballot)) return "high";
  const acc = row.acc && row.acc.ballot > ballot ? row.acc : accepted;
  const prom = row.prom > ballot ? row.prom : ballot;
  const kept = new Set([version.vid, acc.version.vid]);
  const old = row.com ? [row.com.version.vid, ...version.history] : version.history;
  return { row: { prom, acc, com: accepted }, trash: old.filter((vid) => !kept.has(vid)) };
}

/** FORGET: may the row go, leaving its promise as the floor of its space? Only where it is exactly this tombstone. */
export function mayForget(row: Register, ballot: Ballot): boolean {
  if (row.acc === null && row.com === null) return true;
  const { acc, com } = row;
  return com?.ballot === ballot && acc?.ballot === ballot && com.version.deleted;
}

/** COLLECT: may the pieces of this version go? Only behind the fence at exactly this ballot. */
export const mayCollect = (row: Register, ballot: Ballot, vid: Vid): boolean =>
  // rule: collect-behind-fence
  row.prom === ballot && row.acc?.version.vid !== vid && row.com?.version.vid !== vid;
