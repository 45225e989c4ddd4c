/** Stored versions as what is put: read at any place, of one version only, and moved about once for a new layout. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { inMemory, type Source } from "../../src/client/send/source.ts";
import { put } from "../../src/client/files/put.ts";
import { remove } from "../../src/client/files/remove.ts";
import { openStored } from "../../src/client/files/stored_source.ts";
import { attributesOf } from "../../src/file/attributes.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { BLOCK_BYTES, CHUNK_BYTES, MIB } from "../../src/limits.ts";
import { Rng } from "../sim/random.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { without } from "./in_process.ts";
import { isSealed } from "../harness/password.ts";
import { Stage } from "../harness/stage.ts";
import { named } from "../harness/named.ts";

setDefaultTimeout(120_000);

const LAYOUTS = ["pairs", "rs:2+2", "rs:3+1"];
/**
 * A block more for each chunk that does not lie as it did, and tables. What is sealed is read by whole segments, which do not begin
 * where chunks do: up to one more for each chunk.
 */
const READS_MOST = isSealed ? 1.3 + BLOCK_BYTES / CHUNK_BYTES : 1.3;

const data = randomBytes(24 * MIB + 12_345);
const ATTRIBUTES = attributesOf(
  { time: -5n, type: "a/b" },
  new Map([["from later", data.subarray(0, 9)]]),
);
const digestOf = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
let stage: Stage;
let other: Stage;

beforeAll(async () => {
  stage = await Stage.open(4);
  other = await Stage.open(3);
});
afterAll(() => Promise.all([stage.close(), other.close()]));

const store = (cluster: Cluster, name: string, source: Source, layout: string) =>
  put(cluster, named(name), source, { layout: layoutOf(layout), placement: "name" });

/** Reads at places drawn by chance, several at once. */
async function expectReads(source: Source, expected: Uint8Array): Promise<void> {
  const rng = new Rng(1);
  const reads = Array.from({ length: 40 }, async () => {
    const offset = rng.int(expected.length);
    const into = new Uint8Array(rng.int(Math.min(600_000, expected.length - offset + 1)));
    await source.read(into, offset);
    expect(Buffer.compare(into, expected.subarray(offset, offset + into.length))).toBe(0);
  });
  await Promise.all(reads);
}

test.each(LAYOUTS)("%s: read at any place, while a server is killed too", async (layout) => {
  await without(stage, [], (cluster) =>
    store(cluster, layout, { ...inMemory(data), attributes: ATTRIBUTES }, layout),
  );
  await without(stage, [], async (cluster) => {
    const { found, version, source } = await openStored(cluster, named(layout));
    expect(found).toMatchObject({ name: layout, vid: version.vid, bytes: data.length });
    expect(source).toMatchObject({ bytes: data.length, attributes: ATTRIBUTES });
    await expectReads(source, data);
    await stage.without([1], () => expectReads(source, data));
  });
});

test.each(LAYOUTS.flatMap((from) => LAYOUTS.map((to) => [from, to])))(
  "from %s to %s under the same name, if it is the version that was read",
  async (from, to) => {
    const name = `${from}, then ${to}`;
    await without(stage, [], (cluster) => store(cluster, name, inMemory(data), from));
    await without(stage, [], async (cluster) => {
      const { found, source } = await openStored(cluster, named(name));
      const options = { layout: layoutOf(to), placement: "name" } as const;
      await put(cluster, named(name), source, { ...options, condition: { vid: found.vid } });
      const reads = cluster.traffic.received / data.length;
      expect(reads).toBeLessThan(READS_MOST);
      await rejectionOf(
        "conflict",
        put(cluster, named(name), inMemory(data), { ...options, condition: { vid: found.vid } }),
      );
      console.log(`${from} to ${to}: received ${reads.toFixed(3)} x`);
    });
    expect((await stage.stat(name)).layout).toBe(to);
    expect(digestOf(await stage.get(name))).toBe(digestOf(data));
  },
);

test.each([
  ["pairs", []],
  ["pairs", [1]],
  ["rs:2+2", []],
  ["rs:2+2", [1]],
  ["rs:2+2", [0, 1]],
  ["rs:3+1", []],
  ["rs:3+1", [1]],
])("%s: to another cluster, in pieces of another length, with %p dead", async (layout, dead) => {
  await without(stage, [], (cluster) => store(cluster, "away", inMemory(data), layout));
  await without(stage, dead, (from) =>
    without(other, [], async (to) => {
      const { source } = await openStored(from, named("away"));
      await store(to, layout, source, "pairs");
      const reads = from.traffic.received / data.length;
      expect(reads).toBeLessThan(READS_MOST);
      console.log(
        `${layout} of 4 without [${dead.join()}] to pairs of 3: received ${reads.toFixed(3)} x`,
      );
    }),
  );
  expect(digestOf(await other.get(layout))).toBe(digestOf(data));
});

test.each(["empty", "byte", "small"])("%s files too", async (name) => {
  const bytes = randomBytes({ empty: 0, byte: 1, small: 20_000 }[name] ?? 0);
  for (const from of LAYOUTS)
    await without(stage, [], async (cluster) => {
      await store(cluster, name, inMemory(bytes), from);
      const { source } = await openStored(cluster, named(name));
      await expectReads(source, bytes);
      await store(cluster, name, source, "rs:2+2");
      expect(digestOf(await stage.get(name))).toBe(digestOf(bytes));
    });
});

test.each([
  ["put", "conflict"],
  ["removed", "noSuchName"],
] as const)(
  "of what was %s meanwhile the version that was opened is read, or nothing",
  async (how, code) => {
    await without(stage, [], async (cluster) => {
      const { vid } = await store(cluster, "changing", inMemory(data), "pairs");
      const { source } = await openStored(cluster, named("changing"));
      if (how === "put") await store(cluster, "changing", inMemory(data.toReversed()), "pairs");
      else await remove(cluster, named("changing"));
      await expectReads(source, data);
      for (const { folder } of stage.servers)
        for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }))
          if (basename(path).startsWith(vid)) rmSync(join(folder, path));
      await rejectionOf(code, source.read(new Uint8Array(1000), 1_000_000));
    });
  },
);

test("there is nothing to read of what is not there, and of a folder", async () => {
  await stage.dfs("mkdir", "folder");
  await without(stage, [], async (cluster) => {
    await rejectionOf("noSuchName", openStored(cluster, named("nothing")));
    await rejectionOf("usage", openStored(cluster, named("folder/")));
  });
});
