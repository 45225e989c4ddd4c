/**
 * Sealed contents: the STREAM construction (Hoang, Reyhanitabar, Rogaway and Vizár 2015) over
 * AES-256-GCM. A file is sealed in segments under a random key of its content. The nonce of a
 * segment is its number, and whether it is the last one. So no segment passes for another one, and
 * none can be left out. Used by the client.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { assert } from "../errors.ts";
import { BLOCK_BYTES } from "../limits.ts";
import { NONCE_BYTES, TAG_BYTES } from "./keys.ts";

export const CONTENT_KEY_BYTES = 32;
/**
 * The length of a sealed segment. It is that of a block, so that pieces with parity are made of
 * whole segments.
 */
export const SEALED_SEGMENT_BYTES = BLOCK_BYTES;
/** The length of a segment before it is sealed. */
export const SEGMENT_BYTES = SEALED_SEGMENT_BYTES - TAG_BYTES;

/** How many segments a file of so many bytes has. */
export const segmentCount = (plain: number): number => Math.ceil(plain / SEGMENT_BYTES);

/** How many bytes a file of `plain` bytes has when it is sealed. */
export const sealedBytes = (plain: number): number => plain + TAG_BYTES * segmentCount(plain);

/**
 * How many bytes a file has that has `sealed` bytes when it is sealed. A number that no file could
 * come to is rounded down.
 */
export const plainBytes = (sealed: number): number =>
  Math.max(0, sealed - TAG_BYTES * Math.ceil(sealed / SEALED_SEGMENT_BYTES));

/** What it takes to seal and open the segments of one version. */
export interface Stream {
  readonly key: Uint8Array;
  /**
   * The bytes of the file before it is sealed. Infinity, where more of it is known to come than was
   * sealed so far.
   */
  readonly bytes: number;
}

/** Seals segment `index` into `into`, which has room for its tag too. */
export function sealSegment(
  stream: Stream,
  index: number,
  plain: Uint8Array,
  into: Uint8Array,
): void {
  assert(into.length === plain.length + TAG_BYTES, "a sealed segment has its tag behind it");
  const cipher = createCipheriv("aes-256-gcm", stream.key, nonceOf(stream, index));
  into.set(cipher.update(plain));
  cipher.final();
  into.set(cipher.getAuthTag(), plain.length);
}

/**
 * Opens segment `index` into `into`. False unless it is what was sealed there; then `into` has no
 * meaning.
 */
export function openSegment(
  stream: Stream,
  index: number,
  sealed: Uint8Array,
  into: Uint8Array,
): boolean {
  assert(sealed.length === into.length + TAG_BYTES, "a sealed segment has its tag behind it");
  const options = { authTagLength: TAG_BYTES };
  const cipher = createDecipheriv("aes-256-gcm", stream.key, nonceOf(stream, index), options);
  cipher.setAuthTag(sealed.subarray(into.length));
  into.set(cipher.update(sealed.subarray(0, into.length)));
  try {
    cipher.final();
    return true;
  } catch {
    return false;
  }
}

/**
 * Seven zeros | u32 number | u8: is it the last? The key is the version's own, so no nonce comes
 * twice.
 */
function nonceOf({ bytes }: Stream, index: number): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  new DataView(nonce.buffer).setUint32(NONCE_BYTES - 5, index);
  nonce[NONCE_BYTES - 1] = index === segmentCount(bytes) - 1 ? 1 : 0;
  return nonce;
}
