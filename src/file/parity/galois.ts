/**
 * Arithmetic on bytes as elements of GF(2^8), and the matrix that says how parity pieces are made
 * of data pieces. Adding is xor. Multiplying is modulo x^8 + x^4 + x^3 + x^2 + 1. Nothing here is
 * fast: the bytes themselves go through `kernel.ts`, and `combine` says what is right for it.
 * Used by parity.
 */
import { assert } from "../../errors.ts";

/** Rows of equal length over GF(2^8). */
export type Matrix = readonly Uint8Array[];

/** The polynomial that most Reed-Solomon codes use. 2 generates all 255 elements other than 0. */
const POLYNOMIAL = 0x11d;
const ORDER = 255;

/**
 * EXP[n] = 2^n. It goes round twice, so that a sum of two logarithms needs no modulo. LOG is its
 * inverse.
 */
const EXP = new Uint8Array(2 * ORDER);
const LOG = new Uint8Array(ORDER + 1);
for (let n = 0, power = 1; n < ORDER; n++) {
  EXP[n] = power;
  EXP[n + ORDER] = power;
  LOG[power] = n;
  power <<= 1;
  if (power > ORDER) power ^= POLYNOMIAL;
}

/** The product of two elements. */
export const multiply = (a: number, b: number): number =>
  a === 0 || b === 0 ? 0 : byteAt(EXP, byteAt(LOG, a) + byteAt(LOG, b));

/** The element whose product with `a` is 1. `a` is not 0. */
export function inverse(a: number): number {
  assert(a !== 0, "0 has no inverse");
  return byteAt(EXP, ORDER - byteAt(LOG, a));
}

/** `rows` (R x N) times `columns` (N x C): R x C. */
export const product = (rows: Matrix, columns: Matrix): Matrix =>
  rows.map((row) => combine(row, columns));

/**
 * The sum of all buffers, each times its coefficient. All buffers have one length, which is also
 * that of the result. It is done the plain way, byte by byte.
 */
export function combine(
  coefficients: Uint8Array,
  buffers: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  assert(coefficients.length === buffers.length, "a coefficient for each buffer");
  const sum = new Uint8Array(buffers[0]?.length ?? 0);
  for (const [i, buffer] of buffers.entries()) addMultiple(sum, byteAt(coefficients, i), buffer);
  return sum;
}

/** The inverse of a square matrix, by Gauss-Jordan elimination; undefined where it has none. */
export function invert(matrix: Matrix): Matrix | undefined {
  const n = matrix.length;
  const work: Uint8Array[] = matrix.map((row, i) => Uint8Array.of(...row, ...unitRow(n, i)));
  for (let column = 0; column < n; column++) {
    const found = work.findIndex((row, i) => i >= column && row[column] !== 0);
    const pivot = work[found];
    if (pivot === undefined) return undefined;
    work[found] = rowOf(work, column);
    const scale = inverse(byteAt(pivot, column));
    const scaled = Uint8Array.from(pivot, (value) => multiply(value, scale));
    work[column] = scaled;
    for (const [i, row] of work.entries()) {
      if (i !== column) addMultiple(row, byteAt(row, column), scaled);
    }
  }
  return work.map((row) => row.slice(n));
}

/**
 * The matrix of the code for `data` and `parity` pieces, (data + parity) x data. It has a row for
 * each piece: the piece is that row times the data pieces. The first `data` rows are the identity.
 * The first parity row is all ones, so that one parity piece is a plain xor. The matrix is part of
 * the format of stored files: with another one they could not be read.
 *
 * Any `data` rows are invertible, so any so many pieces give back the file. The parity rows begin
 * as the Cauchy matrix 1 / (x_i + y_j), with x and y all distinct. Each square part of it is again
 * a Cauchy matrix, and so is invertible. Dividing each column by its first element multiplies the
 * determinants of these parts by factors that are not 0, so the parts stay invertible. Let C be
 * these parity rows. Then any `data` rows of [I; C] are invertible too: without the rows that are
 * taken from I, and without the columns of these, a square part of C is left. (Blömer, Kalfane,
 * Karp, Karpinski, Luby, Zuckerman, "An XOR-Based Erasure-Resilient Coding Scheme", ICSI TR-95-048,
 * 1995; MacWilliams and Sloane, "The Theory of Error-Correcting Codes", chapter 11, theorem 8.)
 */
export function generator(data: number, parity: number): Matrix {
  assert(data >= 1 && parity >= 0 && data + parity <= ORDER + 1, "a layout within GF(2^8)");
  const identity = Array.from({ length: data }, (_, j) => unitRow(data, j));
  // y_j = j and x_i = data + i.
  const parityRow = (i: number): Uint8Array =>
    Uint8Array.from({ length: data }, (_, j) => multiply(data ^ j, inverse((data + i) ^ j)));
  return [...identity, ...Array.from({ length: parity }, (_, i) => parityRow(i))];
}

/** A row that the matrix is known to have. */
export function rowOf(matrix: Matrix, row: number): Uint8Array {
  const found = matrix[row];
  assert(found !== undefined, "a row of the matrix");
  return found;
}

/** sum += factor * buffer, in place. */
function addMultiple(sum: Uint8Array, factor: number, buffer: Uint8Array): void {
  assert(buffer.length === sum.length, "buffers of one length");
  for (let at = 0; at < sum.length; at++) {
    sum[at] = byteAt(sum, at) ^ multiply(factor, byteAt(buffer, at));
  }
}

/** Row `i` of the identity of n rows. */
function unitRow(n: number, i: number): Uint8Array {
  const row = new Uint8Array(n);
  row[i] = 1;
  return row;
}

/** An element that is known to exist. The type of an index does not say so. */
const byteAt = (bytes: Uint8Array, at: number): number => bytes[at] as number;
