/**
 * Which versions are sound: only these can come from a put, a folder, a record or a deletion. Used
 * by servers, which accept no other, and by clients, which believe no other.
 */
import {
  COPIES,
  DATA_PIECES_MAX,
  PARITY_PIECES_MAX,
  SEQ_MAX,
  SLOTS_MAX,
  STORED_BYTES_MAX,
} from "./limits.ts";
import { isAncestor, TIME_MS_MAX, type Version } from "./version.ts";

/**
 * Why this version cannot come from any put, folder, record or deletion; null where it can. An
 * unsound version can never be read, and costs the work of those who look after files, so no server
 * accepts it.
 */
export function unsoundness(version: Version): string | null {
  const { vid, seq, history, put, deleted, cid, size, body } = version;
  const { pieces, needed, copies, striped, ring, at } = version;
  if (
    history.length >= seq ||
    seq > SEQ_MAX ||
    /* rule: no-version-before-itself */ isAncestor(version, vid)
  )
    return "its history is not that of its place";
  if (
    put > TIME_MS_MAX ||
    history.some((ancestor, i) => ancestor.put > (history[i - 1]?.put ?? put))
  )
    return "it is older than its ancestors";
  if (body.length === 0 && !deleted) return "nothing says what it is";
  if (deleted || pieces === 0)
    return pieces + needed + copies + ring.length + at.length + size === 0 &&
      cid === null &&
      !striped
      ? null
      : "it has no pieces, and says what they are";
  if (cid === null) return "nothing says which content it has";
  const isSlot = (slot: number, index: number): boolean =>
    slot < SLOTS_MAX && ring.indexOf(slot) === index;
  if (ring.length !== pieces || !ring.every(isSlot)) return "its pieces do not each have a server";
  if (at.some(({ piece, slot }) => piece >= pieces || slot >= SLOTS_MAX))
    return "some of its pieces lie nowhere";
  // Pairs: all pieces make the file, and each lies on two servers, or on the only one. Parity: each
  // piece lies on one.
  const isPairs = needed === pieces && copies === Math.min(COPIES, pieces);
  const isParity = needed >= 1 && needed < pieces && copies === 1;
  const isSmall = needed <= DATA_PIECES_MAX && pieces - needed <= PARITY_PIECES_MAX;
  if (!isPairs && !(isParity && isSmall)) return "no layout has such pieces";
  if (isParity && !striped) return "it has parity, and is not cut by stripes";
  return size > STORED_BYTES_MAX ? "it is larger than any file" : null;
}
