/**
 * What servers and wires see of a user with a password: no 16 bytes of any content, no component of any name, no password. The
 * same look finds all of that where there is no password.
 */
import { inMemory } from "../../src/client/send/source.ts";
import { named } from "../harness/named.ts";
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { unlock } from "../../src/client/agree/unlock.ts";
import { put } from "../../src/client/files/put.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { Opener } from "../../src/client/trust/opener.ts";
import { attributesOf } from "../../src/file/attributes.ts";
import { PAIRS } from "../../src/file/layout.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import { type Password, passwordIn, stretch } from "../../src/io/stretch.ts";
import { KIB, MIB } from "../../src/limits.ts";
import { credentialsOf } from "../../src/wire/login.ts";
import { signingKeysOf } from "../../src/wire/signature.ts";
import { removeFolders } from "../harness/program.ts";
import { Computer, lineOf, usersFile } from "./computer.ts";
import { newMemory } from "../harness/password.ts";
import { Detector, tellingText } from "./detector.ts";
import { expectDone, Stage } from "../harness/stage.ts";
import { WireTap } from "./wire_tap.ts";

setDefaultTimeout(300_000);
afterAll(removeFolders);

const USER = "Alice";
const PASSWORD = "correct horse battery staple";

/** Of a segment of a sealed file, of its piece, of a block; and what is small and what is large. */
const around = (bytes: number): number[] => [bytes - 1, bytes, bytes + 1];
const SMALL = [0, 1, 15, 16, 17, 1000, 16 * KIB, ...around(64 * KIB), ...around(65_520)];
/** ACCEPTANCE=full has the largest too, through which the look takes a minute. */
const LARGEST = (process.env.ACCEPTANCE === "full" ? 64 : 4) * MIB;
const SIZES = [...SMALL, MIB, LARGEST];
/** Of what is small each 16 bytes are looked for; of the others some every so often, as no less than a segment would be seen. */
const stepFor = (bytes: number): number => (bytes < MIB ? 1 : bytes < 2 * MIB ? 16 : 4 * KIB);

const COMPONENTS = [
  "quarterly-report",
  "salaries-of-everybody",
  "merger-with-acme",
  "a-folder-of-nothing",
];
const nameOf = (bytes: number): string =>
  `${COMPONENTS.slice(0, 2).join("/")}/minutes-of-${bytes}-bytes.txt`;
const textOf = (bytes: number): Buffer => tellingText(`the secret text of ${bytes}`, bytes);

/** In attributes of a file, which no command can give. */
const KNOWN = { type: "application/x-takeover", by: "the-mole-himself" };
const KEY = "meta:buyers-of-it-all";
const VALUE = tellingText("the secret attribute", 5000);
const ATTRIBUTES = attributesOf(KNOWN, new Map([[KEY, VALUE]]));

/** Puts a file with them. */
async function putWithAttributes(
  servers: readonly { readonly name: string; readonly port: number }[],
  password: Password | null,
): Promise<void> {
  const addresses = servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
  const ports = { clock: bunClock, net: bunNet, random: bunRandom };
  const login = password && {
    credentials: [password.login.then((word) => credentialsOf(USER, word))],
    offersScram: false,
  };
  const cluster = await openCluster(ports, addresses, {
    user: password ? USER : "",
    login,
    warn: () => {},
  });
  try {
    const mine = password ? await unlock(cluster, new Opener(password), newMemory()) : cluster;
    const source = { ...inMemory(new Uint8Array(9)), attributes: ATTRIBUTES };
    await put(mine, named("attributed"), source, { layout: PAIRS, placement: "name" });
  } finally {
    cluster.close();
  }
}

/** What is to be seen nowhere. */
async function detector(): Promise<Detector> {
  const secrets = new Detector();
  for (const bytes of SIZES) {
    secrets.add(textOf(bytes), stepFor(bytes));
    secrets.addWord(nameOf(bytes).split("/").at(-1) ?? "");
  }
  for (const component of COMPONENTS) secrets.addWord(component);
  secrets.add(VALUE, 1);
  const { login, wrap } = await stretch(USER, PASSWORD);
  for (const secret of [PASSWORD, login]) secrets.addWord(secret);
  secrets.add(Buffer.from(wrap), 1);
  secrets.add(Buffer.from(login, "hex"), 1);
  secrets.add(Buffer.from(signingKeysOf(USER, login).seed), 1);
  return secrets;
}

/** The words of attributes alone: of what a detector finds it tells a few only. */
function detectorOfAttributes(): Detector {
  const secrets = new Detector();
  for (const word of [...Object.values(KNOWN), KEY]) secrets.addWord(word);
  return secrets;
}

/** All that a user may do, over taps. */
async function work(computer: Computer): Promise<void> {
  for (const bytes of SIZES) await computer.put(nameOf(bytes), textOf(bytes));
  expectDone(await computer.dfs("mkdir", `${COMPONENTS[3]}/`));
  for (const bytes of SIZES)
    expect((await computer.get(nameOf(bytes))).equals(textOf(bytes))).toBe(true);
  const { out } = await computer.dfs("list");
  expect(out.split("\n")).toHaveLength(SIZES.length + 2);
  await computer.put(COMPONENTS[2] ?? "", textOf(1000));
  for (const args of [
    ["list", `${COMPONENTS[0]}/`],
    ["stat", nameOf(1000)],
    ["verify", nameOf(1000)],
    ["put", "--layout", "rs:2+2", "--name", nameOf(17), "in"],
    ["rm", nameOf(16), COMPONENTS[2] ?? ""],
    ["repair"],
    ["rebalance"],
  ])
    expectDone(await computer.dfs(...args));
  // Its exit status is whether servers have read back all of it by now.
  expect((await computer.dfs("status")).out).toContain("can lose 1 more server");
}

/** Each file below a folder, whatever it is for. */
const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

interface Seen {
  /** How many bytes were looked at. */
  readonly bytes: number;
  readonly found: string[];
}

function look(secrets: readonly Detector[], all: Iterable<Buffer>): Seen {
  const seen = { bytes: 0, found: [] as string[] };
  for (const bytes of all) {
    seen.bytes += bytes.length;
    seen.found.push(...secrets.flatMap((one) => one.findIn(bytes)));
  }
  return seen;
}

/** Does the work on a cluster, and looks at what its servers hold and what went over the wires. */
async function seenOn(users: string | null, who: string): Promise<{ held: Seen; wired: Seen }> {
  const stage = await Stage.open(4, { users });
  const taps = await Promise.all(stage.servers.map((server) => WireTap.before(server)));
  try {
    await work(new Computer(taps, who));
    await putWithAttributes(taps, users === null ? null : passwordIn(USER, PASSWORD));
    const secrets = [await detector(), detectorOfAttributes()];
    const files = stage.servers.flatMap(({ folder }) => filesIn(folder));
    expect(files.some((path) => path.endsWith("-wal"))).toBe(true);
    return {
      held: look(
        secrets,
        files.values().map((path) => readFileSync(path)),
      ),
      wired: look(
        secrets,
        taps.values().flatMap(({ heard }) => heard),
      ),
    };
  } finally {
    for (const tap of taps) tap.close();
    await stage.close();
  }
}

/** Twice what was put lies on servers; over the wires it went there, and once back. */
const LEAST = SIZES.reduce((sum, bytes) => sum + bytes, 0);

describe("what can be seen", () => {
  test("with a password: nothing of contents, names or passwords", async () => {
    const users = await usersFile({ [USER]: PASSWORD });
    const { held, wired } = await seenOn(users, lineOf(USER, PASSWORD));
    expect(held.found).toEqual([]);
    expect(wired.found).toEqual([]);
    expect(held.bytes).toBeGreaterThan(2 * LEAST);
    expect(wired.bytes).toBeGreaterThan(3 * LEAST);
  });

  test("without one: the same look finds contents and names, on disk and on the wire", async () => {
    const { held, wired } = await seenOn(null, "");
    for (const { found } of [held, wired]) {
      expect(found).toContain(COMPONENTS[0] ?? "");
      expect(found).toContain(KNOWN.by);
      expect(found.some((one) => one.length === 16)).toBe(true);
    }
  });
});

describe("the detector", () => {
  const secrets = new Detector();
  const text = tellingText("a text", 5000);
  secrets.add(text, 1);
  secrets.addWord("word");

  test.each([0, 1, 7, 2500, 4984])("finds 16 bytes from %i on amid others", (at) => {
    // None of it is a byte of a text.
    const noise = Buffer.from(randomBytes(1000).map((byte) => byte | 0x80));
    expect(secrets.findIn(noise)).toEqual([]);
    const part = text.subarray(at, at + 16);
    expect(secrets.findIn(Buffer.concat([noise, part, noise]))).toEqual([part.toString("latin1")]);
    expect(secrets.findIn(part)).toHaveLength(1);
    expect(secrets.findIn(Buffer.concat([noise, part.subarray(1), noise]))).toEqual([]);
  });

  test("finds a word in each way to write it", () => {
    for (const written of ["word", "776f7264", "d29yZA"])
      expect(secrets.findIn(Buffer.from(`--${written}--`))).toEqual([written]);
  });

  test("a telling text has no 16 bytes twice", () => {
    const seen = new Set<string>();
    const long = tellingText("a long one", 200_000);
    for (let at = 0; at + 16 <= long.length; at++) seen.add(long.toString("latin1", at, at + 16));
    expect(seen.size).toBeGreaterThan(0.7 * long.length);
  });
});
