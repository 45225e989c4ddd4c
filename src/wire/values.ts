/**
 * Values that several messages share (README.md, "Messages"). Used by messages.ts and both ends.
 */
import {
  bool,
  bytes,
  fixed,
  list,
  optional,
  struct,
  text,
  u32,
  u8,
  unchanging,
  type Value,
} from "../bytes.ts";
import { storedName } from "../file/names.ts";
import {
  INLINE_BYTES,
  LOGIN_NONCE_BYTES,
  PIECES_MAX,
  SEALED_NAME_BYTES,
  USER_BYTES,
} from "../limits.ts";
import { idCodec } from "../membership.ts";
import { ballotCodec, refusalCodec, vidCodec } from "../version.ts";
import { VALUES_BYTES } from "../outline.ts";
export const SHORT_BYTES = 16;

/** A user's name; "" where servers know no users. */
export const user = text(USER_BYTES);
/** The server that a request is for, and the user in whose space it is. */
export const address = unchanging(struct({ cluster: idCodec, epoch: u32, sid: idCodec, user }));
export type Address = Value<typeof address>;

/**
 * A file's name, sealed or not. "" is reserved for the cluster's configuration, "." for a user's
 * key.
 */
export const name = storedName;
/** A place in the order of names, or a part of names. It need not be a name itself. */
export const nameText = text(SEALED_NAME_BYTES);
/** Whose names a list has (levels.ts). */
export const level = { prefix: nameText, delimiter: nameText };
export const root = fixed(32);
export const piece = u8;
export const pieceList = list(piece, PIECES_MAX);
export const loginNonce = fixed(LOGIN_NONCE_BYTES);

/** The pieces of one content that a server holds for a name. */
export const heldCodec = struct({
  cid: vidCodec,
  pieces: pieceList,
  /** Pieces that were found damaged: they do not count, but their bytes are still there. */
  bad: pieceList,
});
export type Held = Value<typeof heldCodec>;

/**
 * A version whose pieces came or were linked, and of which the server does not know that it was
 * chosen.
 */
export const pendingCodec = struct({
  vid: vidCodec,
  cid: vidCodec,
  /**
   * Seconds since the newest of them came, by the server's own clock; 0 while a connection is open
   * over which one came.
   */
  age: u32,
});
export type Pending = Value<typeof pendingCodec>;

export const inlinePiece = struct({ piece, root, data: bytes(INLINE_BYTES) });
export type InlinePiece = Value<typeof inlinePiece>;

/** A piece in a reply to READ, not verified: the receiver checks it. */
export const sentPiece = struct({ piece, data: bytes(INLINE_BYTES) });
export type SentPiece = Value<typeof sentPiece>;

/** What a server holds, for this name, of the content of a version. */
export const hereCodec = struct({
  held: pieceList,
  /**
   * How many pieces this server is home to and lacks, and how many it holds that have another home.
   * Only told with `everything`.
   */
  lacking: u8,
  astray: u8,
});
export type Here = Value<typeof hereCodec>;

export const listEntry = struct({
  name,
  /** The record is damaged: the server counts as down for this name. */
  damaged: bool,
  /** Are there pending versions that are neither of these? Only told with `everything`. */
  others: bool,
  /**
   * The register, as the bytes of `outlinesCodec`, or of `valuesCodec` where facts were asked for:
   * mostly all servers send the same bytes, and a client decodes them once. Empty if the record is
   * damaged.
   */
  values: bytes(VALUES_BYTES),
  /** One for each version in `values`. */
  here: list(hereCodec, 2),
});
export type ListEntry = Value<typeof listEntry>;

/**
 * Why a ballot is refused, if it is: it is lower than `prom`, or too far above both `prom` and the
 * floor of the space.
 */
export const refusal = { refused: refusalCodec, prom: ballotCodec, floor: ballotCodec };

/** The floor of a user's space; with null as the user, that of the configuration's space. */
export const userFloor = struct({ user: optional(user), floor: ballotCodec });
export type UserFloor = Value<typeof userFloor>;
