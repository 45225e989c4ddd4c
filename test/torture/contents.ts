/** What files consist of: a number and a length make the bytes, and the bytes tell both. No part of one is like a part of another. */

const MIX = 0x9e3779b1;

/** Bytes too few to tell what they are. */
export const HEAD_BYTES = 8;

export function contentOf(value: number, bytes: number): Uint8Array {
  const words = new Uint32Array((bytes + 3) >>> 2);
  let x = Math.imul(value + 1, MIX) ^ bytes || MIX;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  if (words.length >= 2) words.set([value, bytes]);
  return new Uint8Array(words.buffer, 0, bytes);
}

/** The number of a content; null when these bytes are none, or not wholly: a mixture, or damaged. */
export function valueOf(data: Uint8Array): number | null {
  if (data.length < HEAD_BYTES) return null;
  const head = new DataView(data.buffer, data.byteOffset, HEAD_BYTES);
  const [value, bytes] = [head.getUint32(0, true), head.getUint32(4, true)];
  return bytes === data.length && isSame(data, contentOf(value, bytes)) ? value : null;
}

export const isSame = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && Buffer.compare(a, b) === 0;
