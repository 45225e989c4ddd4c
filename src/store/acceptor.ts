/**
 * The rules of one register (docs/consistency.md section 2). They are pure functions: each takes
 * the row as it is and a message, and returns the new row or a refusal. Used by store.ts. An absent
 * row is { prom: floor, acc: null, com: null }.
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

/** The row of a name for which this server has none. */
export const absentRow = (floor: Ballot): Register => ({ prom: floor, acc: null, com: null });

/**
 * Whether and why a ballot is refused; with it the ballot promised for the name, and the floor of
 * its space.
 */
export interface Refused {
  readonly refused: Refusal | null;
  readonly prom: Ballot;
  readonly floor: Ballot;
}

/**
 * Ballots rise in steps. Without this, one request could use up all ballots, and nobody could write
 * after it.
 */
const isTooHigh = ({ prom }: Register, floor: Ballot, ballot: Ballot): boolean =>
  // rule: ballots-rise-in-steps
  ballot > boundOf(prom, floor) && roundOf(ballot) > roundOf(boundOf(prom, floor));

/** PREPARE: returns the row with the promise, or why the ballot is refused. */
export function prepare(row: Register, floor: Ballot, ballot: Ballot): Register | Refusal {
  const repeated = ballot === row.prom && (row.acc === null || row.acc.ballot < ballot);
  if (ballot <= row.prom && !repeated) return "low";
  return isTooHigh(row, floor, ballot) ? "high" : { ...row, prom: ballot };
}

/**
 * May the version of this promise still become current, as far as this server knows? If so, the
 * server takes its pieces out of the trash.
 *
 * That counts as if the pieces had come again just before the promise, so it breaks no rule:
 * whoever condemned the pieces did so behind a lower promise, and is refused from now on. For
 * the committed version and its ancestors the answer is no: nobody needs what they have in the
 * trash.
 */
export const mayBecomeCurrent = ({ com }: Register, vid: Vid): boolean =>
  com?.version.vid !== vid && !com?.version.history.includes(vid);

/** ACCEPT: returns the row that holds the value, or why the ballot is refused. */
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

/**
 * The effect of a COMMIT: the new row, and the versions whose pieces nobody will ask for any more.
 */
export interface Committed {
  readonly row: Register;
  readonly trash: Vid[];
}

/**
 * COMMIT. Returns null if nothing changes, "ignored" for a late COMMIT of a forgotten name, and
 * "high" if the ballot is refused.
 */
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

/**
 * FORGET: may the row be removed, so that its promise becomes the floor of its space? Only if the
 * row is exactly this tombstone, or empty.
 */
export function mayForget(row: Register, ballot: Ballot): boolean {
  if (row.acc === null && row.com === null) return true;
  const { acc, com } = row;
  return com?.ballot === ballot && acc?.ballot === ballot && com.version.deleted;
}

/**
 * COLLECT: may the pieces of this version be removed? Only behind the fence at exactly this ballot.
 */
export const mayCollect = (row: Register, ballot: Ballot, vid: Vid): boolean =>
  // rule: collect-behind-fence
  row.prom === ballot && row.acc?.version.vid !== vid && row.com?.version.vid !== vid;
