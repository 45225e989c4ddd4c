/**
 * The sums of the catalog's rows. They show bit rot, and a row that stands under another name. Used
 * by catalog.ts and catalog_check.ts.
 */

export const SUM_BYTES = 8;

const sum = new Uint8Array(SUM_BYTES);
const sumView = new DataView(sum.buffer);

/** The sum of a row. The array is reused: it is valid until the next call. */
export function rowSum(space: string, name: string, row: Uint8Array): Uint8Array {
  sumView.setBigUint64(0, Bun.hash.xxHash3(row) ^ Bun.hash.xxHash3(`${space}\0${name}`, 1n));
  return sum;
}

export const isWhole = (space: string, name: string, row: Uint8Array, guard: Uint8Array): boolean =>
  Buffer.compare(rowSum(space, name, row), guard) === 0;
