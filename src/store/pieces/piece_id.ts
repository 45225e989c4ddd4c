/** Which piece is meant, and a small piece with its bytes. Used by the store and the server. */
import type { StoredName } from "../../file/names.ts";
import type { Vid } from "../../version.ts";

/** Which piece, and in whose space. */
export interface PieceId {
  readonly space: string;
  readonly name: StoredName;
  readonly vid: Vid;
  readonly piece: number;
}

/** A whole piece as it comes with a PREPARE. */
export interface SmallPiece {
  readonly piece: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array;
}
