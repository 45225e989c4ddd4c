/**
 * The older way to log in: the computations of SCRAM-SHA-256 (RFC 5802, 7677), over the bytes of
 * login.ts. A server with such a verifier learns from a login how to log in elsewhere as this user,
 * so new verifiers are of the other kind (signature.ts). The salt is made from the user's name and
 * the iterations are fixed, so nobody can make a client use weaker ones. Used by login.ts.
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { SCRAM_ITERATIONS, SCRAM_SALT_BYTES } from "../limits.ts";

/** What a server keeps to check a password. It is not enough to log in. */
export interface ScramVerifier {
  readonly is: "scram";
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** The parameters that turn a password into keys. */
export interface Derivation {
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** The keys that a client logs in with. */
export interface ScramKeys extends ScramVerifier {
  readonly clientKey: Uint8Array;
}

const KEY_BYTES = 32;
const utf8 = new TextEncoder();
const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const hmac = (key: Uint8Array, message: Uint8Array): Uint8Array =>
  createHmac("sha256", key).update(message).digest();
const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ (b[i] ?? 0));

/** The parameters of a user's password; they depend only on the user's name. */
export const derivationOf = (user: string): Derivation => ({
  salt: sha256(utf8.encode(`dfs-tool scram 1\0${user}`)).slice(0, SCRAM_SALT_BYTES),
  iterations: SCRAM_ITERATIONS,
});

/**
 * The keys of a user whose stretched password is `login` (io/stretch.ts). It takes milliseconds.
 */
export function scramKeysOf(
  user: string,
  login: string,
  { salt, iterations }: Derivation = derivationOf(user),
): ScramKeys {
  const salted = pbkdf2Sync(login, salt, iterations, KEY_BYTES, "sha256");
  const clientKey = hmac(salted, utf8.encode("Client Key"));
  const serverKey = hmac(salted, utf8.encode("Server Key"));
  return { is: "scram", clientKey, storedKey: sha256(clientKey), serverKey };
}

/** The verifier of a user whose stretched password is `login`. */
export function scramVerifierOf(user: string, login: string): ScramVerifier {
  const { is, storedKey, serverKey } = scramKeysOf(user, login);
  return { is, storedKey, serverKey };
}

/**
 * A verifier that no proof fits, always the same for a user. It stands in for one that a server
 * does not have.
 */
export const impossibleScram = (user: string, secret: Uint8Array): ScramVerifier => ({
  is: "scram",
  storedKey: hmac(secret, utf8.encode(`stored\0${user}`)),
  serverKey: hmac(secret, utf8.encode(`server\0${user}`)),
});

/** ClientProof: 32 bytes. `message` is what RFC 5802 calls AuthMessage. */
export const scramProof = ({ clientKey, storedKey }: ScramKeys, message: Uint8Array): Uint8Array =>
  xor(clientKey, hmac(storedKey, message));

/** Is this the ClientProof of somebody who knows the password of this verifier? */
export function isScramProof(
  { storedKey }: ScramVerifier,
  message: Uint8Array,
  proof: Uint8Array,
): boolean {
  const clientKey = xor(proof, hmac(storedKey, message));
  return timingSafeEqual(sha256(clientKey), storedKey);
}
