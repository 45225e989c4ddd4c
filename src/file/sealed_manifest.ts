/**
 * The sealed manifest: the body of a version of a user with a password. The roots, which repair
 * needs, are in the open; the rest is sealed. All of it is bound to its version, so that no server
 * can forge a version, or pass one off for another. Format: README.md. Used by the client.
 */
import {
  bool,
  bytes,
  decode,
  encode,
  fixed,
  list,
  struct,
  text,
  u32,
  u53,
  u8,
  type Value,
} from "../bytes.ts";
import { malformed, Reader } from "../cursor.ts";
import { isDfsError } from "../errors.ts";
import {
  FACTS_UNIT_BYTES,
  HISTORY_LENGTH,
  PIECES_MAX,
  SEALED_FACTS_BYTES,
  SEALED_NAME_BYTES,
  USER_BYTES,
} from "../limits.ts";
import { type Ballot, ballotCodec, fixedFields, type Version, vidCodec } from "../version.ts";
import { attributesBefore, attributesCodec } from "./attributes.ts";
import { ROOT_BYTES } from "./checksum.ts";
import { gcmOpen, gcmSeal, type Keys, NONCE_BYTES } from "./keys.ts";
import { CONTENT_KEY_BYTES } from "./seal.ts";

const FORMAT = 4;
/** The format from before there were attributes. No version gets it any more. */
const FORMAT_BEFORE = 2;

const rootsCodec = list(fixed(ROOT_BYTES), PIECES_MAX);

/** What only the user knows of a version. */
const factsCodec = struct({
  /** The bytes of the file before it was sealed. */
  bytes: u53,
  /** The key of its content. */
  key: fixed(CONTENT_KEY_BYTES),
  attributes: attributesCodec,
});
export type Facts = Value<typeof factsCodec>;

const factsBeforeCodec = struct({
  isFolder: bool,
  modified: u53,
  mode: u32,
  bytes: u53,
  key: fixed(CONTENT_KEY_BYTES),
});

/** The bytes of facts, and zeros behind them: their length tells little of the attributes. */
function paddedFacts(facts: Facts): Uint8Array {
  const plain = encode(factsCodec, facts);
  const units = Math.ceil(plain.length / FACTS_UNIT_BYTES);
  const padded = new Uint8Array(units * FACTS_UNIT_BYTES);
  padded.set(plain);
  return padded;
}

/**
 * The facts in such bytes. Throws DfsError("protocol") where they do not read; so it does for facts
 * of the format before, which have another length.
 */
function factsIn(padded: Uint8Array): Facts {
  const r = new Reader(padded);
  const facts = factsCodec.read(r);
  const isFilled = padded.length % FACTS_UNIT_BYTES === 0 && r.left < FACTS_UNIT_BYTES;
  if (!isFilled || r.take(r.left).some((byte) => byte !== 0))
    throw malformed("facts are not filled up with zeros");
  return facts;
}

/** The facts of the format before. */
function factsBefore(plain: Uint8Array): Facts {
  const { bytes: size, key, ...before } = decode(factsBeforeCodec, plain);
  return { bytes: size, key, attributes: attributesBefore(before) };
}

const bodyCodec = struct({
  format: u8,
  roots: rootsCodec,
  /**
   * The ballot at which the version was proposed first. It may have been accepted at later ballots
   * since.
   */
  ballot: ballotCodec,
  nonce: fixed(NONCE_BYTES),
  sealed: bytes(SEALED_FACTS_BYTES),
});

/**
 * What the body is bound to: all of the version except the slots that its pieces lie on, which may
 * change.
 */
const boundHead = {
  what: text(64),
  user: text(USER_BYTES),
  name: text(SEALED_NAME_BYTES),
};
const boundTail = { size: u53, roots: rootsCodec, ballot: ballotCodec };
const boundCodec = struct({ ...boundHead, ...fixedFields, ...boundTail });
/** The same, of the format before: a version was its own content then, and had no time. */
const boundBeforeCodec = struct({
  ...boundHead,
  vid: vidCodec,
  seq: u53,
  history: list(vidCodec, HISTORY_LENGTH),
  birthFloor: ballotCodec,
  deleted: bool,
  pieces: u8,
  needed: u8,
  copies: u8,
  ...boundTail,
});

interface Bound {
  readonly user: string;
  readonly name: string;
  readonly version: Version;
  readonly roots: Uint8Array[];
  readonly ballot: Ballot;
}

const boundBytes = ({ version, ...rest }: Bound): Uint8Array =>
  encode(boundCodec, { ...version, ...rest, what: "dfs-tool 2 manifest" });

/**
 * The same, of the format before; null where the version has anything that versions of that format
 * had not, for then nobody vouches for it.
 */
function boundBytesBefore({ version, ...rest }: Bound): Uint8Array | null {
  const { vid, cid, pieces, needed, striped, history, put, keepMax } = version;
  const isOfThen =
    cid === (pieces > 0 ? vid : null) &&
    put === 0 &&
    keepMax === 0 &&
    striped === pieces > needed &&
    history.every((ancestor) => ancestor.cid === null && ancestor.put + ancestor.keep === 0);
  if (!isOfThen) return null;
  const vids = history.map((ancestor) => ancestor.vid);
  const what = "dfs-tool 1 manifest";
  return encode(boundBeforeCodec, { ...version, ...rest, history: vids, what });
}

/**
 * The version with the body that its user gives it when it is proposed at this ballot. `name` is
 * the one that servers know.
 */
export function signVersion(
  keys: Keys,
  name: string,
  version: Version,
  ballot: Ballot,
  roots: Uint8Array[],
  facts: Facts,
  nonce: Uint8Array,
): Version {
  const bound = boundBytes({ user: keys.user, name, version, roots, ballot });
  const sealed = gcmSeal(keys.manifests, nonce, bound, paddedFacts(facts));
  return {
    ...version,
    body: encode(bodyCodec, { format: FORMAT, roots, ballot, nonce, sealed }),
  };
}

/**
 * What the user said of a version: the facts, the roots of its pieces, and the ballot at which it
 * was proposed first.
 */
export interface Signed {
  readonly facts: Facts;
  readonly roots: Uint8Array[];
  readonly ballot: Ballot;
}

/**
 * What the user of a version said of it; null unless the user gave the body to exactly this
 * version.
 */
export function readSigned(keys: Keys, name: string, version: Version): Signed | null {
  if (!isSealed(version.body)) return null;
  try {
    const { format, roots, ballot, nonce, sealed } = decode(bodyCodec, version.body);
    const of = { user: keys.user, name, version, roots, ballot };
    const isNew = format === FORMAT;
    const bound = isNew ? boundBytes(of) : boundBytesBefore(of);
    const plain = bound && gcmOpen(keys.manifests, nonce, bound, sealed);
    return plain && { facts: (isNew ? factsIn : factsBefore)(plain), roots, ballot };
  } catch (error) {
    // A body that does not read was not made by the user.
    if (isDfsError(error)) return null;
    throw error;
  }
}

/** Is it the body of a version of a user with a password? */
export const isSealed = (body: Uint8Array): boolean =>
  body[0] === FORMAT || body[0] === FORMAT_BEFORE;

/** The roots in such a body. Throws DfsError("protocol") where it does not read. */
export const rootsInSealed = (body: Uint8Array): Uint8Array[] => decode(bodyCodec, body).roots;
