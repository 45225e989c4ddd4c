/**
 * The older of the two ways to log in: the computations of SCRAM-SHA-256 (RFC 5802, 7677), over the words of wire/login. Servers
 * that have such a verifier of a user learn from a login what it takes to log in elsewhere, so new ones are of the other kind
 * (wire/signature). The salt is made from the user's name and the iterations are fixed: nobody can make a client take weaker ones.
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";
import { SCRAM_ITERATIONS, SCRAM_SALT_BYTES } from "../limits.ts";

/** What a server keeps of a password: enough to check a login, not enough to do one. */
export interface ScramVerifier {
  readonly is: "scram";
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

/** How a password becomes keys. */
export interface Derivation {
  readonly salt: Uint8Array;
  readonly iterations: number;
}

/** What a client logs in with. */
export interface ScramKeys extends ScramVerifier {
  readonly clientKey: Uint8Array;
}

const KEY_BYTES = 32;
const utf8 = new TextEncoder();
const sha256 = (bytes: Uint8Array): Uint8Array => createHash("sha256").update(bytes).digest();
const hmac = (key: Uint8Array, said: Uint8Array): Uint8Array =>
  createHmac("sha256", key).update(said).digest();
const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ (b[i] ?? 0));

/** How the login of every password is derived; it depends on the user's name only. */
export const derivationOf = (user: string): Derivation => ({
  salt: sha256(utf8.encode(`dfs-tool scram 1\0${user}`)).slice(0, SCRAM_SALT_BYTES),
  iterations: SCRAM_ITERATIONS,
});

/** The keys of a user whose stretched password is `login` (io/stretch). It takes milliseconds. */
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

/** What a server keeps of a user whose stretched password is `login`. */
export function scramVerifierOf(user: string, login: string): ScramVerifier {
  const { is, storedKey, serverKey } = scramKeysOf(user, login);
  return { is, storedKey, serverKey };
}

/** A verifier that nobody can meet, always the same for a user: it stands in for those that a server does not have. */
export const impossibleScram = (user: string, secret: Uint8Array): ScramVerifier => ({
  is: "scram",
  storedKey: hmac(secret, utf8.encode(`stored\0${user}`)),
  serverKey: hmac(secret, utf8.encode(`server\0${user}`)),
});

/** ClientProof: 32 bytes. `said` is what RFC 5802 calls AuthMessage. */
export const scramProof = ({ clientKey, storedKey }: ScramKeys, said: Uint8Array): Uint8Array =>
  xor(clientKey, hmac(storedKey, said));

/** Is it the ClientProof of who knows the password of this verifier? */
export function isScramProof(
  { storedKey }: ScramVerifier,
  said: Uint8Array,
  proof: Uint8Array,
): boolean {
  const clientKey = xor(proof, hmac(storedKey, said));
  return timingSafeEqual(sha256(clientKey), storedKey);
}
