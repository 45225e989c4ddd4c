/** A cluster that is founded while servers are missing: who counts meanwhile, who takes which seat, and what people are told. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ran } from "../harness/program.ts";
import { isSealed } from "../harness/password.ts";
import { empty, expectDone, folderOf, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const stages: Stage[] = [];
afterEach(async () => {
  await Promise.all(stages.splice(0).map((stage) => stage.close()));
});

const FILE = randomBytes(100_000);

/** Servers that run with empty folders, but for these. */
async function open(size: number, ...absent: number[]): Promise<Stage> {
  const stage = await Stage.open(size);
  stages.push(stage);
  for (const slot of absent) await wipe(stage, slot);
  return stage;
}

/** The same, with a cluster that has been founded by then, and a file; what that client was told. */
async function found(size: number, ...absent: number[]): Promise<{ stage: Stage; told: string }> {
  const stage = await open(size, ...absent);
  const ran = await stage.dfsIn(folderOf({ file: FILE }), "put", "file");
  expectDone(ran);
  return { stage, told: ran.err };
}

/** It ends, and has an empty folder when it starts again. */
async function wipe(stage: Stage, slot: number): Promise<void> {
  const server = stage.server(slot);
  await server.kill();
  empty(server.folder);
}

interface Row {
  readonly name: string;
  readonly id: string | null;
  readonly state: string;
}

async function rows(stage: Stage): Promise<Row[]> {
  const { out } = await stage.dfs("server", "list", "--json");
  return (JSON.parse(out) as { servers: Row[] }).servers;
}

const statesOf = async (stage: Stage): Promise<string[]> =>
  (await rows(stage)).map(({ name, state }) => `${name} ${state}`);

async function expectFile(stage: Stage): Promise<void> {
  expect((await stage.get("file")).equals(FILE)).toBe(true);
}

const putAnew = (stage: Stage): Promise<Ran> =>
  stage.dfsIn(folderOf({ file: FILE }), "put", "file");

const LOST = /DFS2 \(\S+\) has lost its data .* dfs-tool server replace DFS2/;

test("what is missing is said once, by whoever founds it; who comes late joins, and then one more may be lost", async () => {
  const { stage, told } = await found(4, 3);
  expect(told).toBe(
    "dfs-tool: warning: 3 of 4 servers: until DFS4 has joined, the guarantees are those of a cluster of 3\n",
  );
  expect(await stage.dfs("list")).toMatchObject({ status: 0, err: "" });
  expect((await rows(stage)).at(3)).toMatchObject({ name: "DFS4", id: null, state: "never seen" });
  const status = await stage.dfs("status");
  expect(status.out).toContain("DFS4 was never seen: until it has joined");
  expect(status.out).toStartWith("DEGRADED, can lose 1 more server\n");
  // Any one of those three may be lost.
  for (const lost of [0, 1, 2])
    await stage.without([lost], async () => {
      await expectFile(stage);
      expectDone(await putAnew(stage));
    });
  await stage.server(3).start();
  expect(await stage.dfs("list")).toMatchObject({ status: 0, err: "" });
  expect(await statesOf(stage)).toEqual(["DFS1 up", "DFS2 up", "DFS3 up", "DFS4 up"]);
  expectDone(await stage.dfs("repair"));
  expectDone(await stage.dfs("verify"));
  expect(await stage.dfs("status")).toMatchObject({ status: 0 });
  for (const lost of [0, 1, 2, 3])
    await stage.without([lost], async () => {
      await expectFile(stage);
      expectDone(await putAnew(stage));
    });
});

test.each([
  ["before the one that was never seen is there", false],
  ["at the same time as that one", true],
])("a server comes back empty %s: it takes no seat but its own", async (_, atOnce) => {
  const { stage } = await found(5, 4);
  await wipe(stage, 1);
  await stage.server(1).start();
  if (atOnce) await stage.server(4).start();
  for (let i = 0; i < 2; i++) {
    const ran = await stage.dfs("list");
    expect(ran).toMatchObject({ status: 0, out: "file\n" });
    expect(ran.err).toMatch(LOST);
  }
  if (!atOnce) {
    expect(await statesOf(stage)).toEqual([
      "DFS1 up",
      "DFS2 down, its data lost",
      "DFS3 up",
      "DFS4 up",
      "DFS5 never seen",
    ]);
    await stage.server(4).start();
    expect((await stage.dfs("list")).err).toMatch(LOST);
  }
  expect((await statesOf(stage)).at(4)).toBe("DFS5 up");
  expectDone(await stage.dfs("server", "replace", "DFS2"));
  expect(await statesOf(stage)).toEqual([1, 2, 3, 4, 5].map((n) => `DFS${n} up`));
  expectDone(await stage.dfs("repair"));
  expectDone(await stage.dfs("verify"));
  expect(await stage.dfs("status")).toMatchObject({ status: 0 });
});

test("one of three is lost, and the fourth comes: it joins, and puts go on", async () => {
  const { stage } = await found(4, 3);
  await stage.server(0).kill();
  await stage.server(3).start();
  expect(await putAnew(stage)).toMatchObject({ status: 0, err: "" });
  await expectFile(stage);
  expect(await statesOf(stage)).toEqual(["DFS1 down", "DFS2 up", "DFS3 up", "DFS4 up"]);
});

test("the disk of one of three is lost, and that is said; with the fourth there puts go on, and it is replaced", async () => {
  const { stage } = await found(4, 3);
  await wipe(stage, 1);
  await stage.server(1).start();
  expect((await stage.dfs("list")).err).toMatch(LOST);
  const status = await stage.dfs("status");
  expect(status.out).toMatch(LOST);
  expect(status.out).not.toContain("not answer");
  await stage.server(3).start();
  const put = await putAnew(stage);
  expect(put.status).toBe(0);
  expect(put.err).toMatch(LOST);
  expectDone(await stage.dfs("server", "replace", "DFS2"));
  expect(await statesOf(stage)).toEqual([1, 2, 3, 4].map((n) => `DFS${n} up`));
});

test("with two of three lost nobody joins, and put, status and server list say what that takes", async () => {
  const { stage } = await found(4, 3);
  await stage.server(0).kill();
  await stage.server(1).kill();
  await stage.server(3).start();
  const why = /DFS4 \(\S+\) is there, but joins only once 2 of DFS1, DFS2, DFS3 answer/;
  const put = await putAnew(stage);
  expect(put).toMatchObject({ status: 7, out: "file put failed\n" });
  expect(put.err).toMatch(why);
  expect(put.err).toContain("1 of 3 servers answer, and a put takes 2");
  const status = await stage.dfs("status");
  expect(status.out).toMatch(why);
  expect(status.out).toContain("DFS1, DFS2 do not answer");
  expect((await statesOf(stage)).at(3)).toBe("DFS4 there, not joined yet");
  await stage.server(0).start();
  expect(await putAnew(stage)).toMatchObject({ status: 0, err: "" });
  expect((await statesOf(stage)).at(3)).toBe("DFS4 up");
});

test("where there are many names who comes late joins with repair", async () => {
  const { stage } = await found(4, 3);
  const names = Array.from({ length: 1001 }, (_, i) => `f${i}`);
  const folder = folderOf(Object.fromEntries(names.map((name) => [name, new Uint8Array()])));
  expectDone(await stage.dfsIn(folder, "put", ...names));
  await stage.server(3).start();
  const ran = await stage.dfs("get", "-o", "copy", "file");
  expect(ran.status).toBe(0);
  expect(ran.err).toMatch(/DFS4 \(\S+\) is there, but joins only with dfs-tool repair/);
  expectDone(await stage.dfs("repair"));
  expect(await stage.dfs("list", "file")).toMatchObject({ status: 0, out: "file\n", err: "" });
  expect((await statesOf(stage)).at(3)).toBe("DFS4 up");
});

test.if(isSealed)("who comes late and lets everybody in does not join", async () => {
  const { stage } = await found(4, 3);
  const { folder, port } = stage.server(3);
  const openToAll = new ServerProcess(folder, { users: null, port });
  await openToAll.start();
  try {
    expect((await stage.dfs("list")).err).toMatch(
      /DFS4 \(\S+\) is there, but joins only with the file of users that the others have/,
    );
    expect((await statesOf(stage)).at(3)).toBe("DFS4 there, not joined yet");
  } finally {
    await openToAll.kill();
  }
  await stage.server(3).start();
  expect(await stage.dfs("list")).toMatchObject({ status: 0, err: "" });
  expect((await statesOf(stage)).at(3)).toBe("DFS4 up");
});

test("a server that was never seen is removed, or another one takes its seat", async () => {
  const { stage } = await found(5, 3, 4);
  const removed = await stage.dfs("server", "remove", "DFS4");
  expect(removed.out).toStartWith("DFS4 is safe to remove: it was never seen\n");
  expect(removed.status).toBe(0);
  await stage.server(3).start();
  expect((await stage.dfs("list")).err).toMatch(
    /DFS4 \(\S+\) is no member of the cluster: it does not count until dfs-tool server add DFS4; or if it is the DFS5 that was never seen, dfs-tool server replace DFS5/,
  );
  const address = `127.0.0.1:${stage.server(3).port}`;
  expectDone(await stage.dfs("server", "replace", "DFS5", address));
  const [, , , last, ...more] = await rows(stage);
  expect([last?.state, more]).toEqual(["up", []]);
  expectDone(await stage.dfs("verify"));
});

test("servers go by their ids too, as the list shows them", async () => {
  const { stage } = await found(5);
  const [, two, three] = await rows(stage);
  for (const id of ["0123456", "zzzzzzzz", two!.id!.slice(0, 7)])
    expect(await stage.dfs("server", "drain", id)).toMatchObject({ status: 2 });
  const drained = await stage.dfs("server", "drain", two!.id!);
  expect(drained.out).toEndWith("it is safe to remove, with dfs-tool server remove DFS2\n");
  expectDone(await stage.dfs("server", "remove", two!.id!.toUpperCase()));
  expect((await rows(stage)).map(({ name }) => name)).toEqual(["DFS1", "DFS3", "DFS4", "DFS5"]);
  // What lies where is told by their names, whichever are left.
  const { servers, pieces } = await stage.stat("file");
  for (const { piece, servers: on } of pieces)
    expect(servers.flatMap((one) => (one.pieces.includes(piece) ? [one.name] : []))).toEqual(on);
  await wipe(stage, 2);
  await stage.server(2).start();
  expectDone(await stage.dfs("server", "replace", three!.id!));
  expect((await statesOf(stage)).at(1)).toBe("DFS3 up");
});

test("a computer that has used a cluster founds no other in its place, unless all of it is there and empty", async () => {
  const { stage } = await found(4);
  const before = join(stage.home, "before");
  for (const slot of [0, 1, 2]) {
    const { folder } = stage.server(slot);
    await stage.server(slot).kill();
    cpSync(folder, join(before, String(slot)), { recursive: true });
    empty(folder);
    await stage.server(slot).start();
  }
  await stage.server(3).kill();
  const refused = await stage.dfs("list");
  expect(refused).toMatchObject({ status: 5, out: "" });
  expect(refused.err).toContain(
    `the servers that answer are empty, and of the cluster that this computer has used DFS4 does not answer: start what has its data. Only if that is gone for good, remove ${stage.config}.seen, and a new cluster begins`,
  );
  // Another computer, which does not know, is told when both are there.
  writeFileSync(join(stage.home, "other"), FILE);
  rmSync(`${stage.config}.seen`);
  expectDone(await stage.dfs("put", "other"));
  await stage.server(3).start();
  for (const args of [["list"], ["put", "other"], ["status"]]) {
    const ran = await stage.dfs(...args);
    expect(ran.status).toBe(2);
    expect(ran.err).toContain(
      `two clusters: DFS4 (127.0.0.1:${stage.server(3).port}) of another cluster than the rest`,
    );
  }
  for (const slot of [0, 1, 2, 3]) await wipe(stage, slot);
  for (const slot of [0, 1, 2, 3]) await stage.server(slot).start();
  const anew = await stage.dfs("list");
  expect(anew).toMatchObject({ status: 0, out: "" });
  expect(anew.err).toContain("all 3 servers are empty: the cluster that this computer has used");
});
