/** Makes the pieces of a small file, which is read and cut in one go. Used by Pieces. */
import { tableAndRoot } from "../../file/checksum.ts";
import { chunkOffset, type Cut, hasParity, parityPieces, pieceBytes } from "../../file/split.ts";
import type { Cid } from "../../version.ts";
import type { InlinePiece } from "../../wire/values.ts";
import type { Source } from "./source.ts";
import { readStripe } from "./stripes.ts";

/**
 * All pieces of a source, with their roots. No piece may be longer than a chunk. Throws what the
 * source throws.
 */
export async function smallPieces(source: Source, cut: Cut, cid: Cid): Promise<InlinePiece[]> {
  const all = await (hasParity(cut) ? stripeOf(source, cut) : partsOf(source, cut));
  return all.map((data, piece) => ({ piece, root: tableAndRoot(cid, piece, data).root, data }));
}

async function partsOf(source: Source, cut: Cut): Promise<Uint8Array[]> {
  const whole = new Uint8Array(cut.size);
  if (whole.length > 0) await source.read(whole, 0);
  return Array.from({ length: cut.pieces }, (_, piece) => {
    const at = chunkOffset(cut, piece, 0);
    return whole.subarray(at, at + pieceBytes(cut, piece));
  });
}

async function stripeOf(source: Source, cut: Cut): Promise<Uint8Array[]> {
  const stripe = await readStripe(source, cut, 0, parityPieces(cut));
  const all = Array.from({ length: cut.pieces }, (_, piece) =>
    (stripe.pieces[piece] ?? new Uint8Array()).slice(0, pieceBytes(cut, piece)),
  );
  stripe.release();
  return all;
}
