/**
 * What a register holds: ballots and versions (docs/consistency.md section 1). Pure values, shared
 * by wire, store and client.
 */
import {
  bool,
  bytes,
  type Codec,
  hex,
  list,
  oneOf,
  optional,
  struct,
  u128,
  u16,
  u32,
  u53,
  u8,
  unchanging,
  type Value,
} from "./bytes.ts";
import { DfsError } from "./errors.ts";
import { BALLOT_STEP, HISTORY_LENGTH, MANIFEST_BYTES, PIECES_MAX, SEQ_MAX } from "./limits.ts";

/**
 * (n, c) as one number of 128 bits: n, the round, in the upper half; c, random and not 0, in the
 * lower half. Ballots are compared as numbers.
 */
export type Ballot = bigint;
export const NO_BALLOT: Ballot = 0n;
/**
 * No server grants a ballot above this one. Ballots rise only in bounded steps, and it takes more
 * steps to get here than anybody can make.
 */
export const BALLOT_MAX: Ballot = 1n << 127n;
export const ballotCodec: Codec<Ballot> = u128;

/** A ballot above all in `seen`. `random` has eight random bytes. */
export function ballotAbove(seen: readonly Ballot[], random: Uint8Array): Ballot {
  const c = new DataView(random.buffer, random.byteOffset, 8).getBigUint64(0) | 1n;
  return (((highest(seen) >> 64n) + 1n) << 64n) | c;
}

/** The round of a ballot: its n. */
export const roundOf = (ballot: Ballot): bigint => ballot >> 64n;

/**
 * The bound: the highest round that a server grants, given the ballots that it has promised in a
 * name, and the floor of the name's space. It is a ballot with c = 0, which nobody proposes at.
 */
export const boundOf = (...known: Ballot[]): Ballot => stepsAbove(highest(known), 1);

/**
 * The ballot that servers which have promised `promised` can be brought to in so many steps. Each
 * step goes to the bound of the ballot before.
 */
export const stepsAbove = (promised: Ballot, steps: number): Ballot =>
  (roundOf(promised) + BigInt(steps * BALLOT_STEP)) << 64n;

/**
 * Why a server refuses a ballot: it has promised a higher one ("low"), or the ballot is above the
 * bound ("high").
 */
export type Refusal = "low" | "high";
export const refusalCodec: Codec<Refusal | null> = optional(oneOf<Refusal>("low", "high"));

/** The highest of these ballots; NO_BALLOT when there are none. */
export const highest = (ballots: readonly Ballot[]): Ballot =>
  ballots.reduce((a, b) => (b > a ? b : a), NO_BALLOT);

/** The random id of a version: sixteen bytes as 32 hexadecimal digits. */
export type Vid = string;
export const vidCodec: Codec<Vid> = hex(16);

/**
 * The id of a content: the vid of the version under which its bytes were first written. A copy, or
 * a version with other attributes, has the same content.
 */
export type Cid = string;
export const NO_CONTENT = "0".repeat(32);
/** The id of a content, or null for "no content". Null is written as sixteen zeros. */
export const cidCodec: Codec<Cid | null> = {
  write: (w, cid) => vidCodec.write(w, cid ?? NO_CONTENT),
  read(r) {
    const cid = vidCodec.read(r);
    return cid === NO_CONTENT ? null : cid;
  },
};

const ancestorCodec = struct({
  vid: vidCodec,
  cid: cidCodec,
  /** When it was put, and for how many seconds it is kept once it is replaced (0: not at all). */
  put: u53,
  keep: u32,
});
/** What a version tells of one of its ancestors. */
export type Ancestor = Value<typeof ancestorCodec>;
/** The bytes of an ancestor. */
export const ANCESTOR_BYTES = 16 + 16 + 8 + 4;

/** Fields of a version that never change, wherever the version lies. */
export const fixedFields = {
  vid: vidCodec,
  /** The parent's seq plus one; 1 without a parent. */
  seq: u53,
  /** Its last ancestors, newest first: history[0] is the parent. */
  history: list(ancestorCodec, HISTORY_LENGTH),
  /** The parent's; without one, the floor that the promises it was built on vouch for. */
  birthFloor: ballotCodec,
  /**
   * When it was put, in milliseconds since 1970. It is later than that of every version before,
   * even where the clock of its client is not. 0: it was put before versions had a time.
   */
  put: u53,
  /** The longest `keep` that any version of this life was given. */
  keepMax: u32,
  deleted: bool,
  /** Its content; null where it has no pieces. */
  cid: cidCodec,
  /** How many pieces there are, and how many different ones it takes to rebuild the file. */
  pieces: u8,
  needed: u8,
  /** How many homes a piece has: 2 for pairs (1 on one server), 1 for Reed-Solomon. */
  copies: u8,
  /** Are its pieces cut by stripes? With parity they are; pairs, only where a stream was put. */
  striped: bool,
} as const;

/**
 * One immutable state of a name. The fields that servers need are in the open. The `body` is for
 * clients only; servers just keep it.
 */
export const versionCodec = unchanging(
  struct({
    ...fixedFields,
    /** The slots that its pieces lie on, one for each piece. The first slot is the rotation. */
    ring: list(u16, PIECES_MAX),
    /** Where pieces lie that their servers in the ring could not take. */
    at: list(struct({ piece: u8, slot: u16 }), PIECES_MAX),
    /** Bytes of the file. */
    size: u53,
    body: bytes(MANIFEST_BYTES),
  }),
);
export type Version = Value<typeof versionCodec>;

/** A version as it was accepted or committed at a ballot. */
export const acceptedCodec = struct({ ballot: ballotCodec, version: versionCodec });
export type Accepted = Value<typeof acceptedCodec>;

/** The value that was accepted last, and the value known to be chosen, each at its ballot. */
export interface Pair<T> {
  readonly acc: T | null;
  readonly com: T | null;
}

/**
 * One ballot has one value. Mostly the committed value is the accepted one, which is then written
 * only once.
 */
export function pairCodec<T extends { readonly ballot: Ballot }>(item: Codec<T>): Codec<Pair<T>> {
  const value = optional(item);
  return {
    write(w, { acc, com }) {
      value.write(w, acc);
      const same = com !== null && com.ballot === acc?.ballot;
      bool.write(w, same);
      if (!same) value.write(w, com);
    },
    read(r) {
      const acc = value.read(r);
      const same = bool.read(r);
      if (same && acc === null)
        throw new DfsError(
          "protocol",
          "malformed data: nothing is committed as the same as nothing",
        );
      return { acc, com: same ? acc : value.read(r) };
    },
  };
}

/** The values of a register, whole: what a list with facts has of it. */
export const valuesCodec = pairCodec(acceptedCodec);

/** One server's register of one name. An absent row is { prom: floor, acc: null, com: null }. */
export const registerCodec: Codec<{ readonly prom: Ballot } & Pair<Accepted>> = {
  write(w, { prom, acc, com }) {
    ballotCodec.write(w, prom);
    valuesCodec.write(w, { acc, com });
  },
  read(r) {
    const prom = ballotCodec.read(r);
    const { acc, com } = valuesCodec.read(r);
    return { prom, acc, com };
  },
};
export type Register = Value<typeof registerCodec>;

/** A new version before it has its place in the chain. */
export type Content = Omit<Version, "seq" | "history" | "birthFloor" | "put" | "keepMax">;

/** A deletion. It is also the value that stands for "absent" where some value must be accepted. */
export const tombstone = (vid: Vid): Content => ({
  vid,
  deleted: true,
  cid: null,
  pieces: 0,
  needed: 0,
  copies: 0,
  striped: false,
  ring: [],
  at: [],
  size: 0,
  body: new Uint8Array(),
});

/** The last moment that a JavaScript date can have, in milliseconds since 1970. */
export const TIME_MS_MAX = 8_640_000_000_000_000;

/** Where and when a new version comes into the chain of its name. */
export interface Place {
  readonly parent: Version | null;
  /** The birthFloor of a version without a parent. */
  readonly floor: Ballot;
  /** The clock of the client, in milliseconds since 1970. */
  readonly now: number;
  /** The latest `put` of any version that the promises tell of. */
  readonly last: number;
}

/**
 * The version with this content at this place. Nothing of its parent is kept once it is replaced.
 */
export function childOf({ parent, floor, now, last }: Place, content: Content): Version {
  return {
    ...content,
    // The parent may be made up, and its seq too small for its history.
    seq: parent ? Math.min(Math.max(parent.seq, parent.history.length + 1) + 1, SEQ_MAX) : 1,
    history: parent ? [ancestorOf(parent), ...parent.history].slice(0, HISTORY_LENGTH) : [],
    birthFloor: parent ? parent.birthFloor : floor,
    put: Math.min(Math.max(Math.floor(now), last + 1, (parent?.put ?? 0) + 1), TIME_MS_MAX),
    keepMax: parent?.keepMax ?? 0,
  };
}

const ancestorOf = ({ vid, cid, put }: Version): Ancestor => ({ vid, cid, put, keep: 0 });

/** Is this one of the ancestors that the version tells of? */
export const isAncestor = ({ history }: Pick<Version, "history">, vid: Vid): boolean =>
  history.some((ancestor) => ancestor.vid === vid);

/** The content of a version that has pieces; NO_CONTENT where it does not say which that is. */
export const contentOf = ({ cid }: Pick<Version, "cid">): Cid => cid ?? NO_CONTENT;

/** Is there no file: was there never one, or was it deleted? */
export const isGone = (version: Version | null): boolean => version === null || version.deleted;
