/**
 * The newer way to log in: the user signs what both sides have sent (Ed25519, RFC 8032), with a key
 * made from the password. A server keeps only the public key, so a login teaches it nothing that
 * helps to log in, there or elsewhere. Used by login.ts.
 */
import { createPrivateKey, createPublicKey, hkdfSync, sign, verify } from "node:crypto";
import { concat } from "../bytes.ts";

/**
 * What a server keeps to check a password: the key that checks a signature, and the key of its own
 * proof.
 */
export interface SignatureVerifier {
  readonly is: "signature";
  readonly publicKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** The keys that a client logs in with. */
export interface SigningKeys extends SignatureVerifier {
  readonly seed: Uint8Array;
}

const KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;
/** The bytes before the 32 bytes of a seed in PKCS #8, and of a public key in SPKI (RFC 8410). */
const PKCS8 = Uint8Array.fromHex("302e020100300506032b657004220420");
const SPKI = Uint8Array.fromHex("302a300506032b6570032100");

const utf8 = new TextEncoder();

const privateKey = (seed: Uint8Array): ReturnType<typeof createPrivateKey> =>
  createPrivateKey({ key: Buffer.from(concat([PKCS8, seed])), format: "der", type: "pkcs8" });

/** The public key of a seed: 32 bytes each. */
export const publicKeyOf = (seed: Uint8Array): Uint8Array =>
  new Uint8Array(createPublicKey(privateKey(seed)).export({ format: "der", type: "spki" })).slice(
    SPKI.length,
  );

/** The keys of a user whose stretched password is `login` (io/stretch.ts). */
export function signingKeysOf(user: string, login: string): SigningKeys {
  const derive = (what: string): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", login, utf8.encode(user), `dfs-tool 1 ${what}`, KEY_BYTES));
  const seed = derive("login seed");
  return { is: "signature", seed, publicKey: publicKeyOf(seed), serverKey: derive("login server") };
}

/** The verifier of a user whose stretched password is `login`. */
export function signatureVerifierOf(user: string, login: string): SignatureVerifier {
  const { is, publicKey, serverKey } = signingKeysOf(user, login);
  return { is, publicKey, serverKey };
}

/** The signature of these bytes: 64 bytes, always the same. */
export const signatureOf = (seed: Uint8Array, message: Uint8Array): Uint8Array =>
  new Uint8Array(sign(null, message, privateKey(seed)));

/** Is this the signature of these bytes by the seed of this public key? */
export function isSignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = Buffer.from(concat([SPKI, publicKey]));
  return verify(null, message, createPublicKey({ key, format: "der", type: "spki" }), signature);
}
