/**
 * The login. Each side sends a nonce, and the server also its id. The user proves that they know
 * the password; then the server proves that it has their verifier. Both proofs cover everything
 * that was sent, and the TLS connection if there is one (tls-exporter, RFC 9266). Used by both
 * ends.
 *
 * A server has one of two kinds of verifier, and does not tell which before it has seen a proof; so
 * the client sends a proof for each kind.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { encode, fixed, optional, struct, text } from "../bytes.ts";
import { LOGIN_NONCE_BYTES, USER_BYTES } from "../limits.ts";
import { idCodec } from "../membership.ts";
import {
  impossibleScram,
  isScramProof,
  type ScramKeys,
  scramKeysOf,
  scramProof,
  type ScramVerifier,
} from "./scram.ts";
import {
  isSignature,
  publicKeyOf,
  signatureOf,
  type SignatureVerifier,
  type SigningKeys,
  signatureVerifierOf,
  signingKeysOf,
} from "./signature.ts";

/** What a server keeps to check a password: the newer kind or the older. */
export type Verifier = SignatureVerifier | ScramVerifier;

/** All that a client needs to log in to any server. */
export interface Credentials {
  readonly user: string;
  readonly signing: SigningKeys;
  /** For servers with an older verifier. The first call takes milliseconds. */
  scram(): ScramKeys;
}

/** Bytes that belong to one TLS connection alone; null without TLS. */
export type Binding = Uint8Array | null;

/** What both sides have sent, and over which connection. */
export interface Exchange {
  readonly user: string;
  readonly clientNonce: Uint8Array;
  readonly serverNonce: Uint8Array;
  /** The server's id. */
  readonly sid: string;
  readonly binding: Binding;
}

/**
 * The client's proof. `scram` is null if the client accepts only servers with the newer kind of
 * verifier.
 */
export interface Proof {
  readonly signature: Uint8Array;
  readonly scram: Uint8Array | null;
}

const nonce = fixed(LOGIN_NONCE_BYTES);
const exchangeCodec = struct({
  what: text(32),
  user: text(USER_BYTES),
  clientNonce: nonce,
  serverNonce: nonce,
  sid: idCodec,
  binding: optional(fixed(32)),
});

/**
 * The bytes that are signed. No two exchanges have the same bytes, and no other signed bytes of
 * dfs-tool begin like them.
 */
export const signedBytesOf = (exchange: Exchange): Uint8Array =>
  encode(exchangeCodec, { what: "dfs-tool login 1", ...exchange });

/** The keys of a user whose stretched password is `login` (io/stretch.ts). */
export function credentialsOf(user: string, login: string): Credentials {
  let scram: ScramKeys | null = null;
  return {
    user,
    signing: signingKeysOf(user, login),
    scram: () => (scram ??= scramKeysOf(user, login)),
  };
}

/** The verifier that servers keep from now on for a user whose stretched password is `login`. */
export const verifierOf = signatureVerifierOf;

/** The client's proof. With `offersScram`, servers with an older verifier accept it too. */
export function proofOf(credentials: Credentials, exchange: Exchange, offersScram: boolean): Proof {
  const message = signedBytesOf(exchange);
  return {
    signature: signatureOf(credentials.signing.seed, message),
    scram: offersScram ? scramProof(credentials.scram(), message) : null,
  };
}

/** A verifier of each kind. */
interface BothKinds {
  readonly signature: SignatureVerifier;
  readonly scram: ScramVerifier;
}

/**
 * Stand-ins for the verifiers that a server does not have, made from its secret of 32 bytes. No
 * proof fits them.
 */
export const impossibleVerifiers = (user: string, secret: Uint8Array): BothKinds => {
  const { serverKey, ...scram } = impossibleScram(user, secret);
  const publicKey = publicKeyOf(secret);
  return {
    signature: { is: "signature", publicKey, serverKey },
    scram: { ...scram, serverKey },
  };
};

/**
 * The server's proof, 32 bytes, if the client's proof is right; else null. The work is the same
 * whether the user is known or not (`known` is null), and for both kinds of verifier: `standIns`
 * are checked instead of missing ones.
 */
export function answerTo(
  proof: Proof,
  exchange: Exchange,
  known: Verifier | null,
  standIns: BothKinds,
): Uint8Array | null {
  const message = signedBytesOf(exchange);
  const signature = known?.is === "signature" ? known : standIns.signature;
  const scram = known?.is === "scram" ? known : standIns.scram;
  const isSigned = isSignature(signature.publicKey, message, proof.signature);
  const isProved = proof.scram !== null && isScramProof(scram, message, proof.scram);
  const isRight = known?.is === "signature" ? isSigned : isProved;
  return known && isRight ? serverProof(known.serverKey, message) : null;
}

const serverProof = (serverKey: Uint8Array, message: Uint8Array): Uint8Array =>
  createHmac("sha256", serverKey).update(message).digest();

/**
 * With which kind of verifier the server has proved itself. null: with none, and nothing that it
 * says may be believed.
 */
export function provedBy(
  credentials: Credentials,
  exchange: Exchange,
  { scram }: Proof,
  answer: Uint8Array,
): Verifier["is"] | null {
  const message = signedBytesOf(exchange);
  const isOf = ({ serverKey }: Verifier): boolean =>
    timingSafeEqual(serverProof(serverKey, message), answer);
  if (isOf(credentials.signing)) return "signature";
  return scram !== null && isOf(credentials.scram()) ? "scram" : null;
}
