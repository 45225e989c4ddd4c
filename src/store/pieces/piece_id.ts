/** Which piece is meant, and a small piece with its bytes. Used by the store and the server. */
import { DfsError } from "../../errors.ts";
import { tableAndRoot } from "../../file/checksum.ts";
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

/** Throws DfsError("protocol") if a small piece is not what its sender says. */
export function checkSmall({ cid, piece }: PieceId, { root, data }: SmallPiece): void {
  if (Buffer.compare(tableAndRoot(cid, piece, data).root, root) === 0) return;
  throw new DfsError("protocol", `piece ${piece + 1}: what arrived is not what was sent`);
}
