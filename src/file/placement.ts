/**
 * Where pieces belong (DESIGN.md section 2). Servers and pieces count from 0 here; people see pieces from 1.
 * With rotation x, server i holds pieces (i - x) mod y and (i - x + 1) mod y, so piece j lies on (x + j) mod y
 * and (x + j - 1) mod y.
 */
import { createHash } from "node:crypto";

/** x = digest mod y, the digest read as one big-endian number. */
export const rotation = (digest: Uint8Array, y: number): number =>
  digest.reduce((rest, byte) => (rest * 256 + byte) % y, 0);

/** The rotation of a file that is placed by its name. */
export const rotationOfName = (name: string, y: number): number =>
  rotation(createHash("md5").update(name).digest(), y);

/** The servers that are home to piece `j`, the first choice first: `copies` of `y`. */
export function homes(x: number, j: number, y: number, copies: number): number[] {
  const out = [];
  for (let k = 0; k < copies; k++) out.push((x + j - k + y) % y);
  return out;
}

/** All servers in the order in which piece `j` tries them: its homes, then round the ring away from them. */
export const candidates = (x: number, j: number, y: number): number[] => homes(x, j, y, y);
