/** Memory that is used again: a fresh megabyte costs more than what is done with it. */
import { BLOCK_BYTES, CHUNK_BYTES } from "../../limits.ts";

/** So many that buffers for one chunk fit another. */
const LEAST_BYTES = CHUNK_BYTES + 2 * BLOCK_BYTES;

/** A buffer of at least so many bytes, one that was used before where there is one. More than `most` will never be wanted. */
export function roomFor(free: Uint8Array[], bytes: number, most: number): Uint8Array {
  const found = free.findIndex(({ length }) => length >= bytes);
  const [buffer] = found < 0 ? [] : free.splice(found, 1);
  return buffer ?? new Uint8Array(Math.max(bytes, Math.min(LEAST_BYTES, most)));
}
