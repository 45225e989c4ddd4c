/**
 * Reed-Solomon layouts on real servers: any M may be lost, and no more. A dead server is one whose address nobody answers.
 * ACCEPTANCE=full tries every set of servers for the largest layouts too.
 */
import { inMemory } from "../../src/client/send/source.ts";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { groupOf } from "../../src/quorum.ts";
import { get } from "../../src/client/files/get.ts";
import { put } from "../../src/client/files/put.ts";
import { asDfsError, isDfsError } from "../../src/errors.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { Rng } from "../sim/random.ts";
import { without } from "./in_process.ts";
import { storedBytes, isSealed } from "../harness/password.ts";
import { Stage } from "../harness/stage.ts";
import { named } from "../harness/named.ts";

setDefaultTimeout(600_000);

const IS_FULL = process.env.ACCEPTANCE === "full";
/** With a password the same bytes are only sealed: fewer sets do. */
const SETS_MAX = IS_FULL ? Infinity : isSealed ? 12 : 40;
const MIB = 1024 * 1024;

const FILES: Readonly<Record<string, Uint8Array>> = {
  large: randomBytes(3 * MIB + 12_345),
  small: randomBytes(5001),
  byte: randomBytes(1),
  empty: new Uint8Array(),
};
const digestOf = (data: Uint8Array): string => createHash("md5").update(data).digest("hex");

/** All sets of `count` of the numbers below `y`; some of them, drawn from a fixed seed, where they are too many. */
function setsOf(y: number, count: number): number[][] {
  const sets: number[][] = [];
  const extend = (set: number[], from: number): void => {
    if (set.length === count) return void sets.push(set);
    for (let next = from; next < y; next++) extend([...set, next], next + 1);
  };
  extend([], 0);
  const rng = new Rng(y * 100 + count);
  while (sets.length > SETS_MAX) sets.splice(rng.int(sets.length), 1);
  return sets;
}

/** What a get brings: the digest of its bytes, or the code of its error. */
async function brought(cluster: Cluster, name: string): Promise<string> {
  let data = new Uint8Array();
  const sink = {
    inOrder: name === "large",
    open: async ({ bytes }: { bytes: number }) => void (data = new Uint8Array(bytes)),
    write: async (bytes: Uint8Array, offset: number) => data.set(bytes, offset),
  };
  try {
    await get(cluster, named(name), sink, {});
    return digestOf(data);
  } catch (error) {
    if (isDfsError(error)) return error.code;
    throw error;
  }
}

const everything = Object.entries(FILES).map(([name, data]) => [name, digestOf(data)]);
// Of a file of one byte most data pieces are empty, and nobody misses them.
const longer = Object.keys(FILES).filter((name) => name !== "empty" && name !== "byte");

async function allBrought(cluster: Cluster, names: readonly string[]): Promise<string[][]> {
  const all = [];
  for (const name of names) all.push([name, await brought(cluster, name)]);
  return all;
}

const bytesBelow = (folder: string): number =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

describe.each([
  [2, 2],
  [3, 1],
  [4, 2],
  [6, 3],
  [10, 4],
])("rs:%d+%d", (data, parity) => {
  const y = data + parity;
  // Of y = 4 there is one left, which cannot tell what is current.
  const { read } = groupOf(Array.from({ length: y }, (_, slot) => slot));
  const end = data - 1 < read ? "tooFew" : "incomplete";

  test("any M servers may be dead, with M + 1 files are incomplete", async () => {
    const stage = await Stage.open(y, { more: `Layout: rs:${data}+${parity}\n` });
    for (const [name, bytes] of Object.entries(FILES)) await stage.put(name, bytes);
    expect(await stage.stat("large")).toMatchObject({ layout: `rs:${data}+${parity}` });
    for (const dead of [[], ...setsOf(y, parity)])
      expect([
        dead,
        await without(stage, dead, (so) => allBrought(so, Object.keys(FILES))),
      ]).toEqual([dead, everything]);
    for (const dead of setsOf(y, parity + 1))
      expect([dead, await without(stage, dead, (so) => allBrought(so, longer))]).toEqual([
        dead,
        longer.map((name) => [name, end]),
      ]);
    await stage.close();
  });
});

test.each([
  ["rs:2+1", 3, 0],
  ["rs:2+2", 4, 1],
  ["rs:3+1", 4, 0],
  ["rs:4+2", 6, 1],
  ["rs:6+3", 9, 2],
  ["rs:2+1", 5, 2],
])("%s on %d servers: puts go on with %d down, and not with one more", async (layout, y, down) => {
  const stage = await Stage.open(y);
  const store = (dead: readonly number[], name: string): Promise<string> =>
    without(stage, dead, (cluster) =>
      put(cluster, named(name), inMemory(FILES[name] ?? new Uint8Array()), {
        layout: layoutOf(layout),
        placement: "name",
      }).then(
        () => "done",
        (error: unknown) => asDfsError(error).code,
      ),
    );
  const all = async () => without(stage, [], (so) => allBrought(so, ["large", "small"]));
  for (const name of ["large", "small"]) expect(await store([], name)).toBe("done");
  const before = await all();
  for (const dead of setsOf(y, down + 1).slice(0, 12))
    for (const name of ["large", "small"]) {
      expect([dead, await store(dead, name)]).toEqual([dead, "putFailed"]);
      expect(await all()).toEqual(before);
    }
  for (const dead of setsOf(y, down).slice(0, 12))
    for (const name of ["large", "small"]) {
      expect([dead, await store(dead, name)]).toEqual([dead, "done"]);
      // Some server may hold two of the pieces now: one more that is lost is what is promised.
      for (const more of [[], ...setsOf(y, 1).filter(([slot = 0]) => !dead.includes(slot))])
        expect(await without(stage, more, (so) => brought(so, name))).toBe(
          digestOf(FILES[name] ?? new Uint8Array()),
        );
    }
  await stage.close();
});

test("a get moves the file once, with M dead too, and the servers hold (K + M) / K of it", async () => {
  const bytes = 64 * MIB;
  const stage = await Stage.open(6, { more: "Layout: rs:4+2\n" });
  const file = randomBytes(bytes);
  await stage.put("file", file);
  const held = stage.servers.reduce(
    (sum, { folder }) => sum + bytesBelow(join(folder, "pieces")),
    0,
  );
  expect(held / bytes).toBeGreaterThanOrEqual(1.5);
  expect(held / bytes).toBeLessThan(1.515);
  for (const dead of [[], [0, 1], [2, 5], [1, 4]])
    await without(stage, dead, async (cluster) => {
      expect(await brought(cluster, "file")).toBe(digestOf(file));
      expect(cluster.traffic.received / bytes).toBeLessThan(1.01);
    });
  await stage.close();
});

/** A server that comes back without its pieces. */
async function losePieces(stage: Stage, slot: number): Promise<void> {
  await stage.server(slot).kill();
  rmSync(join(stage.server(slot).folder, "pieces"), { recursive: true });
  await stage.server(slot).start();
}

test("repair of a lost piece reads K pieces and writes one, and says how fast", async () => {
  const bytes = 32 * MIB;
  const pieceBytes = storedBytes(bytes) / 4;
  const stage = await Stage.open(6, { more: "Layout: rs:4+2\n" });
  await stage.put("file", randomBytes(bytes));
  await losePieces(stage, 3);
  const planned = JSON.parse((await stage.dfs("repair", "--json", "--dry-run")).out);
  expect(planned).toMatchObject({ dryRun: true, restored: 1, bytes: pieceBytes });
  const done = JSON.parse((await stage.dfs("repair", "--json")).out);
  expect(done).toMatchObject({ restored: 1, bytes: pieceBytes, seconds: expect.any(Number) });
  expect(done.names).toMatchObject([{ name: "file", restored: 1, bytes: pieceBytes }]);
  expect(done.traffic.received / pieceBytes).toBeWithin(4, 4.04);
  expect(done.traffic.sent / pieceBytes).toBeWithin(1, 1.01);
  await losePieces(stage, 0);
  expect((await stage.dfs("repair")).out).toMatch(
    /^done: 1 name, 1 copy restored \(8\.0 MiB in \d+\.\d s, [\d.]+ MiB\/s\)$/m,
  );
  await stage.close();
});

test("repair makes the pieces of lost and damaged files anew, whoever held them", async () => {
  const stage = await Stage.open(6, { more: "Layout: rs:4+2\n" });
  for (const [name, bytes] of Object.entries(FILES)) await stage.put(name, bytes);
  for (const slot of [1, 4]) await losePieces(stage, slot);
  const { out, status } = await stage.dfs("repair");
  expect({ out, status }).toMatchObject({ status: 0 });
  for (const dead of [
    [0, 2],
    [3, 5],
  ])
    expect(await without(stage, dead, (so) => allBrought(so, Object.keys(FILES)))).toEqual(
      everything,
    );
  expect((await stage.dfs("repair")).out).not.toContain("large");
  await stage.close();
});

test("a put with too few servers for its layout blames no disk", async () => {
  const stage = await Stage.open(3);
  try {
    await stage.put("first", randomBytes(10));
    await stage.without([2], async () => {
      for (const bytes of [100, 300_000]) {
        writeFileSync(join(stage.home, "local"), randomBytes(bytes));
        const putting = ["put", join(stage.home, "local"), "--name", "f"];
        const { status, out, err } = await stage.dfs(...putting, "--layout", "rs:2+1", "-q");
        expect([status, out]).toEqual([7, "f put failed\n"]);
        expect(err).toContain("2 of 3 servers answer, and rs:2+1 takes 3; nothing was changed");
        expect(await stage.dfs(...putting)).toMatchObject({ status: 0 });
      }
    });
  } finally {
    await stage.close();
  }
});
