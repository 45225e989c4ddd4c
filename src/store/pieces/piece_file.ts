/**
 * A piece as a file (README.md): its bytes, then its table of block sums, then a footer that says what it is.
 * So the bytes of a piece begin at 0, and a lost catalog can be read back from the files.
 */
import {
  concat,
  decode,
  encode,
  fixed,
  struct,
  text,
  u32,
  u53,
  u8,
  type Value,
} from "../../bytes.ts";
import { unfilled } from "../../cursor.ts";
import { DfsError } from "../../errors.ts";
import { ROOT_BYTES, SUM_BYTES, tableBytes, verifies } from "../../file/checksum.ts";
import type { OpenFile } from "../../io/ports.ts";
import { BLOCK_BYTES, SEALED_NAME_BYTES } from "../../limits.ts";
import { vidCodec } from "../../version.ts";

const footerCodec = struct({
  space: text(300),
  name: text(SEALED_NAME_BYTES),
  vid: vidCodec,
  piece: u8,
  bytes: u53,
  root: fixed(ROOT_BYTES),
});
/** What a piece is. */
export type PieceFooter = Value<typeof footerCodec>;

const MAGIC = new TextEncoder().encode("dfs piece 1\n");
const FOOTER_MAX = SEALED_NAME_BYTES + 1024;
/** After the footer: its sum, its length, the magic. */
const endCodec = struct({ sum: fixed(8), length: u32, magic: fixed(MAGIC.length) });
const END_BYTES = 8 + 4 + MAGIC.length;

/** What follows a piece's bytes in its file. */
export function tailOf(footer: PieceFooter, table: Uint8Array): Uint8Array {
  const body = encode(footerCodec, footer);
  const end = encode(endCodec, { sum: sumOf(body), length: body.length, magic: MAGIC });
  return concat([table, body, end]);
}

/** Reads a piece file's footer; throws DfsError("badPiece") when it is none, or not a whole one. */
export async function readFooter(file: OpenFile, fileBytes: number): Promise<PieceFooter> {
  const tail = new Uint8Array(Math.min(fileBytes, END_BYTES + FOOTER_MAX));
  const got = await file.read(tail, fileBytes - tail.length);
  try {
    const end = decode(endCodec, tail.subarray(got - END_BYTES, got));
    const { length } = end;
    const body = tail.subarray(got - END_BYTES - length, got - END_BYTES);
    const footer = decode(footerCodec, body);
    const whole = fileBytes === footer.bytes + tableBytes(footer.bytes) + length + END_BYTES;
    if (
      whole &&
      Buffer.compare(sumOf(body), end.sum) === 0 &&
      Buffer.compare(end.magic, MAGIC) === 0
    )
      return footer;
  } catch {
    // Falls through to the one error below.
  }
  throw new DfsError("badPiece", "the piece's file is damaged");
}

/** Reads `length` bytes of a piece's table from `offset` in it; throws DfsError("badPiece") when they are not there. */
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
 * Reads the blocks of `length` bytes from `offset` (a multiple of the block size) and checks each;
 * throws DfsError("badPiece") when one does not verify.
 */
export async function readBlocks(
  file: OpenFile,
  id: { vid: string; piece: number; bytes: number },
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
  if (!whole || !verifies(id.vid, id.piece, first, data, sums))
    throw new DfsError(
      "badPiece",
      `piece ${id.piece + 1} of version ${id.vid} is damaged on this server`,
    );
  return data;
}

function sumOf(body: Uint8Array): Uint8Array {
  const sum = new Uint8Array(8);
  new DataView(sum.buffer).setBigUint64(0, Bun.hash.xxHash3(body));
  return sum;
}
