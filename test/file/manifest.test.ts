import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { encodeManifest, manifestOf, pieceLengths, storableTime } from "../../src/file/manifest.ts";
import { MANIFEST_BYTES, PIECES_MAX } from "../../src/limits.ts";
import * as any from "../harness/arbitraries.ts";
import { ringFrom, versionOf, vidOf } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

const manifest = fc.record({
  isFolder: fc.boolean(),
  modified: any.u53,
  mode: any.u32,
  roots: fc.array(any.bytesOf(32), { maxLength: PIECES_MAX }),
});
/** Without pieces it has no bytes either. */
const version = (body: Uint8Array, pieces: number) =>
  versionOf({
    vid: vidOf(1),
    pieces,
    needed: pieces,
    copies: 2,
    ring: ringFrom(0, pieces),
    size: pieces && 1000,
    body,
  });

const plain = { isFolder: false, modified: 1234, mode: 0o644, roots: [new Uint8Array(32).fill(7)] };

test("the time of any file is one that a manifest and a date can have", () => {
  forAll([fc.double({ noNaN: true })], (ms) => {
    const time = storableTime(ms);
    expect(Number.isSafeInteger(time)).toBe(true);
    expect(new Date(time).getTime()).toBe(time);
  });
  expect([-0.5, 0, 1234.9].map(storableTime)).toEqual([0, 0, 1234]);
});

describe("a manifest", () => {
  test("reads as it was written", () => {
    forAll([manifest], (value) => {
      const body = encodeManifest(value);
      expect(manifestOf("a", version(body, value.roots.length))).toEqual({ ...value, format: 1 });
    });
  });

  test("lies in bytes as the format says", () => {
    const expected = ["01", "00", "00000000000004d2", "000001a4", "00000001", "07".repeat(32)];
    expect(encodeManifest(plain).toHex()).toBe(expected.join(""));
  });

  test("of the most pieces fits into a version", () => {
    const roots = Array.from({ length: PIECES_MAX }, () => new Uint8Array(32));
    expect(encodeManifest({ ...plain, roots }).length).toBeLessThanOrEqual(MANIFEST_BYTES);
  });
});

describe("a manifest that contradicts itself is refused", () => {
  const body = encodeManifest(plain);
  const refused = (wrong: Uint8Array, pieces = 1): string =>
    errorOf("integrity", () => manifestOf("dir/a", version(wrong, pieces))).message;

  test("with the name of its file", () => {
    expect(refused(new Uint8Array())).toContain("dir/a");
  });

  test("when it is cut, too long, or of another format", () => {
    for (const cut of body.keys()) refused(body.subarray(0, cut));
    refused(Buffer.concat([body, new Uint8Array(1)]));
    refused(body.with(0, 2));
    refused(body.with(0, 0));
  });

  test("when it has not one root for each piece", () => {
    refused(body, 0);
    refused(body, 2);
  });

  test("when no pieces, or more than there are, would make up the file", () => {
    for (const needed of [0, 2])
      errorOf("integrity", () => manifestOf("a", { ...version(body, 1), needed }));
    // Nothing makes up no bytes.
    expect(manifestOf("a", { ...version(body, 1), needed: 0, size: 0 })).toMatchObject(plain);
  });

  test("whatever the bytes are, nothing else is thrown", () => {
    forAll([any.bytesUpTo(100), fc.nat(3)], (raw, pieces) => {
      try {
        manifestOf("a", version(raw, pieces));
      } catch {
        refused(raw, pieces);
      }
    });
  });
});

test("the lengths of the pieces sum to the file", () => {
  const whole = version(new Uint8Array(), 4);
  expect(pieceLengths(whole)).toEqual([250, 250, 250, 250]);
  expect(pieceLengths({ ...whole, size: 1002 })).toEqual([251, 251, 250, 250]);
  expect(pieceLengths({ ...whole, size: 0 })).toEqual([0, 0, 0, 0]);
  expect(pieceLengths({ ...whole, pieces: 0 })).toEqual([]);
});
