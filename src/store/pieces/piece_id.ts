/** Which piece is meant, and a small piece with its bytes. Used by the store and the server. */
import type { Cid, Vid } from "../../version.ts";
import type { StoredName } from "../../file/names.ts";

/** Which piece of which content, and in whose space. */
export interface PieceId {
  readonly space: string;
  readonly cid: Cid;
  readonly piece: number;
}

/** A piece that comes, and the name and the version that it comes for. */
export interface Arrival extends PieceId {
  readonly name: StoredName;
  readonly vid: Vid;
}

/** A whole piece as it comes with a PREPARE. */
export interface SmallPiece {
  readonly piece: number;
  readonly root: Uint8Array;
  readonly data: Uint8Array;
}
