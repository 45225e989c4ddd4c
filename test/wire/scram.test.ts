import { expect, test } from "bun:test";
import {
  derivationOf,
  impossibleScram,
  isScramProof,
  scramKeysOf,
  scramProof,
  scramVerifierOf,
} from "../../src/wire/scram.ts";

const alice = scramKeysOf("Alice", "a login");
const said = new TextEncoder().encode("all that was said");

test("the example of RFC 7677", () => {
  const salt = Uint8Array.fromBase64("W22ZaJ0SNY7soEsUEjb6gQ==");
  const user = scramKeysOf("user", "pencil", { salt, iterations: 4096 });
  const nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  const words = new TextEncoder().encode(
    `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=${nonce}`,
  );
  const proof = scramProof(user, words);
  expect(proof.toBase64()).toBe("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  expect(isScramProof(user, words, proof)).toBe(true);
  const answer = new Bun.CryptoHasher("sha256", user.serverKey).update(words).digest("base64");
  expect(answer).toBe("6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
});

test("what servers of before keep is what it always was", () => {
  const { storedKey, serverKey } = scramVerifierOf("Alice", "a login");
  expect([derivationOf("Alice").salt.toHex(), storedKey.toHex(), serverKey.toHex()]).toEqual([
    "172c2769247a5fe428b3414f8e87084c",
    "e6570ab4102db451ba7195e604ed728d35669a5be6e0d09d15a37fcf379203f6",
    "3a1868f6e25b3fefc3948fa0a40ade1f1b7eaa38468d5b0f7076b84a230bea99",
  ]);
});

test("a verifier is not enough for a proof, and nobody meets the one of a user that is not known", () => {
  const thief = { ...alice, clientKey: alice.storedKey };
  expect(isScramProof(alice, said, scramProof(thief, said))).toBe(false);
  const nobody = impossibleScram("Alice", new Uint8Array(32));
  expect(isScramProof(nobody, said, scramProof(alice, said))).toBe(false);
});
