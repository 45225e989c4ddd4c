/**
 * Bytes as earlier programs wrote them (test/vectors), and the values that they must read as for
 * ever. `READERS` says what reads each kind: a change of a format moves the reader of the format
 * before, and adds bytes of its own. Keys, records of keys and sealed contents are in
 * test/file/vectors.test.ts.
 */
import { checkName } from "../../src/file/names.ts";
import { inStore } from "../harness/named.ts";
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "../../src/bytes.ts";
import { Reader } from "../../src/cursor.ts";
import { type Attributes, knownIn, NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { hashSlotOf } from "../../src/file/hash_slot.ts";
import { keysOf } from "../../src/file/keys.ts";
import { manifestOf, rootsOf } from "../../src/file/manifest.ts";
import { readSigned } from "../../src/file/sealed_manifest.ts";
import { openName, sealName } from "../../src/file/sealed_name.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import { knownLivesCodec, lifeCodec } from "../../src/life.ts";
import { type Config, configCodec } from "../../src/membership.ts";
import { isWhole } from "../../src/store/catalog/row_sum.ts";
import { oldRegisterCodec } from "../../src/store/format2.ts";
import { membershipCodec } from "../../src/store/membership.ts";
import { readFooter } from "../../src/store/pieces/piece_file.ts";
import { type Accepted, ballotCodec, type Version } from "../../src/version.ts";
import { historyOf } from "../harness/arbitraries.ts";
import { newFolder, removeFolders } from "../harness/program.ts";

afterAll(removeFolders);

const vectors = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dir, `../vectors/${name}.json`), "utf8"));

const bytesOf = (hex: string): Uint8Array => Uint8Array.fromHex(hex);

/** A value as JSON has it: bytes in hexadecimal digits, and ballots so too, with 0x before them. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return `0x${value.toString(16)}`;
  if (value instanceof Uint8Array) return value.toHex();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

/** Bytes of one kind, and what they are. */
interface Vector {
  readonly what: string;
  readonly bytes: string;
  readonly value: unknown;
}

/** A configuration with the fields that it had then; what came since says nothing. */
function configThen({ keepers, floor, log, seats, ...then }: Config): unknown {
  expect({ keepers, floor, log }).toEqual({ keepers: [], floor: 0n, log: [] });
  const seatsThen = seats.map(({ zone, ...seat }) => {
    expect(zone).toBe("");
    return seat;
  });
  return { ...then, seats: seatsThen };
}

/** A register as it was then: its versions had the fields of then. */
function registerThen(bytes: Uint8Array): unknown {
  const { prom, acc, com } = oldRegisterCodec.read(new Reader(bytes));
  const then = (value: Accepted | null) => {
    if (value === null) return null;
    const { put, keepMax, cid, at, striped, history, ...version } = value.version;
    const isContent = version.pieces > 0;
    expect(striped).toBe(version.pieces > version.needed);
    expect({ put, keepMax, cid, at }).toEqual({
      put: 0,
      keepMax: 0,
      cid: isContent ? version.vid : null,
      at: [],
    });
    return {
      ballot: value.ballot,
      version: { ...version, history: history.map((one) => one.vid) },
    };
  };
  return { prom, acc: then(acc), com: then(com) };
}

const store2 = vectors("store2");
const READERS: readonly [string, readonly Vector[], (bytes: Uint8Array) => unknown][] = [
  [
    "a configuration, of formats 2 to 4",
    vectors("configurations"),
    (bytes) => configThen(decode(configCodec, bytes)),
  ],
  ["a register of store format 2", store2.registers, (bytes) => registerThen(bytes)],
  [
    "the fact membership of it",
    store2.memberships,
    (bytes) => {
      const { cluster, config } = decode(membershipCodec, bytes);
      return { cluster, config: config && configThen(config) };
    },
  ],
  ["the fact life of it", store2.lives, (bytes) => decode(lifeCodec, bytes)],
  ["the fact known of it", store2.knownLives, (bytes) => decode(knownLivesCodec, bytes)],
  ["a floor of it", store2.floors, (bytes) => decode(ballotCodec, bytes)],
];

describe.each(READERS)("%s", (_, all, read) => {
  test.each(all)("$what", ({ bytes, value }) => {
    expect(plain(read(bytesOf(bytes)))).toEqual(value);
  });
});

interface RowSum {
  readonly space: string;
  readonly name: string;
  readonly row: string;
  readonly sum: string;
}

test.each(store2.sums as RowSum[])(
  'the sum of a row of store format 2, of "$space" and "$name"',
  ({ space, name, row, sum }) => {
    expect(isWhole(space, name, bytesOf(row), bytesOf(sum))).toBe(true);
  },
);

interface PieceFile {
  readonly what: string;
  readonly file: string;
  readonly value: unknown;
}

describe("the file of a piece of store format 2", () => {
  test.each(store2.pieceFiles as PieceFile[])("$what", async ({ file, value }) => {
    const path = join(newFolder(), "piece");
    const bytes = bytesOf(file);
    writeFileSync(path, bytes);
    const opened = await bunDisk.open(path, "read");
    const { cid, slot, ...footer } = await readFooter(opened, bytes.length);
    // A version was its own content then, and the hash slot follows from the name.
    expect(plain({ ...footer, vid: cid })).toEqual(value);
    expect(slot).toBe(hashSlotOf(footer.space, footer.name ?? ""));
    await opened.close();
  });
});

/** A version as JSON has it. */
type PlainVersion = Omit<
  Version,
  "birthFloor" | "body" | "history" | "put" | "keepMax" | "cid" | "at" | "striped"
> & {
  readonly birthFloor: string;
  readonly body: string;
  readonly history: string[];
};

/** The version as an upgrade makes it. */
const versionIn = ({ birthFloor, body, history, ...rest }: PlainVersion): Version => ({
  ...rest,
  history: historyOf(...history),
  put: 0,
  keepMax: 0,
  cid: rest.pieces > 0 ? rest.vid : null,
  striped: rest.pieces > rest.needed,
  at: [],
  birthFloor: BigInt(birthFloor),
  body: bytesOf(body),
});

interface Body {
  readonly what: string;
  readonly version: PlainVersion;
  readonly value: unknown;
}

const manifests = vectors("manifests");

/** What a manifest said then of a file or a folder. */
function aboutThen(attributes: Attributes) {
  const { time = 0n, mode = 0, kind = "file" } = knownIn(attributes);
  return { isFolder: kind === "folder", modified: Number(time / 1_000_000n), mode };
}

describe("a manifest of format 1", () => {
  test.each(manifests.open as Body[])("$what", ({ version, value }) => {
    const { attributes, roots } = manifestOf("a name", versionIn(version));
    expect(plain({ format: 1, ...aboutThen(attributes), roots })).toEqual(value);
  });
});

interface SealedBody extends Body {
  readonly name: string;
  readonly value: { readonly roots: unknown };
}

describe("a manifest of format 2, which is sealed", () => {
  const { user, master, bodies } = manifests.sealed;
  test.each(bodies as SealedBody[])("$what", ({ name, version, value }) => {
    const keys = keysOf(user, bytesOf(master));
    const signed = readSigned(keys, name, versionIn(version));
    const { attributes = NO_ATTRIBUTES, ...facts } = signed?.facts ?? {};
    const then = { ...signed, facts: { ...facts, ...aboutThen(attributes) } };
    expect(plain(then)).toEqual(value);
    // Repair reads the roots without keys.
    expect(plain(rootsOf(name, versionIn(version)))).toEqual(value.roots);
  });
});

describe("a sealed name", () => {
  const { user, master, names } = vectors("sealed_names");
  test.each(names as { name: string; sealed: string }[])('"$name"', ({ name, sealed }) => {
    const keys = keysOf(user, bytesOf(master));
    expect(openName(keys, inStore(sealed))).toBe(checkName(name));
    expect(sealName(keys, name)).toBe(inStore(sealed));
  });
});
