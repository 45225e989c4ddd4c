/** The sums that guard rows of the catalog against bit rot, and against standing under another name. */

export const SUM_BYTES = 8;

const sum = new Uint8Array(SUM_BYTES);
const sumView = new DataView(sum.buffer);

/** The sum of a row. What is returned is good until it is called again. */
export function rowSum(space: string, name: string, row: Uint8Array): Uint8Array {
  sumView.setBigUint64(0, Bun.hash.xxHash3(row) ^ Bun.hash.xxHash3(`${space}\0${name}`, 1n));
  return sum;
}

export const isWhole = (space: string, name: string, row: Uint8Array, guard: Uint8Array): boolean =>
  Buffer.compare(rowSum(space, name, row), guard) === 0;
