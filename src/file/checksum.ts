/**
 * How pieces are checked. A piece has a table with one sum of 8 bytes for each block of 64 KiB: the
 * block's xxHash3, mixed with (content, piece, block), so that no block passes for another one. The
 * root of a piece is the SHA-256 of its identity and its table. The manifest has the root, so a
 * table from any server can be trusted once its root fits. Used by client and store.
 */
import { createHash } from "node:crypto";
import { assert } from "../errors.ts";
import { BLOCK_BYTES } from "../limits.ts";
import type { Vid } from "../version.ts";

export const SUM_BYTES = 8;
export const ROOT_BYTES = 32;

/** How many blocks a piece of this length has. An empty piece has none. */
export const blockCount = (bytes: number): number => Math.ceil(bytes / BLOCK_BYTES);

/** How many bytes the table of a piece of this length has. */
export const tableBytes = (bytes: number): number => SUM_BYTES * blockCount(bytes);

/** Blocks of which only a part is here. Their memory is used again. */
const spareBlocks: Uint8Array[] = [];

/** The sums of blocks whose bytes come in parts of any size, in their order. */
export class BlockSums {
  readonly #place: Uint8Array<ArrayBuffer>;
  /** Where in `#place` the number of a block goes. */
  readonly #number: DataView<ArrayBuffer>;
  readonly #first: number;
  readonly #bytes: number;
  readonly #sums: DataView<ArrayBuffer>;
  /** How many bytes are here, and the block of which the last ones are a part. */
  #have = 0;
  #begun: Uint8Array | null = null;

  /** For `bytes` bytes, which begin at block `first` of the piece. */
  constructor(vid: Vid, piece: number, first: number, bytes: number) {
    this.#place = placeOf(vid, piece);
    this.#number = new DataView(this.#place.buffer, 24);
    this.#first = first;
    this.#bytes = bytes;
    this.#sums = new DataView(new ArrayBuffer(tableBytes(bytes)));
  }

  add(part: Uint8Array): void {
    assert(this.#have + part.length <= this.#bytes, "no more bytes come than were to come");
    for (let at = 0; at < part.length;) {
      const inBlock = this.#have % BLOCK_BYTES;
      const begin = this.#have - inBlock;
      const length = Math.min(BLOCK_BYTES, this.#bytes - begin);
      const n = Math.min(length - inBlock, part.length - at);
      const here = part.subarray(at, at + n);
      if (n === length) this.#sum(begin, here);
      else this.#join(begin, inBlock, length, here);
      this.#have += n;
      at += n;
    }
  }

  /** The sums of all blocks, once all bytes are here; null before. */
  get table(): Uint8Array | null {
    return this.#have === this.#bytes ? new Uint8Array(this.#sums.buffer) : null;
  }

  #join(begin: number, inBlock: number, length: number, part: Uint8Array): void {
    const block = (this.#begun ??= spareBlocks.pop() ?? new Uint8Array(BLOCK_BYTES));
    block.set(part, inBlock);
    if (inBlock + part.length < length) return;
    this.#sum(begin, block.subarray(0, length));
    this.#begun = null;
    spareBlocks.push(block);
  }

  #sum(begin: number, block: Uint8Array): void {
    const index = begin / BLOCK_BYTES;
    this.#number.setBigUint64(0, BigInt(this.#first + index));
    const sum = Bun.hash.xxHash3(block) ^ Bun.hash.xxHash3(this.#place);
    this.#sums.setBigUint64(index * SUM_BYTES, sum);
  }
}

/** The sums of the blocks in `data`, which begins at block `first` of the piece. */
export function sumsOf(vid: Vid, piece: number, first: number, data: Uint8Array): Uint8Array {
  const sums = new BlockSums(vid, piece, first, data.length);
  sums.add(data);
  const { table } = sums;
  assert(table, "all bytes are here");
  return table;
}

/** Do these blocks, from block `first` of the piece on, fit these sums from its table? */
export const verifies = (
  vid: Vid,
  piece: number,
  first: number,
  data: Uint8Array,
  sums: Uint8Array,
): boolean => Buffer.compare(sumsOf(vid, piece, first, data), sums) === 0;

/** The root of a piece whose table comes in parts, in its order, and is not kept. */
export class RunningRoot {
  readonly #hash = createHash("sha256");

  /** Of a piece of `bytes` bytes. */
  constructor(vid: Vid, piece: number, bytes: number) {
    const place = placeOf(vid, piece);
    new DataView(place.buffer).setBigUint64(24, BigInt(bytes));
    this.#hash.update(place);
  }

  add(sums: Uint8Array): void {
    this.#hash.update(sums);
  }

  /** The root, once the whole table was added. Nothing is added after that. */
  end(): Uint8Array {
    return this.#hash.digest();
  }
}

/** The root of a piece of `bytes` bytes with this table. */
export function rootOf(vid: Vid, piece: number, bytes: number, table: Uint8Array): Uint8Array {
  const root = new RunningRoot(vid, piece, bytes);
  root.add(table);
  return root.end();
}

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

/** The id of the content and the piece number, with room for one more number. */
function placeOf(vid: Vid, piece: number): Uint8Array<ArrayBuffer> {
  const place = new Uint8Array(32);
  place.set(Uint8Array.fromHex(vid));
  new DataView(place.buffer).setBigUint64(16, BigInt(piece));
  return place;
}
