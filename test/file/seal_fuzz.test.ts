/**
 * Damaged manifests, key records, sealed names and login proofs: none opens as anything but what was sealed, and none does harm.
 * FUZZ_SECONDS=n goes on for so long.
 */
import { expect, test } from "bun:test";
import { isDfsError } from "../../src/errors.ts";
import { attributesOf } from "../../src/file/attributes.ts";
import { costOf, costsIn, keysOf, unwrapMaster, wrapMaster } from "../../src/file/keys.ts";
import { encodeManifest, manifestOf, rootsOf } from "../../src/file/manifest.ts";
import { mayBeStored } from "../../src/file/names.ts";
import { openName, sealName } from "../../src/file/sealed_name.ts";
import { readSigned, signVersion } from "../../src/file/sealed_manifest.ts";
import { WRAP_KIB_MAX } from "../../src/limits.ts";
import type { Version } from "../../src/version.ts";
import {
  answerTo,
  credentialsOf,
  type Exchange,
  impossibleVerifiers,
  proofOf,
  provedBy,
  verifierOf,
} from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { versionOf, vidOf } from "../harness/arbitraries.ts";
import { openingOf } from "../harness/secret.ts";
import { damage, type Dice, dice, seconds, seed } from "../wire/damage.ts";

const INPUTS = 5000;
const utf8 = new TextEncoder();
const latin1 = new TextDecoder("latin1");

const keys = keysOf("Alice", new Uint8Array(32).fill(1));
const roots = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill));
const attributes = attributesOf({ time: 5n, mode: 0o644, type: "text/plain" });
const facts = { bytes: 84, key: new Uint8Array(32), attributes };
const bare = versionOf({ vid: vidOf(1), pieces: 3, needed: 3, ring: [0, 1, 2], size: 100 });
const sealed = signVersion(keys, "name", bare, 7n, roots, facts, new Uint8Array(12));
const open = encodeManifest({ attributes, roots });
/** Of the formats from before there were attributes. */
const openBefore = Uint8Array.fromHex(
  `010000000000000005000001a400000003${roots.map((root) => root.toHex()).join("")}`,
);

/** The version with another body, or with others of its numbers. */
function changed(roll: Dice): Version {
  const body = damage([open, openBefore, sealed.body, sealed.body][roll(4)] ?? open, roll);
  const numbers = roll(3) === 0 ? { pieces: roll(70), needed: roll(70), size: roll(1000) } : {};
  return { ...sealed, ...numbers, body };
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

function manifests(roll: Dice): void {
  const version = changed(roll);
  const isIt = isEqual(version.body, sealed.body) && version.size === sealed.size;
  if (!isIt && readSigned(keys, "name", version)) throw new Error("a forged manifest opened");
  for (const read of [() => manifestOf("name", version), () => rootsOf("name", version)])
    try {
      read();
    } catch (error) {
      if (!isDfsError(error, "integrity")) throw error;
    }
}

const secret = new Uint8Array(32).fill(2);
const master = new Uint8Array(32).fill(3);
const opening = openingOf(secret);
const wraps = [1, 2].map((fill) => {
  const cost = costOf(new Uint8Array(16).fill(fill));
  return { cost, stretched: opening.stretched(cost) ?? secret };
});
const record = wrapMaster(wraps, "Alice", master, new Uint8Array(24));

function records(roll: Dice): void {
  const other = damage(record, roll);
  if (costsIn(other).some(({ kib }) => kib > WRAP_KIB_MAX)) throw new Error("it costs too much");
  const found = unwrapMaster(opening, "Alice", other);
  if (found && !isEqual(found, master)) throw new Error("a forged key opened");
}

const name = "photos/2024/ü.jpg";
const stored = utf8.encode(sealName(keys, name));

function names(roll: Dice): void {
  const other = latin1.decode(damage(stored, roll));
  if (!mayBeStored(other)) return;
  const found = openName(keys, other);
  if (found === null || other === sealName(keys, found)) return;
  throw new Error(`${other} opened as ${found}`);
}

const alice = credentialsOf("Alice", "right");
const exchange: Exchange = {
  user: "Alice",
  clientNonce: new Uint8Array(32).fill(1),
  serverNonce: new Uint8Array(32).fill(2),
  sid: "5".repeat(32),
  binding: null,
};
const standIns = impossibleVerifiers("Alice", new Uint8Array(32));
const proof = proofOf(alice, exchange, true);
const verifiers = [verifierOf("Alice", "right"), scramVerifierOf("Alice", "right")];
const answers = verifiers.map((verifier) => answerTo(proof, exchange, verifier, standIns));

/** Bytes of the same length, changed. */
const sameLength = (bytes: Uint8Array, roll: Dice): Uint8Array => {
  const out = new Uint8Array(bytes.length);
  out.set(damage(bytes, roll).subarray(0, bytes.length));
  return out;
};

function logins(roll: Dice): void {
  const signature = sameLength(proof.signature, roll);
  const scram = proof.scram && sameLength(proof.scram, roll);
  const isIt =
    isEqual(signature, proof.signature) || isEqual(scram ?? signature, proof.scram ?? signature);
  for (const verifier of verifiers)
    if (!isIt && answerTo({ signature, scram }, exchange, verifier, standIns))
      throw new Error("a forged proof was taken");
  for (const answer of answers) {
    const reply = sameLength(answer ?? new Uint8Array(32), roll);
    if (!isEqual(reply, answer ?? reply) && provedBy(alice, exchange, proof, reply))
      throw new Error("a forged server was taken");
  }
}

test(
  "what is damaged is not what was sealed",
  () => {
    expect(readSigned(keys, "name", sealed)).not.toBeNull();
    expect(unwrapMaster(opening, "Alice", record)).toEqual(master);
    expect(answers.includes(null)).toBe(false);
    const until = performance.now() + seconds * 1000;
    let n = 0;
    for (; n < INPUTS || performance.now() < until; n++)
      for (const work of [manifests, records, names, logins])
        try {
          work(dice(seed * 1_000_003 + n));
        } catch (error) {
          throw new Error(`input ${n} of seed ${seed} of ${work.name}`, { cause: error });
        }
    if (seconds > 0) console.log(`${n} inputs of each kind`);
  },
  (seconds + 60) * 1000,
);
