/** Manifests and keys: nothing that a server changes is what the user made. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { attributesOf } from "../../src/file/attributes.ts";
import {
  costOf,
  costsIn,
  gcmOpen,
  gcmSeal,
  keysOf,
  type StretchedPassword,
  unwrapMaster,
  wrapMaster,
} from "../../src/file/keys.ts";
import { manifestOf, rootsOf } from "../../src/file/manifest.ts";
import { isSealed, readSigned, signVersion } from "../../src/file/sealed_manifest.ts";
import type { Version } from "../../src/version.ts";
import { ATTRIBUTES_BYTES, MANIFEST_BYTES, PIECES_MAX, WRAP_KIB_MAX } from "../../src/limits.ts";
import { openingOf } from "../harness/secret.ts";
import { versionOf, vidOf, historyOf } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

const keys = keysOf("Alice", new Uint8Array(32).fill(1));
const roots = [1, 2].map((fill) => new Uint8Array(32).fill(fill));
const attributes = attributesOf({ time: 5n, mode: 0o644 });
const facts = { bytes: 34, key: new Uint8Array(32), attributes };
const nonce = new Uint8Array(12).fill(9);
const bare = versionOf({
  vid: vidOf(1),
  seq: 3,
  history: historyOf(vidOf(2)),
  birthFloor: 4n,
  pieces: 2,
  needed: 2,
  copies: 2,
  ring: [0, 1],
  size: 50,
});
const version = signVersion(keys, "name", bare, 7n, roots, facts, nonce);

test("a manifest comes back, its roots without keys too", () => {
  expect(readSigned(keys, "name", version)).toEqual({ facts, roots, ballot: 7n });
  expect(isSealed(version.body)).toBe(true);
  expect(rootsOf("name", version)).toEqual(roots);
  expect(errorOf("integrity", () => manifestOf("name", version)).message).toContain("password");
});

test("with the most pieces and the most attributes it fits into a version", () => {
  const most = new Map([["a", new Uint8Array(ATTRIBUTES_BYTES - 13)]]);
  const all = Array.from({ length: PIECES_MAX }, () => new Uint8Array(32));
  const large = signVersion(keys, "name", bare, 7n, all, { ...facts, attributes: most }, nonce);
  expect(large.body.length).toBeLessThanOrEqual(MANIFEST_BYTES);
  expect(readSigned(keys, "name", large)?.facts.attributes).toEqual(most);
});

test("its length tells the attributes' in steps of 64 bytes only", () => {
  const lengths = Array.from({ length: 200 }, (_, bytes) => {
    const some = { ...facts, attributes: new Map([["meta:a", new Uint8Array(bytes)]]) };
    return signVersion(keys, "name", bare, 7n, roots, some, nonce).body.length;
  });
  const steps = new Set(lengths);
  expect(steps.size).toBeLessThanOrEqual(5);
  for (const length of steps) expect((length - Math.min(...steps)) % 64).toBe(0);
});

test("where its pieces lie may change", () =>
  expect(
    readSigned(keys, "name", { ...version, ring: [3, 1], at: [{ piece: 0, slot: 2 }] }),
  ).not.toBeNull());

describe("it is bound to", () => {
  const changes: [string, Partial<Version>][] = [
    ["vid", { vid: vidOf(9) }],
    ["seq", { seq: 4 }],
    ["history", { history: [] }],
    ["what its history says", { history: [{ vid: vidOf(2), cid: null, put: 0, keep: 1 }] }],
    ["birth", { birthFloor: 5n }],
    ["its time", { put: 1 }],
    ["how long its life is kept", { keepMax: 1 }],
    ["its content", { cid: vidOf(9) }],
    ["deleted", { deleted: true }],
    ["pieces", { pieces: 3 }],
    ["needed", { needed: 1 }],
    ["copies", { copies: 1 }],
    ["stripes", { striped: true }],
    ["size", { size: 51 }],
  ];
  test.each(changes)("%s", (_, change) =>
    expect(readSigned(keys, "name", { ...version, ...change })).toBeNull(),
  );

  test("the name and the user", () => {
    expect(readSigned(keys, "other", version)).toBeNull();
    expect(readSigned(keysOf("Bob", new Uint8Array(32).fill(1)), "name", version)).toBeNull();
    expect(readSigned(keysOf("Alice", new Uint8Array(32)), "name", version)).toBeNull();
  });

  test("every bit and the length of its body", () => {
    const { body } = version;
    forAll([fc.nat({ max: body.length - 1 }), fc.nat(7)], (at, bit) => {
      const changed = body.with(at, (body[at] ?? 0) ^ (1 << bit));
      expect(readSigned(keys, "name", { ...version, body: changed })).toBeNull();
    });
    for (let length = 0; length < body.length; length++)
      expect(readSigned(keys, "name", { ...version, body: body.subarray(0, length) })).toBeNull();
  });
});

describe("a master key", () => {
  const master = new Uint8Array(32).fill(3);
  const [now, next, other] = [1, 2, 3].map((fill) => openingOf(new Uint8Array(32).fill(fill))) as [
    StretchedPassword,
    StretchedPassword,
    StretchedPassword,
  ];
  const wraps = [now, next].map((password, i) => {
    const cost = costOf(new Uint8Array(16).fill(i));
    return { cost, stretched: password.stretched(cost) ?? new Uint8Array() };
  });
  const random = new Uint8Array(24).map((_, i) => i);
  const record = wrapMaster(wraps, "Alice", master, random);

  test("opens with each of its passwords, for its user alone", () => {
    expect(unwrapMaster(now, "Alice", record)).toEqual(master);
    expect(unwrapMaster(next, "Alice", record)).toEqual(master);
    expect(unwrapMaster(other, "Alice", record)).toBeNull();
    expect(unwrapMaster(now, "Bob", record)).toBeNull();
  });

  test("opens by nothing before the password was stretched", () => {
    const { wrap } = now;
    expect(unwrapMaster({ wrap, stretched: () => null }, "Alice", record)).toBeNull();
    expect(costsIn(record)).toEqual(wraps.map(({ cost }) => cost));
  });

  test("does not open where the record commits to another one", () => {
    const forged = wrapMaster(wraps, "Alice", new Uint8Array(32).fill(4), random);
    const mixed = new Uint8Array([...forged.subarray(0, 33), ...record.subarray(33)]);
    expect(unwrapMaster(now, "Alice", mixed)).toBeNull();
  });

  test.each([
    { kib: 2 ** 32 - 1 },
    { kib: WRAP_KIB_MAX + 1 },
    { kib: 7 },
    { passes: 0 },
    { passes: 255 },
    { lanes: 0 },
    { lanes: 255 },
  ])("that would cost %j is not worth a try", (change) => {
    const dear = wraps.map(({ cost, stretched }) => ({ cost: { ...cost, ...change }, stretched }));
    expect(costsIn(wrapMaster(dear, "Alice", master, random))).toEqual([]);
  });

  test("in a record that was changed it is the same or none", () =>
    forAll([fc.nat({ max: record.length - 1 }), fc.nat(7)], (at, bit) => {
      const found = unwrapMaster(now, "Alice", record.with(at, (record[at] ?? 0) ^ (1 << bit)));
      expect([null, master.toHex()]).toContain(found && found.toHex());
    }));

  test("users have keys of their own, even with one master key", () => {
    const one = keysOf("Alice", master);
    const two = keysOf("Bob", master);
    expect(one.names).not.toEqual(two.names);
    expect(one.manifests).not.toEqual(two.manifests);
  });
});

test("a seal is bound to what goes with it", () => {
  const key = new Uint8Array(32);
  const bound = new Uint8Array([1]);
  const sealed = gcmSeal(key, nonce, bound, new Uint8Array(5));
  expect(gcmOpen(key, nonce, bound, sealed)).toEqual(Buffer.alloc(5));
  expect(gcmOpen(key, nonce, new Uint8Array([2]), sealed)).toBeNull();
  expect(gcmOpen(key, nonce, bound, sealed.subarray(0, 15))).toBeNull();
});
