/**
 * The format of a piece's file (README.md): the bytes of the piece, its table of block sums, and a
 * footer that says which piece it is. So the bytes of a piece begin at 0, and a lost row of the
 * catalog can be made anew from the file. Used by upload.ts, pieces.ts and recover.ts.
 */
import {
  concat,
  decode,
  encode,
  fixed,
  struct,
  text,
  u16,
  u32,
  u53,
  u8,
  type Value,
} from "../../bytes.ts";
import { unfilled } from "../../cursor.ts";
import { DfsError } from "../../errors.ts";
import { hashSlotOf } from "../../file/hash_slot.ts";
import { ROOT_BYTES, SUM_BYTES, tableBytes, verifies } from "../../file/checksum.ts";
import { storedName, type StoredName } from "../../file/names.ts";
import type { OpenFile } from "../../io/ports.ts";
import { BLOCK_BYTES, SEALED_NAME_BYTES } from "../../limits.ts";
import { type Cid, vidCodec } from "../../version.ts";

const SPACE_BYTES = 300;

const footerCodec = struct({
  space: text(SPACE_BYTES),
  /** The hash slot of the name under which the content was first written. */
  slot: u16,
  cid: vidCodec,
  piece: u8,
  bytes: u53,
  root: fixed(ROOT_BYTES),
});
/** Which piece a file holds. */
export type PieceFooter = Value<typeof footerCodec>;

/** A footer of the format before: it has the name, and the vid of a version that is its content. */
const oldFooterCodec = struct({
  space: text(SPACE_BYTES),
  name: storedName,
  cid: vidCodec,
  piece: u8,
  bytes: u53,
  root: fixed(ROOT_BYTES),
});

const MAGIC = new TextEncoder().encode("dfs piece 2\n");
const OLD_MAGIC = new TextEncoder().encode("dfs piece 1\n");
const FOOTER_MAX = SEALED_NAME_BYTES + 1024;
/** What follows the footer: its sum, its length, the magic. */
const endCodec = struct({ sum: fixed(8), length: u32, magic: fixed(MAGIC.length) });
const END_BYTES = 8 + 4 + MAGIC.length;

/**
 * What the file of a piece says: also the name that the piece was written for, if it is an old one.
 */
export type FoundFooter = PieceFooter & { readonly name: StoredName | null };

function footerIn(body: Uint8Array, magic: Uint8Array): FoundFooter {
  if (Buffer.compare(magic, OLD_MAGIC) !== 0) return { ...decode(footerCodec, body), name: null };
  const old = decode(oldFooterCodec, body);
  return { ...old, slot: hashSlotOf(old.space, old.name) };
}

/** What follows a piece's bytes in its file. */
export function tailOf(footer: PieceFooter, table: Uint8Array): Uint8Array {
  const body = encode(footerCodec, footer);
  const end = encode(endCodec, { sum: sumOf(body), length: body.length, magic: MAGIC });
  return concat([table, body, end]);
}

/**
 * Reads the footer of a piece's file. Throws DfsError("badPiece") if there is no footer, or only
 * part of one.
 */
export async function readFooter(file: OpenFile, fileBytes: number): Promise<FoundFooter> {
  const tail = new Uint8Array(Math.min(fileBytes, END_BYTES + FOOTER_MAX));
  const got = await file.read(tail, fileBytes - tail.length);
  try {
    const end = decode(endCodec, tail.subarray(got - END_BYTES, got));
    const { length } = end;
    const body = tail.subarray(got - END_BYTES - length, got - END_BYTES);
    const footer = footerIn(body, end.magic);
    const whole = fileBytes === footer.bytes + tableBytes(footer.bytes) + length + END_BYTES;
    if (
      whole &&
      Buffer.compare(sumOf(body), end.sum) === 0 &&
      [MAGIC, OLD_MAGIC].some((magic) => Buffer.compare(end.magic, magic) === 0)
    )
      return footer;
  } catch {
    // The one error below covers this too.
  }
  throw new DfsError("badPiece", "the piece's file is damaged");
}

/**
 * Reads `length` bytes of a piece's table, from `offset` in it. Throws DfsError("badPiece") if the
 * file is too short.
 */
export async function readSums(
  file: OpenFile,
  id: { bytes: number },
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const sums = new Uint8Array(length);
  if ((await file.read(sums, id.bytes + offset)) !== length)
    throw new DfsError("badPiece", "the piece's file is cut off");
  return sums;
}

/**
 * Reads the blocks in the `length` bytes from `offset`, a multiple of the block size, and checks
 * each. Throws DfsError("badPiece") if one does not verify.
 */
export async function readBlocks(
  file: OpenFile,
  id: { cid: Cid; piece: number; bytes: number },
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const data = unfilled(length);
  const first = offset / BLOCK_BYTES;
  const sums = new Uint8Array(tableBytes(length));
  const [gotData, gotSums] = await Promise.all([
    file.read(data, offset),
    file.read(sums, id.bytes + first * SUM_BYTES),
  ]);
  const whole = gotData === length && gotSums === sums.length;
  if (!whole || !verifies(id.cid, id.piece, first, data, sums)) throw damagedPiece(id);
  return data;
}

/** The error of a piece that does not verify. */
export const damagedPiece = ({ cid, piece }: { cid: Cid; piece: number }): DfsError =>
  new DfsError("badPiece", `piece ${piece + 1} of content ${cid} is damaged on this server`);

function sumOf(body: Uint8Array): Uint8Array {
  const sum = new Uint8Array(8);
  new DataView(sum.buffer).setBigUint64(0, Bun.hash.xxHash3(body));
  return sum;
}
