/**
 * The messages about the bytes of contents, piece by piece. Pieces are the same at any epoch. Used
 * by messages.ts.
 */
import { bool, bytes, type Codec, optional, struct, u32, u53 } from "../bytes.ts";
import { CHUNK_BYTES } from "../limits.ts";
import { vidCodec } from "../version.ts";
import { address, name, piece, pieceList, root } from "./values.ts";

/** A kind of message: its number, for ever, its request and its reply. */
export const message = <Q, A>(number: number, request: Codec<Q>, reply: Codec<A>) => ({
  number,
  request,
  reply,
});
export const nothing = struct({});

export const PIECE_MESSAGES = {
  upload: message(
    4,
    struct({
      to: address,
      name,
      /** The version that the piece is for, and its content. */
      vid: vidCodec,
      cid: vidCodec,
      piece,
      /** The bytes of the piece. Of a stream only the portion with the root knows them. */
      size: optional(u53),
      offset: u53,
      /** Only with the last portion, which may have no bytes. */
      root: optional(root),
      data: bytes(CHUNK_BYTES),
    }),
    nothing,
  ),
  drop: message(10, struct({ to: address, name, cid: vidCodec, piece }), struct({ ok: bool })),
  fetch: message(
    11,
    struct({
      to: address,
      cid: vidCodec,
      piece,
      offset: u53,
      length: u32,
    }),
    struct({ data: bytes(CHUNK_BYTES) }),
  ),
  /** Bytes of a piece's table of block sums. */
  sums: message(
    13,
    struct({ to: address, cid: vidCodec, piece, offset: u53, length: u32 }),
    struct({ data: bytes(CHUNK_BYTES) }),
  ),
  /** The server reads back this part of a piece, in whole blocks, and says that it verifies. */
  verify: message(
    14,
    struct({ to: address, cid: vidCodec, piece, offset: u53, length: u32 }),
    nothing,
  ),
  /**
   * Makes the name hold what the server has of this content, for a version that may come. The reply
   * says which pieces that is.
   */
  link: message(
    23,
    struct({ to: address, name, vid: vidCodec, cid: vidCodec }),
    struct({ held: pieceList }),
  ),
  /**
   * A reader goes on with this content, which may have been replaced: it stays for some minutes
   * more. The reply says whether any of it is here.
   */
  renew: message(24, struct({ to: address, cid: vidCodec }), struct({ ok: bool })),
} as const;
