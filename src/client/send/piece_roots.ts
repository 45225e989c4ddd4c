/** The roots of one new version's pieces, each worked out once: a source that changes while it is read is found out by them. Used by Pieces. */
import { DfsError } from "../../errors.ts";
import { rootOf } from "../../file/checksum.ts";
import type { Vid } from "../../version.ts";

export class PieceRoots {
  readonly #vid: Vid;
  /** By piece; those that are known by now. */
  readonly known: (Uint8Array | undefined)[] = [];

  constructor(vid: Vid) {
    this.#vid = vid;
  }

  /** The root of a piece of `size` bytes with this table of block sums. Throws DfsError("putFailed") where it was another one before. */
  settle(piece: number, size: number, table: Uint8Array): Uint8Array {
    const root = rootOf(this.#vid, piece, size, table);
    const known = this.known[piece];
    if (known && Buffer.compare(known, root) !== 0)
      throw new DfsError("putFailed", "the file changed while it was read");
    this.known[piece] = root;
    return root;
  }
}
