/** What messages are made of: values that several of them have (README.md, "Messages"). */
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
import {
  INLINE_BYTES,
  LOGIN_NONCE_BYTES,
  PIECES_MAX,
  SEALED_NAME_BYTES,
  USER_BYTES,
} from "../limits.ts";
import { idCodec } from "../membership.ts";
import { ballotCodec, OUTLINES_BYTES, refusalCodec, vidCodec } from "../version.ts";
export const SHORT_BYTES = 16;

/** A user's name; the empty one is nobody's, where servers know no users. */
export const user = text(USER_BYTES);
/** Whom a request is for, and in whose space it is. */
export const address = unchanging(struct({ cluster: idCodec, epoch: u32, sid: idCodec, user }));
export type Address = Value<typeof address>;

/** A file's name, sealed or not; "" is the reserved name of the cluster's own configuration, "." that of a user's key. */
export const name = text(SEALED_NAME_BYTES);
export const root = fixed(32);
export const piece = u8;
export const pieceList = list(piece, PIECES_MAX);
export const loginNonce = fixed(LOGIN_NONCE_BYTES);

/** The pieces of one version that a server holds. */
export const heldCodec = struct({
  vid: vidCodec,
  pieces: pieceList,
  /** Pieces that were found damaged: their bytes are worth nothing, and still there. */
  bad: pieceList,
  /** Seconds since the last of them came, by the server's own clock; 0 while a connection is open over which one came. */
  age: u32,
});
export type Held = Value<typeof heldCodec>;

export const inlinePiece = struct({ piece, root, data: bytes(INLINE_BYTES) });
export type InlinePiece = Value<typeof inlinePiece>;

/** A piece that is told of and checked by who gets it. */
export const sentPiece = struct({ piece, data: bytes(INLINE_BYTES) });
export type SentPiece = Value<typeof sentPiece>;

/** What a server has of a version itself. */
export const hereCodec = struct({
  held: pieceList,
  /** How many pieces this server is home to and lacks, and how many it holds that are at home elsewhere. Told only where everything is asked for. */
  lacking: u8,
  astray: u8,
});
export type Here = Value<typeof hereCodec>;

export const listEntry = struct({
  name,
  /** The server cannot tell, and counts as down for this name. */
  damaged: bool,
  /** Does the server hold pieces of yet other versions? Told only where everything is asked for. */
  others: bool,
  /** What its register says, of `outlinesCodec`: in bytes, for mostly all servers say the same. Nothing where it is damaged. */
  outlines: bytes(OUTLINES_BYTES),
  /** For each version in them. */
  here: list(hereCodec, 2),
});
export type ListEntry = Value<typeof listEntry>;

/** Why a ballot is refused, if it is: it is lower than `prom`, or too far above it and the floor of the space. */
export const refusal = { refused: refusalCodec, prom: ballotCodec, floor: ballotCodec };

/** The floor of a user's space; of the one of the configuration where it is nobody's. */
export const userFloor = struct({ user: optional(user), floor: ballotCodec });
export type UserFloor = Value<typeof userFloor>;
