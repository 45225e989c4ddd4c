/**
 * Every message: its number, its request, its reply (docs/consistency.md section 2). README.md says
 * what each does. A message with an address is for one server of one cluster at one epoch; any
 * other server refuses it. Used by both ends.
 */
import { bool, fixed, list, optional, struct, text, u16, u32, u53, type Value } from "../bytes.ts";
import {
  FLOORS_PAGE,
  LIST_PAGE,
  PIECES_MAX,
  SLOTS_MAX,
  USERS_PAGE,
  VIDS_PER_NAME_MAX,
} from "../limits.ts";
import { knownLivesCodec, lifeCodec, newLifeCodec } from "../life.ts";
import { configCodec, idCodec } from "../membership.ts";
import {
  acceptedCodec,
  ballotCodec,
  cidCodec,
  refusalCodec,
  registerCodec,
  versionCodec,
  vidCodec,
} from "../version.ts";
import { message, nothing, PIECE_MESSAGES } from "./piece_messages.ts";
import { SIGNATURE_BYTES } from "./signature.ts";
import {
  SHORT_BYTES,
  user,
  address,
  level,
  name,
  nameText,
  pieceList,
  loginNonce,
  heldCodec,
  pendingCodec,
  inlinePiece,
  sentPiece,
  listEntry,
  refusal,
  userFloor,
} from "./values.ts";

export const MESSAGES = {
  ...PIECE_MESSAGES,
  /** The first request of a connection; or, to a server with users, the first after the login. */
  hello: message(
    1,
    /** `user` is not used any more: it is from the time before logins. */
    struct({ magic: u32, version: u16, user: text(255) }),
    struct({
      version: u16,
      release: text(64),
      sid: idCodec,
      cluster: optional(idCodec),
      floor: ballotCodec,
      /** The configuration in force at this server; null before it was told any. */
      config: optional(configCodec),
      /** The server's register of configurations. */
      register: registerCodec,
      /** The server's present life, and the lives that it knows of others. */
      now: lifeCodec,
      known: knownLivesCodec,
      /**
       * Does it run on a copy of its folder? A copy counts only once enough others know this life.
       */
      isUnsettled: bool,
      /** The id that its folder had before, if it has a new one. */
      was: optional(idCodec),
    }),
  ),
  /** A blank server joins a cluster, for ever. */
  init: message(2, struct({ sid: idCodec, cluster: idCodec }), nothing),
  read: message(
    3,
    /**
     * `asked`: the slots of all servers that the client asks, if it wants small pieces too; else
     * none.
     */
    struct({ to: address, name, asked: list(u16, SLOTS_MAX) }),
    struct({
      floor: ballotCodec,
      register: registerCodec,
      /** What the server holds for this name of each content, and its pending versions. */
      held: list(heldCodec, VIDS_PER_NAME_MAX),
      pending: list(pendingCodec, VIDS_PER_NAME_MAX),
      /** Small pieces of the newest version. */
      pieces: list(sentPiece, PIECES_MAX),
    }),
  ),
  prepare: message(
    5,
    struct({
      to: address,
      name,
      ballot: ballotCodec,
      vid: vidCodec,
      /**
       * The content of the version, of which the server links what it has; null where the version
       * has none, or takes over that of its parent.
       */
      link: cidCodec,
      /** Small pieces of that content. */
      inline: list(inlinePiece, PIECES_MAX),
    }),
    /** `held`: the pieces of that content that the server holds for this name. */
    struct({
      ok: bool,
      refused: refusalCodec,
      floor: ballotCodec,
      register: registerCodec,
      held: pieceList,
    }),
  ),
  accept: message(
    6,
    struct({ to: address, name, ballot: ballotCodec, version: versionCodec }),
    struct({ ok: bool, ...refusal }),
  ),
  commit: message(
    7,
    struct({ to: address, name, accepted: acceptedCodec, sync: bool }),
    struct({ ignored: bool, ...refusal }),
  ),
  forget: message(8, struct({ to: address, name, ballot: ballotCodec }), struct({ ok: bool })),
  collect: message(
    9,
    /** `spare`: some version that the client knows of the name has the content of this one. */
    struct({ to: address, name, vid: vidCodec, ballot: ballotCodec, spare: bool }),
    struct({ ok: bool }),
  ),
  list: message(
    12,
    /** With `everything`, also names of which there are only pending versions. */
    struct({ to: address, after: nameText, ...level, limit: u16, facts: bool, everything: bool }),
    /** Unless `complete`, a missing name is not absent: the catalog is damaged somewhere. */
    struct({ complete: bool, entries: list(listEntry, LIST_PAGE), done: bool }),
  ),
  /**
   * The state of the server. `free`: the bytes that pieces may still take. `short`: what the disk
   * has too little of for more pieces ("bytes", "inodes"; "" if nothing). `oldest`: seconds since
   * the piece was read back that was so longest ago. `unreadFor`: seconds since the first of the
   * pieces came that were never read back. `disk`: the same for all servers on one disk.
   */
  status: message(
    15,
    struct({ to: address }),
    struct({
      free: optional(u53),
      total: optional(u53),
      short: text(SHORT_BYTES),
      pieces: u53,
      bad: u53,
      unread: u53,
      oldest: optional(u53),
      unreadFor: optional(u53),
      disk: text(SHORT_BYTES),
    }),
  ),
  /**
   * Puts a chosen configuration in force, unless the server knows a newer one. The server's floors
   * rise to these.
   */
  install: message(
    16,
    struct({
      cluster: idCodec,
      sid: idCodec,
      config: configCodec,
      /** The floor of every space. */
      floor: ballotCodec,
      floors: list(userFloor, FLOORS_PAGE),
    }),
    nothing,
  ),
  /**
   * Begins a user's login (login.ts): the client sends its user and a nonce, the server replies
   * with its own nonce and id; with null if it knows no users.
   */
  login: message(
    17,
    struct({ magic: u32, version: u16, user, nonce: loginNonce }),
    struct({ challenge: optional(struct({ nonce: loginNonce, sid: idCodec })) }),
  ),
  /** The client's proof; the reply is the server's, and whether the user is an operator. */
  proof: message(
    18,
    struct({ signature: fixed(SIGNATURE_BYTES), scram: optional(fixed(32)) }),
    struct({ proof: fixed(32), isOperator: bool }),
  ),
  /**
   * The users that have names or pending versions, in byte order, after `after`; with null, from
   * the first one.
   */
  spaces: message(
    19,
    struct({ to: address, after: optional(user) }),
    struct({ users: list(user, USERS_PAGE), done: bool }),
  ),
  /** Replaces the verifier of the user. */
  passwd: message(20, struct({ publicKey: fixed(32), serverKey: fixed(32) }), nothing),
  /**
   * Which of the lives in `areYours` are lives of this server? An operator also tells it the
   * present lives of others, and whether enough others know its own life (`isSettled`), so that it
   * counts although it runs on a copy.
   */
  lives: message(
    21,
    struct({
      cluster: idCodec,
      sid: idCodec,
      areYours: list(lifeCodec, SLOTS_MAX),
      tell: list(newLifeCodec, SLOTS_MAX),
      isSettled: bool,
    }),
    struct({ areYours: list(bool, SLOTS_MAX), known: knownLivesCodec, isUnsettled: bool }),
  ),
  /**
   * The floor that counts in every space, and the spaces that have a higher one of their own: those
   * after `after`; with null, from the first one.
   */
  floors: message(
    22,
    struct({ to: address, after: optional(user) }),
    struct({ everywhere: ballotCodec, floors: list(userFloor, FLOORS_PAGE), done: bool }),
  ),
} as const;

type Messages = typeof MESSAGES;
export type Kind = keyof Messages;
export type RequestOf<K extends Kind> = Value<Messages[K]["request"]>;
export type ReplyOf<K extends Kind> = Value<Messages[K]["reply"]>;

/** The kinds whose requests carry an address. */
export type AddressedKind = Exclude<
  Kind,
  "hello" | "login" | "proof" | "passwd" | "init" | "install" | "lives"
>;
/** A request without its address: a workflow makes it before the server is chosen. */
export type BodyOf<K extends AddressedKind> = Omit<RequestOf<K>, "to">;

const KIND_OF_NUMBER = new Map<number, Kind>(
  (Object.keys(MESSAGES) as Kind[]).map((kind) => [MESSAGES[kind].number, kind]),
);

/** The kind with this number on the wire, if there is one. */
export const kindOfNumber = (number: number): Kind | undefined => KIND_OF_NUMBER.get(number);
