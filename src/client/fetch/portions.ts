/**
 * Which blocks of which pieces a range of a file needs, and which of their bytes are in the range.
 * Pure. Used by download.
 */
import { DfsError } from "../../errors.ts";
import { chunkBytes, chunkOffset, type Cut, dataPieces, pieceBytes } from "../../file/split.ts";
import { BLOCK_BYTES, CHUNK_BYTES, FILE_BYTES_MAX } from "../../limits.ts";

/** `length` bytes of a file, from `offset` on. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** All bytes of any file. */
export const WHOLE: Range = { offset: 0, length: FILE_BYTES_MAX };

/**
 * What is fetched in one go: some blocks of one piece, or the same blocks of several pieces of a
 * stripe. At the end of a piece there may be fewer bytes than `length`.
 */
export interface Portion {
  readonly pieces: readonly number[];
  readonly offset: number;
  readonly length: number;
}

/** Throws DfsError("usage") for a range that no file could have. */
export function checkRange({ offset, length }: Range): void {
  if ([offset, length].every((value) => Number.isSafeInteger(value) && value >= 0)) return;
  throw new DfsError("usage", `${length} bytes from ${offset} on are no range of a file`);
}

/** The part of a range that lies within a file of so many bytes. */
export function cutTo(bytes: number, range: Range): Range {
  const offset = Math.min(range.offset, bytes);
  return { offset, length: Math.min(range.length, bytes - offset) };
}

/**
 * The portions of a range. They come in the order of the file, or else one of each piece in turn,
 * so that all servers work at once. Where the cut is striped they are stripes, in the order of the
 * file. They are made one by one, for a large file has many.
 */
export function* portionsOf(cut: Cut, range: Range, inOrder: boolean): Generator<Portion> {
  if (cut.striped) return yield* stripesIn(cut, range);
  let ofPiece = dataPieces(cut).map((piece) => chunksIn(cut, piece, range));
  if (inOrder) {
    for (const chunks of ofPiece) yield* chunks;
    return;
  }
  while (ofPiece.length > 0) {
    const turn = ofPiece.map((chunks) => ({ chunks, next: chunks.next() }));
    for (const { next } of turn) if (!next.done) yield next.value;
    ofPiece = turn.flatMap(({ chunks, next }) => (next.done ? [] : [chunks]));
  }
}

/** Bytes of a file, and where in it they begin. */
export interface Located {
  readonly data: Uint8Array;
  readonly at: number;
}

/** Those of the bytes that are in the range. */
export function within({ data, at }: Located, range: Range): Located {
  const from = Math.max(at, range.offset);
  const end = Math.max(from, range.offset + range.length);
  return { data: data.subarray(from - at, end - at), at: from };
}

/**
 * The bytes of a fetched portion that are in the range, with their offsets in the file, in its
 * order.
 */
export const bytesIn = (
  cut: Cut,
  { pieces, offset }: Portion,
  chunks: readonly Uint8Array[],
  range: Range,
): Located[] =>
  pieces.map((piece, i) => {
    const data = chunks[i] ?? new Uint8Array();
    return within({ data, at: chunkOffset(cut, piece, offset) }, range);
  });

/** The portions of one piece, a chunk each. */
function* chunksIn(cut: Cut, piece: number, range: Range): Generator<Portion> {
  const begin = chunkOffset(cut, piece, 0);
  const end = Math.min(pieceBytes(cut, piece), range.offset + range.length - begin);
  let chunk = floorTo(CHUNK_BYTES, Math.max(0, range.offset - begin));
  for (; chunk < end; chunk += CHUNK_BYTES) {
    const blocks = blocksIn(cut, piece, chunk, range);
    if (blocks) yield { pieces: [piece], ...blocks };
  }
}

/**
 * A whole stripe is one portion. Where the range begins or ends within a stripe, each chunk is a
 * portion of its own.
 */
function* stripesIn(cut: Cut, range: Range): Generator<Portion> {
  const all = dataPieces(cut);
  const stripeBytes = all.length * CHUNK_BYTES;
  let at = floorTo(stripeBytes, range.offset);
  for (; at < range.offset + range.length; at += stripeBytes) {
    const portions: (Portion & { pieces: number[] })[] = [];
    for (const piece of all) {
      const blocks = blocksIn(cut, piece, at / all.length, range);
      const last = portions.at(-1);
      if (!blocks) continue;
      if (last?.offset === blocks.offset && last.length === blocks.length) last.pieces.push(piece);
      else portions.push({ pieces: [piece], ...blocks });
    }
    yield* portions;
  }
}

/**
 * The blocks of the range in the chunk that begins at offset `chunk` of a piece; null if there are
 * none.
 */
function blocksIn(cut: Cut, piece: number, chunk: number, range: Range): Range | null {
  const begin = chunkOffset(cut, piece, chunk);
  const bytes = chunkBytes(cut, piece, chunk);
  const from = Math.max(0, range.offset - begin);
  const end = Math.min(bytes, range.offset + range.length - begin);
  if (from >= end) return null;
  const first = floorTo(BLOCK_BYTES, from);
  // At the end of a file, chunks of one stripe may differ by a byte; they still go together.
  const last = end === bytes ? CHUNK_BYTES : floorTo(BLOCK_BYTES, end + BLOCK_BYTES - 1);
  return { offset: chunk + first, length: last - first };
}

const floorTo = (step: number, value: number): number => value - (value % step);
