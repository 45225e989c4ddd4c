/**
 * The roots of the pieces of one new content, made as the pieces are read. They show when a source
 * changes while it is read. Used by Pieces.
 */
import { DfsError } from "../../errors.ts";
import { blockCount, RunningRoot, sumsOf } from "../../file/checksum.ts";
import type { Cid } from "../../version.ts";

export class PieceRoots {
  readonly #cid: Cid;
  /** The root of each piece, as far as it is known. */
  readonly known: (Uint8Array | undefined)[] = [];

  constructor(cid: Cid) {
    this.#cid = cid;
  }

  /**
   * Begins to read a piece of `size` bytes, from its first byte on. The returned function takes its
   * bytes in their order, whole blocks but at the end, and returns the root once all are there;
   * null before. It throws DfsError("putFailed") where the piece had another root before.
   */
  reading(piece: number, size: number): (data: Uint8Array) => Uint8Array | null {
    const root = new RunningRoot(this.#cid, piece, size);
    let offset = 0;
    return (data) => {
      root.add(sumsOf(this.#cid, piece, blockCount(offset), data));
      offset += data.length;
      return offset === size ? this.#settle(piece, root.end()) : null;
    };
  }

  #settle(piece: number, root: Uint8Array): Uint8Array {
    const known = this.known[piece];
    if (known && Buffer.compare(known, root) !== 0)
      throw new DfsError("putFailed", "the file changed while it was read");
    this.known[piece] = root;
    return root;
  }
}
