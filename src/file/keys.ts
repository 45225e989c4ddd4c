/**
 * The keys of one user (README.md, "Sealed"). All follow from a random master key. Servers keep the
 * master key wrapped by a key that follows from the password. So a changed password only wraps the
 * master key anew. Used by the client, and by io to stretch passwords.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  timingSafeEqual,
} from "node:crypto";
import {
  type Codec,
  concat,
  decode,
  encode,
  fixed,
  list,
  struct,
  u32,
  u8,
  type Value,
} from "../bytes.ts";
import { isDfsError } from "../errors.ts";
import {
  STRETCH_KIB,
  STRETCH_LANES,
  STRETCH_PASSES,
  WRAP_KIB_MAX,
  WRAP_LANES_MAX,
  WRAP_PASSES_MAX,
  WRAPS_MAX,
} from "../limits.ts";

export const MASTER_BYTES = 32;
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
const KEY_BYTES = 32;
export const SALT_BYTES = 16;

/** The keys that seal the names and manifests of one user. */
export interface Keys {
  readonly user: string;
  /** For AES-SIV (RFC 5297): two keys of 256 bits. */
  readonly names: Uint8Array;
  readonly manifests: Uint8Array;
  /** Tells one master key from another, and reveals nothing of the key. */
  readonly fingerprint: Uint8Array;
}

/** HKDF-SHA-256 (RFC 5869). */
const derive = (secret: Uint8Array, salt: Uint8Array, label: string, bytes: number): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", secret, salt, `dfs-tool 1 ${label}`, bytes));

/** The keys of a user with this master key. */
export function keysOf(user: string, master: Uint8Array): Keys {
  const salt = new TextEncoder().encode(user);
  return {
    user,
    names: derive(master, salt, "names", 2 * KEY_BYTES),
    manifests: derive(master, salt, "manifests", KEY_BYTES),
    fingerprint: derive(master, salt, "fingerprint", 16),
  };
}

/** Seals with AES-256-GCM. The tag comes behind the sealed bytes. */
export function gcmSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  bound: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  return concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/**
 * Opens what `gcmSeal` sealed; null unless key, nonce, bound and bytes are those of the sealing.
 */
export function gcmOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  bound: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | null {
  if (sealed.length < TAG_BYTES) return null;
  const end = sealed.length - TAG_BYTES;
  const options = { authTagLength: TAG_BYTES };
  const cipher = createDecipheriv("aes-256-gcm", key, nonce, options).setAAD(bound);
  cipher.setAuthTag(sealed.subarray(end));
  const plain = cipher.update(sealed.subarray(0, end));
  try {
    return concat([plain, cipher.final()]);
  } catch {
    return null;
  }
}

/** The cost of opening a wrap: the parameters of argon2id (RFC 9106), whose output has 32 bytes. */
const costCodec = struct({ kib: u32, passes: u8, lanes: u8, salt: fixed(SALT_BYTES) });
export type Cost = Value<typeof costCodec>;

/** The secret that opens one wrap: a password stretched at this cost. */
export interface WrapSecret {
  readonly cost: Cost;
  readonly stretched: Uint8Array;
}

/** A password, as far as it has been stretched. */
export interface StretchedPassword {
  /**
   * The password stretched with the salt that follows from the user's name. It opens records of the
   * first format.
   */
  readonly wrap: Uint8Array;
  /** The password stretched at this cost; null where it was not. */
  stretched(cost: Cost): Uint8Array | null;
}

const sealedCodec = fixed(MASTER_BYTES + TAG_BYTES);
const oldWrapCodec = struct({
  salt: fixed(SALT_BYTES),
  nonce: fixed(NONCE_BYTES),
  sealed: sealedCodec,
});
const wrapCodec = struct({ cost: costCodec, nonce: fixed(NONCE_BYTES), sealed: sealedCodec });

/**
 * The record of a user's master key. It has a wrap for each password that opens it: two while the
 * password is changed, else one.
 */
const oldRecordCodec = struct({ format: u8, wraps: list(oldWrapCodec, WRAPS_MAX) });
/**
 * `commitment` follows from the master key. So no two secrets can open one record to different
 * keys.
 */
const recordCodec = struct({
  format: u8,
  commitment: fixed(KEY_BYTES),
  wraps: list(wrapCodec, WRAPS_MAX),
});
const OLD_FORMAT = 1;
const RECORD_FORMAT = 2;

const boundTo = (user: string): Uint8Array =>
  createHash("sha256").update(`dfs-tool 1 wrap\0${user}`).digest();

const commitmentOf = (user: string, master: Uint8Array): Uint8Array =>
  derive(master, new TextEncoder().encode(user), "commitment", KEY_BYTES);

/** The cost of a new wrap. `random` has SALT_BYTES. */
export const costOf = (random: Uint8Array): Cost => ({
  kib: STRETCH_KIB,
  passes: STRETCH_PASSES,
  lanes: STRETCH_LANES,
  salt: random,
});

/**
 * Does a client accept this cost? Else a server could make it spend any amount of memory or time.
 */
const isAcceptable = ({ kib, passes, lanes }: Cost): boolean =>
  lanes >= 1 &&
  lanes <= WRAP_LANES_MAX &&
  passes >= 1 &&
  passes <= WRAP_PASSES_MAX &&
  kib >= 8 * lanes &&
  kib <= WRAP_KIB_MAX;

/**
 * A record of a master key that each of these secrets opens. `random` has NONCE_BYTES for each
 * secret.
 */
export function wrapMaster(
  secrets: readonly WrapSecret[],
  user: string,
  master: Uint8Array,
  random: Uint8Array,
): Uint8Array {
  const wraps = secrets.map(({ cost, stretched }, i) => {
    const nonce = random.subarray(i * NONCE_BYTES, (i + 1) * NONCE_BYTES);
    const key = derive(stretched, cost.salt, "wrap", KEY_BYTES);
    return { cost, nonce, sealed: gcmSeal(key, nonce, boundTo(user), master) };
  });
  const commitment = commitmentOf(user, master);
  return encode(recordCodec, { format: RECORD_FORMAT, commitment, wraps });
}

/**
 * The costs at which a password must be stretched to open a record. There are none for a record of
 * the first format, or for bytes that are no record.
 */
export function costsIn(record: Uint8Array): Cost[] {
  if (record[0] !== RECORD_FORMAT) return [];
  const wraps = decodedOrNull(recordCodec, record)?.wraps ?? [];
  return wraps.map(({ cost }) => cost).filter(isAcceptable);
}

/**
 * The master key in a record. null where this password does not open it, as far as the password was
 * stretched, or where the bytes are no record.
 */
export function unwrapMaster(
  password: StretchedPassword,
  user: string,
  record: Uint8Array,
): Uint8Array | null {
  return record[0] === OLD_FORMAT
    ? unwrapOld(password, user, record)
    : unwrapNew(password, user, record);
}

function unwrapNew(
  password: StretchedPassword,
  user: string,
  record: Uint8Array,
): Uint8Array | null {
  const read = decodedOrNull(recordCodec, record);
  if (read?.format !== RECORD_FORMAT) return null;
  for (const { cost, nonce, sealed } of read.wraps) {
    const stretched = password.stretched(cost);
    if (!stretched) continue;
    const key = derive(stretched, cost.salt, "wrap", KEY_BYTES);
    const master = gcmOpen(key, nonce, boundTo(user), sealed);
    if (master && timingSafeEqual(commitmentOf(user, master), read.commitment)) return master;
  }
  return null;
}

function unwrapOld(
  { wrap }: StretchedPassword,
  user: string,
  record: Uint8Array,
): Uint8Array | null {
  for (const { salt, nonce, sealed } of decodedOrNull(oldRecordCodec, record)?.wraps ?? []) {
    const key = derive(wrap, salt, "wrap", KEY_BYTES);
    const master = gcmOpen(key, nonce, boundTo(user), sealed);
    if (master) return master;
  }
  return null;
}

function decodedOrNull<T>(codec: Codec<T>, bytes: Uint8Array): T | null {
  try {
    return decode(codec, bytes);
  } catch (error) {
    if (isDfsError(error)) return null;
    throw error;
  }
}
