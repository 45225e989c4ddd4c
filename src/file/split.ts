/**
 * How a file becomes pieces. Pairs: n consecutive pieces, equal but for one byte where n does not divide the size.
 * Reed-Solomon: stripes of K chunks, one of each data piece; the last stripe is cut in K consecutive parts like a file of its
 * own. So a stripe of the file is read and written in one go, and a chunk of parity belongs to one stripe.
 */
import { CHUNK_BYTES } from "../limits.ts";

/** What the cut follows from: `needed` of `pieces` pieces make the file, which are the first ones. */
export interface Cut {
  readonly size: number;
  readonly pieces: number;
  readonly needed: number;
}

/** Bytes of part `i` (from 0) of `n`, of `size` bytes: the first size % n parts have one more. */
export const partBytes = (size: number, n: number, i: number): number =>
  Math.floor(size / n) + (i < size % n ? 1 : 0);

/** Where part `i` begins. */
export const partOffset = (size: number, n: number, i: number): number =>
  i * Math.floor(size / n) + Math.min(i, size % n);

/** Has it parity pieces? */
export const hasParity = ({ pieces, needed }: Cut): boolean => pieces > needed;

/** The numbers of the data pieces, and of the parity pieces. */
export const dataPieces = ({ needed }: Cut): number[] =>
  Array.from({ length: needed }, (_, i) => i);
export const parityPieces = ({ needed, pieces }: Cut): number[] =>
  Array.from({ length: pieces - needed }, (_, i) => needed + i);

const fullStripes = ({ size, needed }: Cut): number => Math.floor(size / (needed * CHUNK_BYTES));

const lastStripe = (cut: Cut): number => cut.size - fullStripes(cut) * cut.needed * CHUNK_BYTES;

/** Bytes of piece `piece`; a parity piece is as long as the longest data piece. */
export function pieceBytes(cut: Cut, piece: number): number {
  const { size, needed } = cut;
  if (!hasParity(cut)) return partBytes(size, needed, piece);
  const part = piece < needed ? piece : 0;
  return fullStripes(cut) * CHUNK_BYTES + partBytes(lastStripe(cut), needed, part);
}

/** Where in the file the chunk of a data piece lies that begins at `offset` of the piece, or goes on there. */
export function chunkOffset(cut: Cut, piece: number, offset: number): number {
  const { size, needed } = cut;
  if (!hasParity(cut)) return partOffset(size, needed, piece) + offset;
  const inChunk = offset % CHUNK_BYTES;
  const begin = offset - inChunk;
  const isLast = begin / CHUNK_BYTES === fullStripes(cut);
  const inStripe = isLast ? partOffset(lastStripe(cut), needed, piece) : piece * CHUNK_BYTES;
  return needed * begin + inStripe + inChunk;
}

/** Bytes of the chunk, or the part of one, that begins at `offset` of a piece; 0 beyond its end. */
export const chunkBytes = (
  cut: Cut,
  piece: number,
  offset: number,
  most: number = CHUNK_BYTES,
): number => Math.max(0, Math.min(most, pieceBytes(cut, piece) - offset));
