/**
 * The keys of one user (README.md, "Sealed"). All follow from a random master key, which lies on the servers wrapped by a key
 * that follows from the password: a changed password wraps it anew, and nothing else changes.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync } from "node:crypto";
import { concat, decode, encode, fixed, list, struct, u8, type Value } from "../bytes.ts";
import { isDfsError } from "../errors.ts";
import { WRAPS_MAX } from "../limits.ts";

export const MASTER_BYTES = 32;
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
const KEY_BYTES = 32;
const SALT_BYTES = 16;

/** What seals the names, contents and manifests of one user. */
export interface Keys {
  readonly user: string;
  /** For AES-SIV (RFC 5297): two keys of 256 bits. */
  readonly names: Uint8Array;
  readonly manifests: Uint8Array;
  /** Tells one master key from another, and nothing of it. */
  readonly fingerprint: Uint8Array;
}

/** HKDF-SHA-256 (RFC 5869). */
const derive = (secret: Uint8Array, salt: Uint8Array, what: string, bytes: number): Uint8Array =>
  new Uint8Array(hkdfSync("sha256", secret, salt, `dfs-tool 1 ${what}`, bytes));

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

/** Seals with AES-256-GCM: the bytes, and their tag behind them. */
export function gcmSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  bound: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(bound);
  return concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** What `gcmSeal` sealed; null unless it is exactly that. */
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

const wrapCodec = struct({
  salt: fixed(SALT_BYTES),
  nonce: fixed(NONCE_BYTES),
  sealed: fixed(MASTER_BYTES + TAG_BYTES),
});
type Wrap = Value<typeof wrapCodec>;

/** The record of a user's master key: as many wraps as there are passwords that open it, which is two while one is changed. */
const recordCodec = struct({ format: u8, wraps: list(wrapCodec, WRAPS_MAX) });
const RECORD_FORMAT = 1;

/** Random bytes that one wrap takes. */
export const WRAP_RANDOM_BYTES = SALT_BYTES + NONCE_BYTES;

const boundTo = (user: string): Uint8Array =>
  createHash("sha256").update(`dfs-tool 1 wrap\0${user}`).digest();

function wrapOf(secret: Uint8Array, user: string, master: Uint8Array, random: Uint8Array): Wrap {
  const salt = random.subarray(0, SALT_BYTES);
  const nonce = random.subarray(SALT_BYTES, WRAP_RANDOM_BYTES);
  const key = derive(secret, salt, "wrap", KEY_BYTES);
  return { salt, nonce, sealed: gcmSeal(key, nonce, boundTo(user), master) };
}

/** The record of a master key that each of these secrets opens; `random` has WRAP_RANDOM_BYTES for each. */
export function wrapMaster(
  secrets: readonly Uint8Array[],
  user: string,
  master: Uint8Array,
  random: Uint8Array,
): Uint8Array {
  const wraps = secrets.map((secret, i) =>
    wrapOf(secret, user, master, random.subarray(i * WRAP_RANDOM_BYTES)),
  );
  return encode(recordCodec, { format: RECORD_FORMAT, wraps });
}

/** The master key in a record; null where this secret does not open it, or it is none. */
export function unwrapMaster(
  secret: Uint8Array,
  user: string,
  record: Uint8Array,
): Uint8Array | null {
  try {
    const { format, wraps } = decode(recordCodec, record);
    if (format !== RECORD_FORMAT) return null;
    for (const { salt, nonce, sealed } of wraps) {
      const key = derive(secret, salt, "wrap", KEY_BYTES);
      const master = gcmOpen(key, nonce, boundTo(user), sealed);
      if (master) return master;
    }
    return null;
  } catch (error) {
    if (isDfsError(error)) return null;
    throw error;
  }
}
