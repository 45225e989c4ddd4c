import { describe, expect, test } from "bun:test";
import {
  isSignature,
  publicKeyOf,
  signatureOf,
  signatureVerifierOf,
  signingKeysOf,
} from "../../src/wire/signature.ts";

const bytes = (hex: string): Uint8Array => Uint8Array.fromHex(hex);

/** RFC 8032, section 7.1: TEST 1 to 3, and TEST SHA(abc). */
const VECTORS = [
  {
    seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    said: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    said: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
  {
    seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    said: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  },
  {
    seed: "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
    publicKey: "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
    said: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    signature:
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
  },
];

describe.each(VECTORS)("the vector of RFC 8032 with public key $publicKey", (vector) => {
  const [seed, publicKey, said] = [vector.seed, vector.publicKey, vector.said].map(bytes) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  test("comes out", () => {
    expect(publicKeyOf(seed).toHex()).toBe(vector.publicKey);
    expect(signatureOf(seed, said).toHex()).toBe(vector.signature);
    expect(isSignature(publicKey, said, bytes(vector.signature))).toBe(true);
  });

  test("does not with any bit of it changed", () => {
    const signature = bytes(vector.signature);
    for (let bit = 0; bit < 8 * signature.length; bit++) {
      const at = bit >> 3;
      const changed = signature.with(at, (signature[at] ?? 0) ^ (1 << (bit & 7)));
      expect(isSignature(publicKey, said, changed)).toBe(false);
    }
    expect(isSignature(publicKey, new Uint8Array([...said, 0]), signature)).toBe(false);
  });
});

test("the scalar of a signature has one form: L more is refused", () => {
  const { publicKey, said, signature } = VECTORS[1] as (typeof VECTORS)[number];
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const scalar = BigInt(`0x${bytes(signature).slice(32).toReversed().toHex()}`) + order;
  const s = bytes(scalar.toString(16).padStart(64, "0")).toReversed();
  const other = new Uint8Array([...bytes(signature).slice(0, 32), ...s]);
  expect(isSignature(bytes(publicKey), bytes(said), other)).toBe(false);
});

test("what is no point verifies nothing", () => {
  const said = new Uint8Array([1]);
  for (const key of [new Uint8Array(32).fill(255), new Uint8Array(32).fill(2)])
    expect(isSignature(key, said, new Uint8Array(64))).toBe(false);
});

test("what a server keeps is what it always was, and not what a client has", () => {
  const { is, publicKey, serverKey } = signatureVerifierOf("Alice", "a login");
  expect({ is, publicKey: publicKey.toHex(), serverKey: serverKey.toHex() }).toEqual({
    is: "signature",
    publicKey: "682d4f362495ed8a0bc9b0350efe899b9615a317a23c63e32f73cdea5198eeb5",
    serverKey: "611f3c9e968f84e44ad59b021180c039dc36f128be3f60f650542c28de73328a",
  });
  const keys = signingKeysOf("Alice", "a login");
  expect(new Set([keys.seed, publicKey, serverKey].map((key) => key.toHex())).size).toBe(3);
  expect(signatureVerifierOf("Bob", "a login").publicKey).not.toEqual(publicKey);
});
