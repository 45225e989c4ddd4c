/** Servers whose disks are of different sizes: files with parity on some of the servers are placed by capacity. */
import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { statfsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { changeConfig } from "../../src/client/agree/change.ts";
import { MIB, WEIGHT_MAX } from "../../src/limits.ts";
import type { Config } from "../../src/membership.ts";
import { newFolder, removeFolders } from "../harness/program.ts";
import { without } from "./in_process.ts";
import { canMount, mountDisk, unmountDisks } from "./small_disks.ts";
import { expectDone, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(300_000);

let stage: Stage | null = null;
const extra: ServerProcess[] = [];
afterEach(async () => {
  await Promise.all([stage?.close(), ...extra.splice(0).map((one) => one.kill())]);
  unmountDisks();
});
afterAll(removeFolders);

const isAble = canMount();

/** A server that is no member yet, with a disk of its own. */
async function another(mib: number): Promise<ServerProcess> {
  const folder = newFolder();
  mountDisk(folder, mib);
  const server = new ServerProcess(folder, {});
  extra.push(server);
  await server.start();
  return server;
}

interface Listed {
  readonly servers: readonly { readonly name: string; readonly weight: number }[];
}
async function weightsIn(cluster: Stage): Promise<number[]> {
  const ran = await cluster.dfs("server", "list", "--json");
  expectDone(ran);
  return (JSON.parse(ran.out) as Listed).servers.map(({ weight }) => weight);
}

const usedOf = (path: string): number => {
  const { blocks, bfree, bsize } = statfsSync(path);
  return (blocks - bfree) * bsize;
};

interface Health {
  readonly status: string;
  readonly toDo: Readonly<Record<string, number>>;
  readonly servers: readonly { name: string; short: string; weight: number }[];
}

test.skipIf(!isAble)("of five disks of 1, 2, 2, 4, 4 the smallest is not full first", async () => {
  const sizes = [48, 96, 96, 192, 192];
  stage = await Stage.open(5, { disksMib: sizes, more: "Layout: rs:2+1\n" });
  const files = newFolder();
  const bytes = randomBytes(MIB);
  // With as much on each the smallest would be full after 200 MiB of pieces.
  const names = Array.from({ length: 240 }, (_, i) => `file ${i}`);
  for (const [i, name] of names.entries()) {
    bytes.writeUInt32LE(i);
    writeFileSync(join(files, name), bytes);
  }
  expectDone(await stage.dfsIn(files, "put", ...names));
  expectDone(await stage.dfs("verify"));
  const ran = await stage.dfs("status", "--json");
  const { status, servers, toDo } = JSON.parse(ran.out) as Health;
  expect({ status, toDo, err: ran.err }).toMatchObject({ status: "HEALTHY" });
  expect(servers.map(({ short }) => short)).toEqual(["", "", "", "", ""]);
  expect(servers.map(({ weight }) => weight)).toEqual([11_915, 29_789, 29_789, 65_535, 65_535]);
  // About 65 % of what pieces may take, as of all of them; which files they are is chance where names are sealed.
  expect(usedOf(stage.server(0).folder) / (40 * MIB)).toBeLessThan(0.95);
});

/** As it was before there were weights. */
const asBefore = (cluster: Stage): Promise<void> =>
  without(cluster, [], async (opened) => {
    const { config } = opened.view;
    const seats = config.seats.map((seat) => ({ ...seat, weight: WEIGHT_MAX }));
    const before: Config = { ...config, format: 3, seats, largest: 0, epoch: config.epoch + 1 };
    expect(await changeConfig(opened, before)).toBe("done");
  });

test.skipIf(!isAble)("weights come with the next change, and are changed by hand", async () => {
  stage = await Stage.open(4, { disksMib: [24, 32, 32, 28], more: "Layout: rs:1+1\n" });
  const all = [WEIGHT_MAX, WEIGHT_MAX, WEIGHT_MAX, WEIGHT_MAX];
  const byDisk = [32_768, WEIGHT_MAX, WEIGHT_MAX, 49_151];
  expect(await weightsIn(stage)).toEqual(byDisk);
  await asBefore(stage);
  expect(await weightsIn(stage)).toEqual(all);
  const names = Array.from({ length: 60 }, (_, i) => `file ${i}`);
  for (const name of names.slice(0, 4)) await stage.put(name, randomBytes(1000));
  // A change of another kind.
  expectDone(await stage.dfs("server", "drain", "DFS4"));
  expect(await weightsIn(stage)).toEqual(byDisk);
  for (const name of names.slice(0, 4)) expect(await stage.get(name)).toHaveLength(1000);
  await asBefore(stage);
  const set = await stage.dfs("server", "weight", "DFS1", "1000");
  expect(set).toMatchObject({ status: 0 });
  expect(set.out).toContain("DFS1 has the weight 1000 now");
  expect(await weightsIn(stage)).toEqual([1000, ...byDisk.slice(1)]);
  const { out } = await stage.dfs("server", "list");
  expect(out).toMatch(/WEIGHT[^]*DFS1 .* 1000 /);

  // A larger disk makes all others lighter.
  const fifth = await another(48);
  expectDone(await stage.dfs("server", "add", "DFS5", `127.0.0.1:${fifth.port}`));
  expect(await weightsIn(stage)).toEqual([500, 32_768, 32_768, 24_576, WEIGHT_MAX]);
  for (const wrong of ["0", "65536", "-1", "1.5", "x", ""]) {
    const refused = await stage.dfs("server", "weight", "--", "DFS1", wrong);
    expect(refused).toMatchObject({ status: 2 });
    expect(refused.err).toContain("1 to 65535");
  }
  expect(await stage.dfs("server", "weight", "DFS1")).toMatchObject({ status: 2 });
  expect((await weightsIn(stage))[0]).toBe(500);

  // What is there moves when it is asked to, once.
  const moved = await stage.dfs("rebalance");
  expectDone(moved);
  const again = await stage.dfs("rebalance", "--dry-run", "--json");
  expectDone(again);
  expect(again.out).not.toContain("file ");
  for (const name of names.slice(0, 4)) expect(await stage.get(name)).toHaveLength(1000);
});

test.skipIf(!isAble)("who takes another's place weighs what its disk has", async () => {
  stage = await Stage.open(3, { disksMib: [24, 32, 32], more: "Layout: rs:1+1\n" });
  expect(await weightsIn(stage)).toEqual([32_768, WEIGHT_MAX, WEIGHT_MAX]);
  const heir = await another(28);
  expectDone(await stage.dfs("server", "replace", "DFS1", `127.0.0.1:${heir.port}`));
  expect(await weightsIn(stage)).toEqual([49_151, WEIGHT_MAX, WEIGHT_MAX]);
});
