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
  u53,
  u8,
  unchanging,
  type Value,
} from "./bytes.ts";
import { DfsError } from "./errors.ts";
import {
  BALLOT_STEP,
  COPIES,
  DATA_PIECES_MAX,
  HISTORY_LENGTH,
  MANIFEST_BYTES,
  PARITY_PIECES_MAX,
  PIECES_MAX,
  SEQ_MAX,
  SLOTS_MAX,
  STORED_BYTES_MAX,
} from "./limits.ts";

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

/** Fields of a version that never change, wherever the version lies. */
export const fixedFields = {
  vid: vidCodec,
  /** The parent's seq plus one; 1 without a parent. */
  seq: u53,
  /** The vids of its last ancestors, newest first: history[0] is the parent. */
  history: list(vidCodec, HISTORY_LENGTH),
  /** The parent's; without one, the floor that the promises it was built on vouch for. */
  birthFloor: ballotCodec,
  deleted: bool,
  /** How many pieces there are, and how many different ones it takes to rebuild the file. */
  pieces: u8,
  needed: u8,
  /** How many homes a piece has: 2 for pairs (1 on one server), 1 for Reed-Solomon. */
  copies: u8,
} as const;

/**
 * One immutable state of a name. The fields that servers need are in the open. The `body` is for
 * clients only; servers just keep it.
 */
export const versionCodec = unchanging(
  struct({
    ...fixedFields,
    /** The slots that its pieces lie on, one for each piece. The first slot is the rotation. */
    ring: list(u8, PIECES_MAX),
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
function pairCodec<T extends { readonly ballot: Ballot }>(item: Codec<T>): Codec<Pair<T>> {
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
/** At most two bodies, and what stands beside them. */
export const VALUES_BYTES = 2 * (MANIFEST_BYTES + 1024);

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

const outlineCodec = struct({
  ballot: ballotCodec,
  vid: vidCodec,
  deleted: bool,
  pieces: u8,
  needed: u8,
  size: u53,
});
/**
 * What a list has of a version. It is enough to decide which version is current, and not enough to
 * read it.
 */
export type Outline = Value<typeof outlineCodec>;

/** What a list has of a register. */
export const outlinesCodec = pairCodec(outlineCodec);
/** Twice a ballot, a vid, three bytes and a size; and three flags that say which of it is there. */
export const OUTLINES_BYTES = 2 * (16 + 16 + 3 + 8) + 3;

/** The bytes of `valuesCodec` for a register: those of the register after the promise. */
export const cutValues = (register: Uint8Array): Uint8Array => register.subarray(16);

const cutting = new Uint8Array(OUTLINES_BYTES);
const cuttingText = Buffer.from(cutting.buffer);

/**
 * The bytes of `outlinesCodec` for a register, cut out of the bytes of the register; and the vids
 * of the versions in them: of `acc`, then of `com` where that is another one. A list reads very
 * many registers. To decode them and to encode the outlines would take longer than all the rest.
 */
export function cutOutlines(register: Uint8Array): { bytes: Uint8Array; vids: Vid[] } {
  const vids: Vid[] = [];
  // Skips the promise.
  let from = 16;
  let to = 0;
  const copy = (count: number): number => {
    for (const end = from + count; from < end; from++) cutting[to++] = register[from] as number;
    return cutting[to - 1] as number;
  };
  const skipCounted = (unit: number): void => {
    let count = 0;
    for (let i = 0; i < 4; i++) count = count * 256 + (register[from + i] as number);
    from += 4 + unit * count;
  };
  const copyOptional = (): void => {
    if (copy(1) === 0) return;
    copy(16 + 16);
    vids.push(cuttingText.toString("hex", to - 16, to));
    from += 8;
    skipCounted(16);
    from += 16;
    copy(3);
    from += 1;
    skipCounted(1);
    copy(8);
    skipCounted(1);
  };
  copyOptional();
  if (copy(1) === 0) copyOptional();
  return { bytes: cutting.slice(0, to), vids };
}

/** A new version before it has its place in the chain. */
export type Content = Omit<Version, "seq" | "history" | "birthFloor">;

/** A deletion. It is also the value that stands for "absent" where some value must be accepted. */
export const tombstone = (vid: Vid): Content => ({
  vid,
  deleted: true,
  pieces: 0,
  needed: 0,
  copies: 0,
  ring: [],
  size: 0,
  body: new Uint8Array(),
});

/**
 * The version with this content that follows `parent`. Without a parent it is the first, and has
 * this floor as its birthFloor.
 */
export function childOf(parent: Version | null, floor: Ballot, content: Content): Version {
  return {
    ...content,
    // The parent may be made up, and its seq too small for its history.
    seq: parent ? Math.min(Math.max(parent.seq, parent.history.length + 1) + 1, SEQ_MAX) : 1,
    history: parent ? [parent.vid, ...parent.history].slice(0, HISTORY_LENGTH) : [],
    birthFloor: parent ? parent.birthFloor : floor,
  };
}

/**
 * Why this version cannot come from any put, folder, record or deletion; null where it can. An
 * unsound version can never be read, and costs the work of those who look after files, so no server
 * accepts it.
 */
export function unsoundness(version: Version): string | null {
  const { vid, seq, history, deleted, pieces, needed, copies, ring, size, body } = version;
  if (
    history.length >= seq ||
    seq > SEQ_MAX ||
    /* rule: no-version-before-itself */ history.includes(vid)
  )
    return "its history is not that of its place";
  if (body.length === 0 && !deleted) return "nothing says what it is";
  if (deleted || pieces === 0)
    return pieces + needed + copies + ring.length + size === 0
      ? null
      : "it has no pieces, and says what they are";
  const isSlot = (slot: number, at: number): boolean =>
    slot < SLOTS_MAX && ring.indexOf(slot) === at;
  if (ring.length !== pieces || !ring.every(isSlot)) return "its pieces do not each have a server";
  // Pairs: all pieces make the file, and each lies on two servers, or on the only one. Parity: each
  // piece lies on one.
  const isPairs = needed === pieces && copies === Math.min(COPIES, pieces);
  const isParity = needed >= 1 && needed < pieces && copies === 1;
  const isSmall = needed <= DATA_PIECES_MAX && pieces - needed <= PARITY_PIECES_MAX;
  if (!isPairs && !(isParity && isSmall)) return "no layout has such pieces";
  return size > STORED_BYTES_MAX ? "it is larger than any file" : null;
}

/** Is there no file: was there never one, or was it deleted? */
export const isGone = (version: Version | null): boolean => version === null || version.deleted;
