/**
 * How a file is cut into pieces. Pairs: n consecutive pieces, of equal length but for one byte
 * where n does not divide the size. Striped, which is every version with parity, and pairs that
 * were put from a stream: stripes of one chunk for each data piece. The last stripe is cut into
 * consecutive parts like a file of its own. So a stripe of the file is read and written in one go,
 * a chunk of parity belongs to one stripe, and a file can be cut before its length is known. Used
 * by the client.
 */
import { CHUNK_BYTES } from "../limits.ts";

/** What determines the cut. The first `needed` of `pieces` pieces make up the file. */
export interface Cut {
  readonly size: number;
  readonly pieces: number;
  readonly needed: number;
  readonly striped: boolean;
}

/**
 * How many bytes part `i` (from 0) of `n` parts of `size` bytes has. The first size % n parts have
 * one more.
 */
export const partBytes = (size: number, n: number, i: number): number =>
  Math.floor(size / n) + (i < size % n ? 1 : 0);

/** Where part `i` begins. */
export const partOffset = (size: number, n: number, i: number): number =>
  i * Math.floor(size / n) + Math.min(i, size % n);

/** Has the version parity pieces? */
export const hasParity = ({ pieces, needed }: Pick<Cut, "pieces" | "needed">): boolean =>
  pieces > needed;

/** The numbers of the data pieces, and of the parity pieces. */
export const dataPieces = ({ needed }: Cut): number[] =>
  Array.from({ length: needed }, (_, i) => i);
export const parityPieces = ({ needed, pieces }: Cut): number[] =>
  Array.from({ length: pieces - needed }, (_, i) => needed + i);

/** How many bytes of the file a full stripe has. */
export const stripeBytes = ({ needed }: Pick<Cut, "needed">): number => needed * CHUNK_BYTES;

const fullStripes = (cut: Cut): number => Math.floor(cut.size / stripeBytes(cut));

const lastStripe = (cut: Cut): number => cut.size - fullStripes(cut) * stripeBytes(cut);

/** How many bytes a piece has. A parity piece is as long as the longest data piece. */
export function pieceBytes(cut: Cut, piece: number): number {
  const { size, needed } = cut;
  if (!cut.striped) return partBytes(size, needed, piece);
  const part = piece < needed ? piece : 0;
  return fullStripes(cut) * CHUNK_BYTES + partBytes(lastStripe(cut), needed, part);
}

/**
 * The offset in the file of the byte at `offset` of a data piece. Where the cut is striped, only
 * the rest of its chunk follows it in the file.
 */
export function chunkOffset(cut: Cut, piece: number, offset: number): number {
  const { size, needed } = cut;
  if (!cut.striped) return partOffset(size, needed, piece) + offset;
  const inChunk = offset % CHUNK_BYTES;
  const begin = offset - inChunk;
  const isLast = begin / CHUNK_BYTES === fullStripes(cut);
  const inStripe = isLast ? partOffset(lastStripe(cut), needed, piece) : piece * CHUNK_BYTES;
  return needed * begin + inStripe + inChunk;
}

/**
 * How many bytes the chunk, or part of one, has that begins at `offset` of a piece; 0 beyond the
 * piece's end.
 */
export const chunkBytes = (
  cut: Cut,
  piece: number,
  offset: number,
  most: number = CHUNK_BYTES,
): number => Math.max(0, Math.min(most, pieceBytes(cut, piece) - offset));
