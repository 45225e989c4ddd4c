/** What a piece of a stored file consists of. */
import { concat } from "../../src/bytes.ts";
import { codeOfCut } from "../../src/file/parity/parity.ts";
import { chunkBytes, chunkOffset, type Cut, dataPieces, pieceBytes } from "../../src/file/split.ts";
import { CHUNK_BYTES } from "../../src/limits.ts";

/** The bytes of a piece (from 0) of a file with this content. */
export function pieceOf(content: Uint8Array, cut: Cut, piece: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (let offset = 0; offset < pieceBytes(cut, piece); offset += CHUNK_BYTES)
    chunks.push(
      piece < cut.needed
        ? dataChunk(content, cut, piece, offset)
        : parityChunk(content, cut, piece, offset),
    );
  return concat(chunks);
}

function dataChunk(content: Uint8Array, cut: Cut, piece: number, offset: number): Uint8Array {
  const begin = chunkOffset(cut, piece, offset);
  return content.subarray(begin, begin + chunkBytes(cut, piece, offset));
}

function parityChunk(content: Uint8Array, cut: Cut, piece: number, offset: number): Uint8Array {
  const length = chunkBytes(cut, piece, offset);
  const stripe = codeOfCut(cut).stripe(CHUNK_BYTES);
  for (const data of dataPieces(cut)) {
    stripe.pieces[data]?.fill(0, 0, length);
    stripe.pieces[data]?.set(dataChunk(content, cut, data, offset));
  }
  stripe.make([piece], dataPieces(cut), length);
  const made = stripe.pieces[piece]?.slice(0, length) ?? new Uint8Array();
  stripe.release();
  return made;
}
