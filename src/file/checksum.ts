/**
 * How pieces are checked. A piece has a table with one sum of 8 bytes for each block of 64 KiB: the
 * block's xxHash3, mixed with (version, piece, block), so that no block passes for another one. The
 * root of a piece is the SHA-256 of its identity and its table. The manifest has the root, so a
 * table from any server can be trusted once its root fits. Used by client and store.
 */
import { createHash } from "node:crypto";
import { BLOCK_BYTES } from "../limits.ts";
import type { Vid } from "../version.ts";

export const SUM_BYTES = 8;
export const ROOT_BYTES = 32;

/** How many blocks a piece of this length has. An empty piece has none. */
export const blockCount = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES);

/** How many bytes the table of a piece of this length has. */
export const tableBytes = (bytes: number): number => SUM_BYTES * blockCount(bytes);

/** The sums of the blocks in `data`, which begins at block `first` of the piece. */
export function sumsOf(vid: Vid, piece: number, first: number, data: Uint8Array): Uint8Array {
  const sums = new Uint8Array(tableBytes(data.length));
  const view = new DataView(sums.buffer);
  const place = placeOf(vid, piece);
  for (let i = 0; i < blockCount(data.length); i++) {
    new DataView(place.buffer).setBigUint64(24, BigInt(first + i));
    const block = data.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES);
    view.setBigUint64(i * SUM_BYTES, Bun.hash.xxHash3(block) ^ Bun.hash.xxHash3(place));
  }
  return sums;
}

/** Do these blocks, from block `first` of the piece on, fit these sums from its table? */
export const verifies = (
  vid: Vid,
  piece: number,
  first: number,
  data: Uint8Array,
  sums: Uint8Array,
): boolean => Buffer.compare(sumsOf(vid, piece, first, data), sums) === 0;

/** The root of a piece of `bytes` bytes with this table. */
export const rootOf = (vid: Vid, piece: number, bytes: number, table: Uint8Array): Uint8Array => {
  const place = placeOf(vid, piece);
  new DataView(place.buffer).setBigUint64(24, BigInt(bytes));
  return createHash("sha256").update(place).update(table).digest();
};

const TABLE_BYTES_FIRST = 64;

/**
 * The table of a piece whose blocks come one after the other. It is one array that grows: an array
 * for each chunk would take a hundred bytes for eight.
 */
export class SumTable {
  #bytes = new Uint8Array(TABLE_BYTES_FIRST);
  #length = 0;

  /** Adds the sums of the blocks that come next. */
  add(sums: Uint8Array): void {
    const end = this.#length + sums.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(sums, this.#length);
    this.#length = end;
  }

  /** The sums so far. */
  get table(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

/** The table and root of a piece that is whole in memory. */
export function tableAndRoot(
  vid: Vid,
  piece: number,
  data: Uint8Array,
): { table: Uint8Array; root: Uint8Array } {
  const table = sumsOf(vid, piece, 0, data);
  return { table, root: rootOf(vid, piece, data.length, table) };
}

/** The vid and the piece number, with room for one more number. */
function placeOf(vid: Vid, piece: number): Uint8Array<ArrayBuffer> {
  const place = new Uint8Array(32);
  place.set(Uint8Array.fromHex(vid));
  new DataView(place.buffer).setBigUint64(16, BigInt(piece));
  return place;
}
