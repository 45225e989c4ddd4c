import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  answerTo,
  type Binding,
  credentialsOf,
  type Exchange,
  impossibleVerifiers,
  type Proof,
  proofOf,
  provedBy,
  type Verifier,
  verifierOf,
  signedBytesOf,
} from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { signatureOf } from "../../src/wire/signature.ts";
import { forAll } from "../harness/property.ts";

const BINDING = new Uint8Array(32).fill(7);
const alice = credentialsOf("Alice", "a login");
const other = credentialsOf("Alice", "another login");
const signed = verifierOf("Alice", "a login");
const scram = scramVerifierOf("Alice", "a login");
const standIns = impossibleVerifiers("Alice", new Uint8Array(32).fill(9));
const exchange: Exchange = {
  user: "Alice",
  clientNonce: new Uint8Array(32).fill(1),
  serverNonce: new Uint8Array(32).fill(2),
  sid: "5".repeat(32),
  binding: null,
};

interface Sides {
  credentials?: typeof alice;
  known?: Verifier | null;
  offersScram?: boolean;
  /** What the server takes for said. */
  heard?: Exchange;
  said?: Exchange;
  /** What becomes of the proof, and of the answer, on the way. */
  onTheWay?: (proof: Proof) => Proof;
  back?: (answer: Uint8Array) => Uint8Array;
}

/** A login: has the server taken it; and by which verifier has the client seen it prove itself? */
function logIn({
  credentials = alice,
  known = signed,
  offersScram = true,
  said = exchange,
  heard = said,
  onTheWay = (proof) => proof,
  back = (answer) => answer,
}: Sides = {}): { server: boolean; client: Verifier["is"] | null } {
  const proof = proofOf(credentials, said, offersScram);
  const answer = answerTo(onTheWay(proof), heard, known, standIns);
  if (answer === null) return { server: false, client: null };
  return { server: true, client: provedBy(credentials, said, proof, back(answer)) };
}

const NEITHER = { server: false, client: null };
const BINDINGS: [string, Binding][] = [
  ["without TLS", null],
  ["over TLS", BINDING],
];
const KINDS: [Verifier["is"], Verifier][] = [
  ["signature", signed],
  ["scram", scram],
];

describe.each(BINDINGS)("%s", (_, binding) => {
  const said = { ...exchange, binding };

  test.each(KINDS)("both sides prove themselves, by %s", (is, known) => {
    expect(logIn({ said, known })).toEqual({ server: true, client: is });
    expect(logIn({ said, known, credentials: other })).toEqual(NEITHER);
  });

  test.each(KINDS)("nothing that was said may be another, by %s", (_is, known) => {
    const flip = (bytes: Uint8Array): Uint8Array => bytes.with(5, (bytes[5] ?? 0) ^ 1);
    for (const heard of [
      { ...said, user: "alice" },
      { ...said, clientNonce: flip(said.clientNonce) },
      { ...said, serverNonce: flip(said.serverNonce) },
      { ...said, sid: "6".repeat(32) },
      { ...said, binding: binding ? null : BINDING },
      { ...said, binding: new Uint8Array(32).fill(8) },
    ])
      expect(logIn({ said, heard, known })).toEqual(NEITHER);
  });
});

test.each(KINDS)("no bit of a proof or of its answer may be changed, by %s", (is, known) => {
  for (let bit = 0; bit < 8 * 32; bit++) {
    const flip = (bytes: Uint8Array): Uint8Array =>
      bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
    const onTheWay = ({ signature, scram: proof }: Proof): Proof => ({
      signature: is === "signature" ? flip(signature) : signature,
      scram: proof && is === "scram" ? flip(proof) : proof,
    });
    expect(logIn({ known, onTheWay })).toEqual(NEITHER);
    expect(logIn({ known, back: flip })).toEqual({ server: true, client: null });
  }
});

test("a server with the public key alone, and not its own key, is noticed", () => {
  const known = { ...signed, serverKey: new Uint8Array(32) };
  expect(logIn({ known })).toEqual({ server: true, client: null });
});

test("whoever has the verifiers cannot log in with them", () => {
  for (const seed of [signed.publicKey, signed.serverKey])
    expect(
      logIn({
        onTheWay: () => ({ signature: signatureOf(seed, signedBytesOf(exchange)), scram: null }),
      }),
    ).toEqual(NEITHER);
});

describe("a client that wants to be known by its signature only", () => {
  test("shows no other proof, so that an older verifier does not do", () => {
    expect(proofOf(alice, exchange, false).scram).toBeNull();
    expect(logIn({ known: scram, offersScram: false })).toEqual(NEITHER);
    expect(logIn({ offersScram: false })).toEqual({ server: true, client: "signature" });
  });

  test("takes no older proof of a server either", () => {
    const proof = proofOf(alice, exchange, true);
    const answer = answerTo(proof, exchange, scram, standIns) ?? new Uint8Array(32);
    expect(provedBy(alice, exchange, proof, answer)).toBe("scram");
    expect(provedBy(alice, exchange, { ...proof, scram: null }, answer)).toBeNull();
  });
});

test("an old proof that a signed user's verifier has replaced is worth nothing", () => {
  const thief = { ...other, scram: () => alice.scram() };
  expect(logIn({ credentials: thief, known: signed })).toEqual(NEITHER);
  expect(logIn({ credentials: thief, known: scram }).server).toBe(true);
});

test("nobody meets what stands in for a user that is not known, not even the same proof", () => {
  expect(logIn({ known: null })).toEqual(NEITHER);
  for (const known of [standIns.signature, standIns.scram])
    expect(logIn({ known })).toEqual(NEITHER);
});

test("no two exchanges are signed by the same bytes", () => {
  const text = fc.string({ unit: "binary", maxLength: 16 });
  const nonce = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const sid = nonce.map((bytes) => bytes.slice(16).toHex());
  const any = fc.record({
    user: text,
    clientNonce: nonce,
    serverNonce: nonce,
    sid,
    binding: fc.option(nonce),
  });
  forAll([any, any], (one, two) => {
    const isSame = Bun.deepEquals(one, two);
    expect(Buffer.compare(signedBytesOf(one), signedBytesOf(two)) === 0).toBe(isSame);
    expect(signedBytesOf(one)).toEqual(signedBytesOf({ ...one }));
  });
});

test("a verifier of another user with the same login does not do", () => {
  expect(logIn({ known: verifierOf("Bob", "a login") })).toEqual(NEITHER);
});
