/** Makes the pieces of a small file, which is read and cut in one go. Used by Pieces. */
import { tableAndRoot } from "../../file/checksum.ts";
import type { Cut } from "../../file/split.ts";
import type { Cid } from "../../version.ts";
import type { InlinePiece } from "../../wire/values.ts";
import type { Source } from "./source.ts";
import { partsOf } from "./stripes.ts";

/**
 * All pieces of a source, with their roots. No piece may be longer than a chunk. Throws what the
 * source throws.
 */
export async function smallPieces(source: Source, cut: Cut, cid: Cid): Promise<InlinePiece[]> {
  const whole = new Uint8Array(cut.size);
  if (whole.length > 0) await source.read(whole, 0);
  const { parts, release } = await partsOf(whole, cut);
  const pieces = parts.map((part, piece) => {
    const data = part.slice();
    return { piece, root: tableAndRoot(cid, piece, data).root, data };
  });
  release();
  return pieces;
}
