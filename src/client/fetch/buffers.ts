/**
 * Buffers that are used again: a fresh megabyte costs more than the work that is done in it. Used
 * where bytes are sealed and opened.
 */
import { BLOCK_BYTES, CHUNK_BYTES } from "../../limits.ts";

/** Large enough that a buffer for one chunk fits any other. */
const LEAST_BYTES = CHUNK_BYTES + 2 * BLOCK_BYTES;

/**
 * A buffer of at least `bytes`, a used one from `free` if one fits. No more than `most` is ever
 * wanted.
 */
export function roomFor(free: Uint8Array[], bytes: number, most: number): Uint8Array {
  const found = free.findIndex(({ length }) => length >= bytes);
  const [buffer] = found < 0 ? [] : free.splice(found, 1);
  return buffer ?? new Uint8Array(Math.max(bytes, Math.min(LEAST_BYTES, most)));
}
