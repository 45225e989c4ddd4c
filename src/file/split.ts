/** A file is cut into n consecutive pieces, equal but for one byte where n does not divide the size. */

/** Bytes of piece `i` (from 0) of `n`, of a file of `size` bytes: the first size % n pieces have one more. */
export const pieceBytes = (size: number, n: number, i: number): number =>
  Math.floor(size / n) + (i < size % n ? 1 : 0);

/** Where piece `i` begins in the file. */
export const pieceOffset = (size: number, n: number, i: number): number =>
  i * Math.floor(size / n) + Math.min(i, size % n);
