/**
 * Makes the stripes of a file: a chunk of each data piece, and the parity chunks that follow from
 * them. Used by Pieces, StreamPieces and small_pieces.
 */
import { CHUNK_BYTES, CHUNKS_PER_PLACE } from "../../limits.ts";
import { codeOfCut, type Stripe } from "../../file/parity/parity.ts";
import {
  chunkBytes,
  chunkOffset,
  type Cut,
  dataPieces,
  hasParity,
  parityPieces,
  pieceBytes,
} from "../../file/split.ts";
import { inMemory, type Source } from "./source.ts";
import type { Window } from "../connect/window.ts";

/**
 * Reads the data chunks of the stripe at `offset` of its pieces, and makes the chunks of the
 * `parity` pieces. The caller releases the stripe. Throws what the source throws.
 */
async function readStripe(
  source: Pick<Source, "read">,
  cut: Cut,
  offset: number,
  parity: readonly number[],
): Promise<Stripe> {
  const stripe = codeOfCut(cut).stripe(CHUNK_BYTES);
  const longest = chunkBytes(cut, 0, offset);
  try {
    await Promise.all(
      dataPieces(cut).map(async (piece) => {
        const length = chunkBytes(cut, piece, offset);
        const chunk = stripe.pieces[piece] ?? new Uint8Array();
        chunk.fill(0, length, longest);
        if (length > 0)
          await source.read(chunk.subarray(0, length), chunkOffset(cut, piece, offset));
      }),
    );
    stripe.make(parity, dataPieces(cut), longest);
    return stripe;
  } catch (error) {
    stripe.release();
    throw error;
  }
}

/**
 * The part of each piece of a stripe that is in memory; `cut` has its size. The parts of data
 * pieces may lie in `data`. The caller releases the parts.
 */
export async function partsOf(
  data: Uint8Array,
  cut: Cut,
): Promise<{ parts: readonly Uint8Array[]; release: () => void }> {
  const all = Array.from({ length: cut.pieces }, (_, piece) => piece);
  if (!hasParity(cut)) {
    const parts = all.map((piece) => {
      const at = chunkOffset(cut, piece, 0);
      return data.subarray(at, at + pieceBytes(cut, piece));
    });
    return { parts, release: () => {} };
  }
  const stripe = await readStripe(inMemory(data), cut, 0, parityPieces(cut));
  const parts = stripe.pieces.map((buffer, piece) => buffer.subarray(0, pieceBytes(cut, piece)));
  return { parts, release: () => stripe.release() };
}

/** `readStripe`, once there is room in the window. `release` gives back the stripe and the room. */
export async function stripeInRoom(
  window: Window,
  source: Source,
  cut: Cut,
  offset: number,
  parity: readonly number[],
): Promise<{ stripe: Stripe; release: () => void }> {
  const leave = await window.enter(Math.ceil(cut.pieces / CHUNKS_PER_PLACE));
  try {
    const stripe = await readStripe(source, cut, offset, parity);
    const release = (): void => {
      stripe.release();
      leave();
    };
    return { stripe, release };
  } catch (error) {
    leave();
    throw error;
  }
}
