/**
 * What a register holds: ballots and versions (docs/consistency.md section 1). Pure values, shared by wire, store and client.
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

/** (n, c) as one number of 128 bits: n in the upper half, c, random and not 0, in the lower. Compared as numbers. */
export type Ballot = bigint;
export const NO_BALLOT: Ballot = 0n;
/** No server goes along beyond this. Nobody comes here but in steps, and there are more of them than can be gone. */
export const BALLOT_MAX: Ballot = 1n << 127n;
export const ballotCodec: Codec<Ballot> = u128;

/** A ballot above all in `seen`; `random` is eight random bytes. */
export function ballotAbove(seen: readonly Ballot[], random: Uint8Array): Ballot {
  const c = new DataView(random.buffer, random.byteOffset, 8).getBigUint64(0) | 1n;
  return (((highest(seen) >> 64n) + 1n) << 64n) | c;
}

/** n of a ballot. */
export const roundOf = (ballot: Ballot): bigint => ballot >> 64n;

/**
 * The highest round that a server goes along with where it has promised so much in a name, and knows so much to be forgotten in its
 * space: as a ballot that nobody proposes at, for its c is 0.
 */
export const boundOf = (...known: Ballot[]): Ballot => stepsAbove(highest(known), 1);

/** How far servers that have promised so much can be led in so many steps, each to the bound of the one before. */
export const stepsAbove = (promised: Ballot, steps: number): Ballot =>
  (roundOf(promised) + BigInt(steps * BALLOT_STEP)) << 64n;

/** Why a server does not go along with a ballot: more was promised, or it is above the bound. */
export type Refusal = "low" | "high";
export const refusalCodec: Codec<Refusal | null> = optional(oneOf<Refusal>("low", "high"));

/** The largest of these ballots; NO_BALLOT when there are none. */
export const highest = (ballots: readonly Ballot[]): Ballot =>
  ballots.reduce((a, b) => (b > a ? b : a), NO_BALLOT);

/** The random id of a version: sixteen bytes as 32 hexadecimal digits. */
export type Vid = string;
export const vidCodec: Codec<Vid> = hex(16);

/** What a version is, wherever it lies: none of it ever changes. */
export const fixedFields = {
  vid: vidCodec,
  /** One more than its parent's. */
  seq: u53,
  /** The vids of its last ancestors, newest first: history[0] is the parent. */
  history: list(vidCodec, HISTORY_LENGTH),
  /** Of a version born on "absent", the floor that the promises it was built on vouch for; else inherited. */
  birthFloor: ballotCodec,
  deleted: bool,
  /** How many pieces there are, and how many different ones it takes to rebuild the file. */
  pieces: u8,
  needed: u8,
  /** Servers that hold each piece at home: 2 for pairs (1 when there is one server), 1 for Reed-Solomon. */
  copies: u8,
} as const;

/** One immutable state of a name. What servers need to know is in the open; the rest is `body`, theirs to keep only. */
export const versionCodec = unchanging(
  struct({
    ...fixedFields,
    /** The servers that it lies on, by slot: one for each piece, the first at the rotation x. */
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

/** What was accepted last, and what is known to be chosen, each at a ballot. */
export interface Pair<T> {
  readonly acc: T | null;
  readonly com: T | null;
}

/** One ballot has one value: mostly the committed one is the accepted one, and is not said twice. */
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

const acceptedPair = pairCodec(acceptedCodec);

/** One server's register of one name. An absent row is { prom: floor, acc: null, com: null }. */
export const registerCodec: Codec<{ readonly prom: Ballot } & Pair<Accepted>> = {
  write(w, { prom, acc, com }) {
    ballotCodec.write(w, prom);
    acceptedPair.write(w, { acc, com });
  },
  read(r) {
    const prom = ballotCodec.read(r);
    const { acc, com } = acceptedPair.read(r);
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
/** What a list tells of a version: enough to decide which one is current, and not to read it. */
export type Outline = Value<typeof outlineCodec>;

/** What a list tells of a register. */
export const outlinesCodec = pairCodec(outlineCodec);
/** Two ballots, two vids, twice three bytes and a size, and what of it is there. */
export const OUTLINES_BYTES = 2 * (16 + 16 + 3 + 8) + 3;

const cutting = new Uint8Array(OUTLINES_BYTES);
const cuttingText = Buffer.from(cutting.buffer);

/**
 * The bytes of `outlinesCodec` for a register, cut out of its own, and the versions in them: `acc`, then `com` where it is another one.
 * A list reads very many registers, and making values of their bytes, and bytes of those, takes longer than all the rest.
 */
export function cutOutlines(register: Uint8Array): { bytes: Uint8Array; vids: Vid[] } {
  const vids: Vid[] = [];
  // Past the promise.
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

/** What a new version is, before it has a place in the chain. */
export type Content = Omit<Version, "seq" | "history" | "birthFloor">;

/** A deletion, or the value that stands for "absent" where one must be accepted. */
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

/** `content` as the child of `parent`; of nothing, born on this floor. */
export function childOf(parent: Version | null, floor: Ballot, content: Content): Version {
  return {
    ...content,
    // Somebody may have made the parent up.
    seq: parent ? Math.min(Math.max(parent.seq, parent.history.length + 1) + 1, SEQ_MAX) : 1,
    history: parent ? [parent.vid, ...parent.history].slice(0, HISTORY_LENGTH) : [],
    birthFloor: parent ? parent.birthFloor : floor,
  };
}

/**
 * Why no put, folder, record or deletion is like that, whatever was put; null where one may be. What is not sound can never be read, and
 * takes the work of those who look after files; no server accepts it.
 */
export function unsoundness(version: Version): string | null {
  const { vid, seq, history, deleted, pieces, needed, copies, ring, size, body } = version;
  if (history.length >= seq || seq > SEQ_MAX || history.includes(vid))
    return "its history is not that of its place";
  if (body.length === 0 && !deleted) return "nothing says what it is";
  if (deleted || pieces === 0)
    return pieces + needed + copies + ring.length + size === 0
      ? null
      : "it has no pieces, and says what they are";
  const isSlot = (slot: number, at: number): boolean =>
    slot < SLOTS_MAX && ring.indexOf(slot) === at;
  if (ring.length !== pieces || !ring.every(isSlot)) return "its pieces do not each have a server";
  // Pairs: all pieces make the file, each on two servers, or the only one. Parity: each on one.
  const isPairs = needed === pieces && copies === Math.min(COPIES, pieces);
  const isParity = needed >= 1 && needed < pieces && copies === 1;
  const isSmall = needed <= DATA_PIECES_MAX && pieces - needed <= PARITY_PIECES_MAX;
  if (!isPairs && !(isParity && isSmall)) return "no layout has such pieces";
  return size > STORED_BYTES_MAX ? "it is larger than any file" : null;
}

/** Is there no file: never one, or a deleted one? */
export const isGone = (version: Version | null): boolean => version === null || version.deleted;
