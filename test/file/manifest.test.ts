import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { attributesOf, type Known, knownIn } from "../../src/file/attributes.ts";
import { encodeManifest, manifestOf, pieceLengths } from "../../src/file/manifest.ts";
import { ATTRIBUTES_BYTES, MANIFEST_BYTES, PIECES_MAX } from "../../src/limits.ts";
import * as any from "../harness/arbitraries.ts";
import { ringFrom, versionOf, vidOf } from "../harness/arbitraries.ts";
import { forAll } from "../harness/property.ts";
import { errorOf } from "../harness/thrown.ts";

const manifest = fc.record({
  attributes: any.attributes,
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

const plain = {
  attributes: attributesOf({ time: 1234n, mode: 0o644 }),
  roots: [new Uint8Array(32).fill(7)],
};

describe("a manifest", () => {
  test("reads as it was written", () => {
    forAll([manifest], (value) => {
      const body = encodeManifest(value);
      expect(manifestOf("a", version(body, value.roots.length))).toEqual(value);
    });
  });

  test("lies in bytes as the format says", () => {
    const mode = ["00000004", "6d6f6465", "00000004", "000001a4"];
    const time = ["00000004", "74696d65", "00000008", "00000000000004d2"];
    const expected = ["03", "00000002", ...mode, ...time, "00000001", "07".repeat(32)];
    expect(encodeManifest(plain).toHex()).toBe(expected.join(""));
  });

  test("of the most pieces, with the most attributes, fits into a version", () => {
    const roots = Array.from({ length: PIECES_MAX }, () => new Uint8Array(32));
    const attributes = new Map([["a", new Uint8Array(ATTRIBUTES_BYTES - 13)]]);
    const body = encodeManifest({ attributes, roots });
    expect(body.length).toBeLessThanOrEqual(MANIFEST_BYTES);
    expect(manifestOf("a", version(body, PIECES_MAX))).toEqual({ attributes, roots });
  });

  test("of the format before reads as it ever did", () => {
    const root = "07".repeat(32);
    const cases: [string, number, Known][] = [
      [
        `01000000018bcfe5687b000001a000000001${root}`,
        1,
        { time: 1_700_000_000_123_000_000n, mode: 0o640 },
      ],
      [
        "01010000018bcfe5687b000001ed00000000",
        0,
        { time: 1_700_000_000_123_000_000n, mode: 0o755, kind: "folder" },
      ],
      // A time that is later than attributes can have.
      [`0100001eb208c2dc0000000001a400000001${root}`, 1, { time: 2n ** 63n - 1n, mode: 0o644 }],
    ];
    for (const [body, pieces, known] of cases) {
      const read = manifestOf("a", version(Uint8Array.fromHex(body), pieces));
      expect(knownIn(read.attributes)).toEqual(known);
      expect(read.roots).toEqual(pieces ? [new Uint8Array(32).fill(7)] : []);
    }
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
    for (const format of [0, 1, 2, 4, 5]) refused(body.with(0, format));
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
