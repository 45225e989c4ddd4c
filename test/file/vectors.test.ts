/** The formats of what is sealed, with the values that README.md of src/file shows: they never change unseen. */
import { createHash } from "node:crypto";
import { expect, test } from "bun:test";
import { concat } from "../../src/bytes.ts";
import { attributesOf, knownIn, NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { costOf, costsIn, keysOf, unwrapMaster, wrapMaster } from "../../src/file/keys.ts";
import {
  openSegment,
  sealedBytes,
  SEALED_SEGMENT_BYTES,
  sealSegment,
  SEGMENT_BYTES,
  segmentCount,
} from "../../src/file/seal.ts";
import { readSigned, signVersion } from "../../src/file/sealed_manifest.ts";
import { openName, sealName } from "../../src/file/sealed_name.ts";
import { passwordIn, stretch } from "../../src/io/stretch.ts";
import type { Version } from "../../src/version.ts";
import { verifierOf } from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { inStore } from "../harness/named.ts";

/** Bytes that count up from `first`. */
import { historyOf } from "../harness/arbitraries.ts";

const counting = (first: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => first + i);
const sha256 = (data: Uint8Array): Uint8Array =>
  new Uint8Array(createHash("sha256").update(data).digest());

const USER = "alice";
const MASTER = counting(0x00, 32);
const keys = keysOf(USER, MASTER);
const KEY = counting(0x20, 32);
const BYTES = 66_536;
const content = Uint8Array.from(
  { length: BYTES },
  (_, i) => (7 * i + Math.floor(i / 256) + 13 * Math.floor(i / 65_536)) % 256,
);
const BALLOT = (1n << 64n) | 5n;
const ROOT = sha256(new TextEncoder().encode("root"));
const FOO = "orFZQaDRd-dRm4WgUBlhr47GRWWMJUw";
/** Format 2, from before there were attributes. */
const BODY_BEFORE =
  "02000000014813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2" +
  "00000000000000010000000000000005606162636465666768696a6b" +
  "000000459b2500dfcf0c0fc1ceb800a24a88bcea8518e9fa15de6e326cf09e45385910e26bc2f57d94d821c8310e192c8e7d11" +
  "1488bf006748e3179b6cae2d52d1a522fd0445b48cd2";
const BODY =
  "04000000014813494d137e1631bba301d5acab6e7bb7aa74ce1185d456565ef51d737677b2000000000000000100" +
  "00000000000005606162636465666768696a6b000000909b2500de44c2e941ee992280caad9acdad31c2d2d1d361" +
  "3f7fe589502b440fff78d7e26887d52ec5023a2c18b945282adeec593c777c55792d9bccdf362b8515ef08a7535c" +
  "fee3fb402ffd967f7c4e892006ae897fc1975a657799da9ef175b3c4a566ab5899b0b9df263219008216f9eb2da5" +
  "06cd22c9e2206ee391d5beb06181d6f61f3fbf73710053ea6bf8292cfc";
const version: Version = {
  vid: "000102030405060708090a0b0c0d0e0f",
  seq: 1,
  history: [],
  birthFloor: 0n,
  put: 0,
  keepMax: 0,
  deleted: false,
  cid: "000102030405060708090a0b0c0d0e0f",
  at: [],
  pieces: 1,
  needed: 1,
  copies: 1,
  striped: false,
  ring: [0],
  size: sealedBytes(BYTES),
  body: new Uint8Array(),
};
/** All that manifests said of the file before there were attributes. */
const attributes = attributesOf({ time: 1_700_000_000_000_000_000n, mode: 0o644 });
const facts = { bytes: BYTES, key: KEY, attributes };

test("a password comes to these keys and these verifiers", async () => {
  const { login, wrap } = await stretch(USER, "correct horse battery staple");
  expect(login).toBe("c353ccd7f1296181a3294efdaf419c23f70acf9081ad1fa346c07eea1982c9de");
  expect(wrap.toHex()).toBe("528ade8ff29241a237d426feee228528dc1a3d762ed40a88e87fb7a985b65ccf");
  const { publicKey, serverKey: proving } = verifierOf(USER, login);
  expect(publicKey.toHex()).toBe(
    "df51427e50e00dc800d7750f418dae9dd2a8b7ea26e247dd42e9e42190b9e634",
  );
  expect(proving.toHex()).toBe("2a38aa832fda93dd873b819356224459eb237fce45ef958d667e2f957b6a7f9c");
  const { storedKey, serverKey } = scramVerifierOf(USER, login);
  expect(Buffer.from(storedKey).toString("hex")).toBe(
    "a230685452a2c309511dd61cd34686c73fcbbb2ec3a93375e5f57be88013825c",
  );
  expect(Buffer.from(serverKey).toString("hex")).toBe(
    "18ec74fcffb1b630311bac9075719328b35b903acbf736e07ad7049200dba43e",
  );
});

test("a master key comes to these keys, and to this record; the record of before opens too", async () => {
  expect(keys.names.toHex()).toBe(
    "ebab9d2cc30337ff20f4351824b9b30b2acea57cebac925efcd607e45c4136d4" +
      "87601d59cfdbd66849b48ff63aff45e3841dcfb4c5b3668293746d46171c0169",
  );
  expect(keys.manifests.toHex()).toBe(
    "e4d4998840eb4cec52ff947ed9e182bc198d1250e6703f1267a3d8d5e6dfbef3",
  );
  expect(keys.fingerprint.toHex()).toBe("5aac34693daeb3755c2f9660c9d5949c");
  const secret = counting(0x80, 32);
  const old = Uint8Array.fromHex(
    "0100000001404142434445464748494a4b4c4d4e4f505152535455565758595a5b" +
      "0f76654438e2724136dbf8f20eb3460effbbad3e5b9fbd6ac2915948370315e1e7572227154a6d907a0cdd282ad4dad2",
  );
  const opens = (wrap: Uint8Array, user = USER): Uint8Array | null =>
    unwrapMaster({ wrap, stretched: () => null }, user, old);
  expect(opens(secret)).toEqual(MASTER);
  expect(opens(secret, "bob")).toBeNull();
  expect(opens(counting(0x81, 32))).toBeNull();
  expect(costsIn(old)).toEqual([]);

  const cost = costOf(counting(0x50, 16));
  const stretched = await passwordIn(USER, "correct horse battery staple").stretch(cost);
  expect(stretched.toHex()).toBe(
    "515a39949fc87056b704c980ed9f980a9f1b971f5b7fa226cf18e10719e62491",
  );
  const record = wrapMaster([{ cost, stretched }], USER, MASTER, counting(0x60, 12));
  expect(record.toHex()).toBe(
    "02c7ec9c6594b18b43d18e04785be1703f416078960069eba2b3ae5103dec4ade10000000100004c000201505152535455565758595a5b5c5d5e5f606162636465666768696a6bc42782f31399763df185be30fc93ab307c9cdf2125e5609127eef163c42440342d0327274487b493b3ec3f71f8a55ed6",
  );
  expect(costsIn(record)).toEqual([cost]);
  const opening = { wrap: secret, stretched: () => stretched };
  expect(unwrapMaster(opening, USER, record)).toEqual(MASTER);
  expect(unwrapMaster(opening, "bob", record)).toBeNull();
  expect(unwrapMaster({ wrap: secret, stretched: () => secret }, USER, record)).toBeNull();
});

test("names are sealed so", () => {
  const folder = "elASr5bzHs1GB3DMUw156MTFuI7SuA/";
  const sealed: [string, string][] = [
    ["foo.txt", FOO],
    ["photos/", folder],
    ["photos/foo.txt", `${folder}J5Oy5n1jwpG39cC8gTWAwNvT5ftbT2A`],
    // Empty components, but for the one at the end.
    ["/", "Y42OT52CYop6P594TFB5bw/"],
    ["//", "Y42OT52CYop6P594TFB5bw/OxurKo6qsiGWv09qBS9yBw/"],
    ["/lead", "Y42OT52CYop6P594TFB5bw/p3H5ee-ORgvL7IGIKxnY1L5S_Bo"],
    ["photos//", `${folder}p5UdZP-4kJjila0UKEHuKQ/`],
    ["photos//foo.txt", `${folder}p5UdZP-4kJjila0UKEHuKQ/lj7i30isEP4_4qjx5qdmODwO1Nkj4UQ`],
    ["..", "YHuKC0l8fBwtQrwRAKSp3xxC"],
    ["./x", "XJl0cZzCGiEhGvdjWZNa028/4IXWmQGkqgMFy2XrMxH_nx0"],
  ];
  for (const [name, stored] of sealed) {
    expect<string>(sealName(keys, name)).toBe(stored);
    expect<string | null>(openName(keys, inStore(stored))).toBe(name);
  }
});

test("a sealed name has one form: no other that reads the same opens", () => {
  for (const other of [`${FOO}=`, `${FOO.slice(0, 4)} ${FOO.slice(4)}`, `${FOO.slice(0, -1)}x`])
    expect(openName(keys, inStore(other))).toBeNull();
});

test("a content of two segments is sealed so", () => {
  const stream = { key: KEY, bytes: BYTES };
  const segments = Array.from({ length: segmentCount(BYTES) }, (_, i) => {
    const plain = content.subarray(i * SEGMENT_BYTES, (i + 1) * SEGMENT_BYTES);
    const sealed = new Uint8Array(sealedBytes(plain.length));
    sealSegment(stream, i, plain, sealed);
    return sealed;
  });
  const [first, last] = segments;
  expect([first?.length, last?.length]).toEqual([SEALED_SEGMENT_BYTES, 1032]);
  expect(first?.slice(0, 16).toHex()).toBe("e329ef4c887c4e68f066a20f32e46d09");
  expect(first?.slice(-16).toHex()).toBe("2c395d4586e5eb09f398e94f3503d8e6");
  expect(last?.slice(-16).toHex()).toBe("122292c7b7cf8d525379cfd8767cab51");
  expect(sha256(concat(segments)).toHex()).toBe(
    "821195cf1e8eabb1fe3d161e142f131acc90d886408cbffa51eec17629caa534",
  );
  const into = new Uint8Array(SEGMENT_BYTES);
  expect(openSegment(stream, 0, first ?? into, into)).toBe(true);
  expect(into).toEqual(content.subarray(0, SEGMENT_BYTES));
  expect(openSegment(stream, 1, first ?? into, into)).toBe(false);
});

/** The same bytes, said to be of the other format. */
const inOtherFormat = (body: Uint8Array): Uint8Array => body.with(0, body[0] === 4 ? 2 : 4);

test("a manifest is sealed so", () => {
  const nonce = counting(0x60, 12);
  const signed = signVersion(keys, FOO, version, BALLOT, [ROOT], facts, nonce);
  expect(signed.body.toHex()).toBe(BODY);
});

test.each([
  ["now", BODY],
  ["before", BODY_BEFORE],
])("what is sealed so, %s, opens as the body of this version only", (_, body) => {
  const signed = { ...version, body: Uint8Array.fromHex(body) };
  expect(readSigned(keys, FOO, signed)).toEqual({ facts, roots: [ROOT], ballot: BALLOT });
  expect(readSigned(keys, FOO, { ...signed, ring: [3] })).not.toBeNull();
  const others: Partial<Version>[] = [
    { vid: "f".repeat(32) },
    { seq: 2 },
    { history: historyOf(version.vid) },
    { birthFloor: 1n },
    { put: 1 },
    { keepMax: 1 },
    { cid: "f".repeat(32) },
    { cid: null },
    { deleted: true },
    { pieces: 2 },
    { needed: 0 },
    { copies: 2 },
    { striped: true },
    { size: 1 },
  ];
  for (const other of others) expect(readSigned(keys, FOO, { ...signed, ...other })).toBeNull();
  expect(readSigned(keys, "another", signed)).toBeNull();
  expect(readSigned(keysOf("bob", MASTER), FOO, signed)).toBeNull();
  expect(readSigned(keys, FOO, { ...signed, body: inOtherFormat(signed.body) })).toBeNull();
  for (const i of signed.body.keys()) {
    const flipped = signed.body.map((byte, at) => (at === i ? byte ^ 1 : byte));
    expect(readSigned(keys, FOO, { ...signed, body: flipped })).toBeNull();
  }
});

test("folders and deletions of before open as ever", () => {
  const without = { ...version, cid: null, pieces: 0, needed: 0, copies: 0, ring: [], size: 0 };
  const front = "020000000000000000000000010000000000000005606162636465666768696a6b00000045";
  const folder = Uint8Array.fromHex(
    `${front}9a2500dfcf0c0fc1b5b800a20388bcea8518e8f9fdfe4f104fd4bb631f7139c840eed853bbe810fa02` +
      "3a2c1ab945282eb3833d59775bf999d6789cf7fc7e8628ebb1c1b91d",
  );
  const made = readSigned(keys, "elASr5bzHs1GB3DMUw156MTFuI7SuA/", { ...without, body: folder });
  expect(knownIn(made?.facts.attributes ?? NO_ATTRIBUTES)).toEqual({
    time: 1_700_000_000_123_000_000n,
    mode: 0o755,
    kind: "folder",
  });
  const deletion = Uint8Array.fromHex(
    `${front}9b2500de44c3eaa9ceb800a3ee88bcea8518e8f9fdfe4f104fd4bb631f7139c840eed853bbe810fa02` +
      "3a2c1ab945282eb3833d59777f29d4822cc529d8fe30c462398f4818",
  );
  const deleted = { ...without, deleted: true, body: deletion };
  expect(readSigned(keys, FOO, deleted)).toMatchObject({ facts: { bytes: 0 }, roots: [] });
  expect(readSigned(keys, FOO, { ...deleted, body: inOtherFormat(deletion) })).toBeNull();
});
