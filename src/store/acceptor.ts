/**
 * The rules of one register (docs/consistency.md section 2). They are pure functions: each takes
 * the row as it is and a message, and returns the new row or a refusal. Used by store.ts. An absent
 * row is { prom: floor, acc: null, com: null }.
 */
import {
  type Accepted,
  type Ballot,
  boundOf,
  type Cid,
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

/** The effect of a COMMIT: the new row, and the versions that are pending no more. */
export interface Committed {
  readonly row: Register;
  readonly over: Vid[];
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
  const ancestors = version.history.map(({ vid }) => vid);
  const over = [version.vid, ...ancestors.filter((vid) => vid !== acc.version.vid)];
  return { row: { prom, acc, com: accepted }, over };
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

/** A version that is pending, and its content. */
type PendingOne = { readonly vid: Vid; readonly cid: Cid };

/**
 * COLLECT: may the pending version `vid` be ended? Only behind the fence at exactly this ballot.
 * With `spare`, some version of the name has the same content, and this server may not know of that
 * one yet: then only where it does.
 */
export function mayCollect(
  row: Register,
  pending: readonly PendingOne[],
  ballot: Ballot,
  { vid, spare }: { readonly vid: Vid; readonly spare: boolean },
): boolean {
  const doomed = pending.find((one) => one.vid === vid);
  const { acc, com } = row;
  // rule: collect-behind-fence
  const isBehind = row.prom === ballot && acc?.version.vid !== vid && com?.version.vid !== vid;
  if (!doomed || !isBehind) return false;
  const isElsewhere =
    [acc, com].some((known) => known?.version.cid === doomed.cid) ||
    pending.some((other) => other !== doomed && other.cid === doomed.cid);
  return !(spare && !isElsewhere);
}

/**
 * DROP: may the name hold a piece of this content no longer here? Only if it is the content of the
 * committed version, the piece has its homes elsewhere by each ring of it that is known here, and
 * nothing pending has it.
 */
export function mayDrop(
  { acc, com }: Register,
  pending: readonly PendingOne[],
  cid: Cid,
  isAway: (version: Version) => boolean,
): boolean {
  // Another ring of the same content may have been accepted already.
  const isHome = acc?.version.cid === cid && !isAway(acc.version);
  const isOfCurrent = com?.version.cid === cid && isAway(com.version);
  return isOfCurrent && !isHome && !pending.some((one) => one.cid === cid);
}
