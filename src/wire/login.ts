/**
 * A login: both sides say a nonce, the server also who it is; the user proves to know the password, then the server to have its
 * verifier. Both proofs are of all that was said, and of the TLS connection where there is one (tls-exporter, RFC 9266). A server
 * has one of two kinds of verifier, and does not tell which before it was shown a proof: the client sends a proof for each.
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

/** What a server keeps of a password, of the newer kind or the older. */
export type Verifier = SignatureVerifier | ScramVerifier;

/** All that a client needs to log in, on any server. */
export interface Credentials {
  readonly user: string;
  readonly signing: SigningKeys;
  /** For servers that have an older verifier; it takes milliseconds at first. */
  scram(): ScramKeys;
}

/** What belongs to a TLS connection alone; null where there is none. */
export type Binding = Uint8Array | null;

/** What both sides have said, and where. */
export interface Exchange {
  readonly user: string;
  readonly clientNonce: Uint8Array;
  readonly serverNonce: Uint8Array;
  /** The server's id. */
  readonly sid: string;
  readonly binding: Binding;
}

/** What a client shows; `scram` is null where it wants to be known by its signature only. */
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

/** What is signed: no two exchanges have the same bytes, and no other bytes of dfs-tool begin like them. */
export const wordsOf = (exchange: Exchange): Uint8Array =>
  encode(exchangeCodec, { what: "dfs-tool login 1", ...exchange });

/** The keys of a user whose stretched password is `login` (io/stretch). */
export function credentialsOf(user: string, login: string): Credentials {
  let scram: ScramKeys | null = null;
  return {
    user,
    signing: signingKeysOf(user, login),
    scram: () => (scram ??= scramKeysOf(user, login)),
  };
}

/** What a server keeps from now on of a user whose stretched password is `login`. */
export const verifierOf = signatureVerifierOf;

/** The client's proof. With `offersScram` servers that have an older verifier take it too. */
export function proofOf(credentials: Credentials, exchange: Exchange, offersScram: boolean): Proof {
  const said = wordsOf(exchange);
  return {
    signature: signatureOf(credentials.signing.seed, said),
    scram: offersScram ? scramProof(credentials.scram(), said) : null,
  };
}

/** Verifiers of both kinds. */
interface BothKinds {
  readonly signature: SignatureVerifier;
  readonly scram: ScramVerifier;
}

/** What stands in for the verifiers that a server does not have, made of its secret of 32 bytes. Nobody meets them. */
export const impossibleVerifiers = (user: string, secret: Uint8Array): BothKinds => {
  const { serverKey, ...scram } = impossibleScram(user, secret);
  const publicKey = publicKeyOf(secret);
  return {
    signature: { is: "signature", publicKey, serverKey },
    scram: { ...scram, serverKey },
  };
};

/**
 * The server's proof, 32 bytes, where the client's is right; else null. It is the same work whether the user is known or not
 * (`known` is null), and of whichever kind the verifier is: `standIns` are checked in the place of what is not there.
 */
export function answerTo(
  proof: Proof,
  exchange: Exchange,
  known: Verifier | null,
  standIns: BothKinds,
): Uint8Array | null {
  const said = wordsOf(exchange);
  const signature = known?.is === "signature" ? known : standIns.signature;
  const scram = known?.is === "scram" ? known : standIns.scram;
  const isSigned = isSignature(signature.publicKey, said, proof.signature);
  const isProved = proof.scram !== null && isScramProof(scram, said, proof.scram);
  const isRight = known?.is === "signature" ? isSigned : isProved;
  return known && isRight ? serverProof(known.serverKey, said) : null;
}

const serverProof = (serverKey: Uint8Array, said: Uint8Array): Uint8Array =>
  createHmac("sha256", serverKey).update(said).digest();

/** By which kind of verifier the server has proved itself; null: by none, and nothing that it says may be believed. */
export function provedBy(
  credentials: Credentials,
  exchange: Exchange,
  { scram }: Proof,
  answer: Uint8Array,
): Verifier["is"] | null {
  const said = wordsOf(exchange);
  const isOf = ({ serverKey }: Verifier): boolean =>
    timingSafeEqual(serverProof(serverKey, said), answer);
  if (isOf(credentials.signing)) return "signature";
  return scram !== null && isOf(credentials.scram()) ? "scram" : null;
}
