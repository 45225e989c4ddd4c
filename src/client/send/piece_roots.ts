/**
 * The roots of the pieces of one new content. They show when a source changes while it is read.
 * Used by Pieces.
 */
import { DfsError } from "../../errors.ts";
import { rootOf } from "../../file/checksum.ts";
import type { Cid } from "../../version.ts";

export class PieceRoots {
  readonly #cid: Cid;
  /** The root of each piece, as far as it is known. */
  readonly known: (Uint8Array | undefined)[] = [];

  constructor(cid: Cid) {
    this.#cid = cid;
  }

  /**
   * The root of a piece of `size` bytes with this table of block sums. Throws DfsError("putFailed")
   * where the piece had another root before.
   */
  settle(piece: number, size: number, table: Uint8Array): Uint8Array {
    const root = rootOf(this.#cid, piece, size, table);
    const known = this.known[piece];
    if (known && Buffer.compare(known, root) !== 0)
      throw new DfsError("putFailed", "the file changed while it was read");
    this.known[piece] = root;
    return root;
  }
}
