/** server and rebalance: who makes a cluster changes, and no file is ever worse off for it. */
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "../../src/bytes.ts";
import { changeConfig } from "../../src/client/agree/change.ts";
import { CONFIG_NAME } from "../../src/file/names.ts";
import { readName } from "../../src/client/agree/register.ts";
import { type Config, configCodec } from "../../src/membership.ts";
import { ballotAbove, childOf, tombstone } from "../../src/version.ts";
import { executable } from "../harness/program.ts";
import { without } from "./in_process.ts";
import { empty, expectDone, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const stages: Stage[] = [];
const extra: ServerProcess[] = [];
afterAll(async () => {
  await Promise.all([...stages.map((stage) => stage.close()), ...extra.map((one) => one.kill())]);
});

const FILES: Readonly<Record<string, Uint8Array>> = {
  large: randomBytes(3_000_000),
  small: randomBytes(5000),
  tiny: randomBytes(3),
  empty: new Uint8Array(),
};

/** A cluster with files; those of the folder rs/ have that layout. */
async function open(size: number, layout: string): Promise<Stage> {
  const stage = await Stage.open(size);
  stages.push(stage);
  for (const [name, bytes] of Object.entries(FILES)) {
    await stage.put(name, bytes);
    writeFileSync(join(stage.home, "bytes"), bytes);
    expectDone(await stage.dfs("put", "--layout", layout, "--name", `rs/${name}`, "bytes"));
  }
  return stage;
}

/** One more server beside a cluster, blank and started. */
async function fresh(stage: Stage, name: string): Promise<ServerProcess> {
  const server = new ServerProcess(join(stage.home, name), {});
  extra.push(server);
  await server.start();
  return server;
}

const addressOf = ({ port }: ServerProcess): string => `127.0.0.1:${port}`;

/** Everything is there as it was put. */
async function expectAll(stage: Stage): Promise<void> {
  for (const [name, bytes] of Object.entries(FILES))
    for (const stored of [name, `rs/${name}`])
      expect((await stage.get(stored)).equals(bytes)).toBe(true);
}

/** Everything is read back, good, and where it belongs. */
async function expectHealthy(stage: Stage): Promise<void> {
  expect(await stage.dfs("verify")).toMatchObject({ status: 0 });
  expect(await stage.dfs("status")).toMatchObject({ status: 0 });
  await stage.stat("large");
}

async function membersOf(stage: Stage): Promise<string[]> {
  const { out } = await stage.dfs("server", "list", "--json");
  const { servers, isChanging } = JSON.parse(out) as {
    servers: { name: string }[];
    isChanging: boolean;
  };
  expect(isChanging).toBe(false);
  return servers.map(({ name }) => name);
}

describe.each([
  ["pairs and rs:2+1", 4, "rs:2+1", 1],
  ["rs:2+2", 4, "rs:2+2", 2],
])("a server whose folder was emptied is replaced: %s", (_, size, layout, parity) => {
  test("it gets back what it should hold, and others may die", async () => {
    const stage = await open(size, layout);
    const server = stage.server(1);
    await server.kill();
    empty(server.folder);
    await server.start();
    const ran = await stage.dfs("server", "replace", "DFS2");
    // Whoever does what a warning is about is not told to.
    expect(ran).toMatchObject({ status: 0, err: "" });
    expect(ran.out).toContain("another server has the place of DFS2");
    expectDone(await stage.dfs("repair"));
    await expectHealthy(stage);
    expect(await membersOf(stage)).toEqual(["DFS1", "DFS2", "DFS3", "DFS4"]);
    for (const lost of [[0], [2], [3]]) await stage.without(lost, () => expectAll(stage));
    if (parity < 2) return;
    for (const lost of [
      [0, 2],
      [2, 3],
      [0, 3],
    ])
      await stage.without(lost, async () => {
        for (const [name, bytes] of Object.entries(FILES))
          expect((await stage.get(`rs/${name}`)).equals(bytes)).toBe(true);
      });
  });
});

/** A removal that is cut short when it has hardly begun. */
const beginToRemove = (stage: Stage, slot: number): Promise<void> =>
  without(stage, [], async (cluster) => {
    const { config } = cluster.view;
    const next = config.voters.filter((one) => one !== slot);
    expect(await changeConfig(cluster, { ...config, epoch: config.epoch + 1, next })).toBe("done");
  });

test("a server whose removal was begun and not finished is removed, whatever is asked of it next", async () => {
  const stage = await Stage.open(5);
  stages.push(stage);
  await stage.put("small", FILES.small!);
  for (const [slot, action] of [
    [4, "drain"],
    [3, "remove"],
    [2, "replace"],
  ] as const) {
    await beginToRemove(stage, slot);
    const server = action === "replace" ? [addressOf(await fresh(stage, "heir"))] : [];
    const { name } = stage.server(slot);
    const ran = await stage.dfs("server", action, name, ...server);
    // Only to one of these it is what was wanted.
    expect(ran).toMatchObject({ status: action === "remove" ? 0 : 2 });
    expect(ran.err).toMatch(/no member of the cluster any more|has no server/);
    expect(await membersOf(stage)).toHaveLength(slot);
    expectDone(await stage.dfs("repair"));
    expect((await stage.get("small")).equals(FILES.small!)).toBe(true);
  }
});

/** A change that is cut short when one server alone has accepted it. */
const whisper = (stage: Stage, config: (now: Config) => Config, to: number): Promise<void> =>
  without(stage, [], async (cluster) => {
    const { current } = await readName(cluster, CONFIG_NAME);
    const ballot = ballotAbove([current?.ballot ?? 0n], randomBytes(8));
    const vid = randomBytes(16).toString("hex");
    const body = encode(configCodec, config(cluster.view.config));
    const content = { ...tombstone(vid), deleted: false, body };
    const version = childOf(
      { parent: current?.version ?? null, floor: 0n, now: 0, last: 0 },
      content,
    );
    await cluster.call(to, "prepare", { name: CONFIG_NAME, ballot, vid, link: null, inline: [] });
    const reply = await cluster.call(to, "accept", { name: CONFIG_NAME, ballot, version });
    expect(reply).toMatchObject({ ok: true });
  });

test("a change that one server alone has accepted happens with the next repair, or never", async () => {
  const stage = await Stage.open(4);
  stages.push(stage);
  await whisper(stage, (now) => ({ ...now, epoch: now.epoch + 1, next: [0, 1, 2] }), 1);
  expectDone(await stage.dfs("repair"));
  const after = await membersOf(stage);
  expectDone(await stage.dfs("server", "drain", "DFS2"));
  expect(await membersOf(stage)).toEqual(after);
});

test("a cluster grows from 4 to 6 servers and shrinks again, and a client with the old dfc.conf follows", async () => {
  const stage = await open(4, "rs:2+2");
  for (const name of ["dfs5", "dfs6"]) {
    const server = await fresh(stage, name);
    const ran = await stage.dfs("server", "add", server.name, addressOf(server));
    expect(ran).toMatchObject({ status: 0 });
    expect(ran.out).toContain(`Server ${server.name} ${addressOf(server)}\n`);
    await expectAll(stage);
  }
  expect(await membersOf(stage)).toEqual(["DFS1", "DFS2", "DFS3", "DFS4", "DFS5", "DFS6"]);
  expect(await stage.dfs("rebalance", "--dry-run")).toMatchObject({ status: 0 });
  expectDone(await stage.dfs("rebalance"));
  expect((await stage.dfs("rebalance")).out).toBe("nothing to move\n");
  const { servers } = await stage.stat("large");
  expect(servers.map(({ pieces }) => pieces.length)).toEqual([2, 2, 2, 2, 2, 2]);
  await expectHealthy(stage);
  await expectAll(stage);

  for (const slot of [0, 2]) {
    const { name } = stage.server(slot);
    expect(await stage.dfs("server", "remove", name)).toMatchObject({ status: 1 });
    const drained = await stage.dfs("server", "drain", name);
    expect(drained).toMatchObject({ status: 0 });
    expect(drained.out).toEndWith(`it is safe to remove, with dfs-tool server remove ${name}\n`);
    const removed = await stage.dfs("server", "remove", name);
    expect(removed.out).toStartWith(`${name} is safe to remove: nothing lies on it\n`);
    expect(removed.status).toBe(0);
    await stage.server(slot).kill();
    rmSync(stage.server(slot).folder, { recursive: true });
  }
  // Two of the four that it names are left.
  await expectAll(stage);
  await expectHealthy(stage);
  expect(await membersOf(stage)).toEqual(["DFS2", "DFS4", "DFS5", "DFS6"]);
});

test("a healthy server is replaced by one at another address, and its pieces move before it goes", async () => {
  const stage = await open(4, "rs:2+2");
  const heir = await fresh(stage, "dfs7");
  const ran = await stage.dfs("server", "replace", "DFS2", addressOf(heir));
  expect(ran).toMatchObject({ status: 0 });
  expect(ran.out).toContain("sent home");
  await stage.server(1).kill();
  await expectHealthy(stage);
  for (const lost of [0, 2, 3]) await stage.without([lost], () => expectAll(stage));
});

test("a drained server holds nothing, and added again takes part again", async () => {
  const stage = await open(4, "rs:2+1");
  expectDone(await stage.dfs("server", "drain", "DFS3"));
  await stage.put("new", randomBytes(400_000));
  for (const name of ["new", "large", "rs/large"])
    expect((await stage.stat(name)).servers[2]).toEqual({ name: "DFS3", up: true, pieces: [] });
  expectDone(await stage.dfs("server", "add", "DFS3"));
  expectDone(await stage.dfs("rebalance"));
  expectDone(await stage.dfs("repair"));
  await expectAll(stage);
  const { servers } = await stage.stat("new");
  expect(servers.map(({ pieces }) => pieces.length)).toEqual([2, 2, 2, 2]);
});

test("what would lose files, or quorums, is refused with one line, and changes nothing", async () => {
  const stage = await open(4, "rs:3+1");
  const other = await open(1, "pairs");
  const listed = await membersOf(stage);
  const refused = async (status: number, text: RegExp, ...args: string[]): Promise<void> => {
    const ran = await stage.dfs("server", ...args);
    expect({ args, status: ran.status, out: ran.out }).toEqual({ args, status, out: "" });
    expect(ran.err.split("\n")[0]).toMatch(text);
    expect(await membersOf(stage)).toEqual(listed);
  };
  const stranger = addressOf(other.server(0));
  await refused(2, /is dfs-tool server add NAME/, "add");
  await refused(2, /there is no dfs-tool server shrink/, "shrink");
  await refused(2, /the cluster has no server DFS9; it has DFS1/, "drain", "DFS9");
  await refused(2, /where is DFS5\?/, "add", "DFS5");
  await refused(2, /is no name of a server/, "add", "DFS 5", "127.0.0.1:1");
  await refused(2, /longer than 64 bytes/, "add", "D".repeat(65), "127.0.0.1:1");
  const dfs1 = addressOf(stage.server(0));
  await refused(2, /is a member of the cluster already: it is DFS1/, "add", "DFS5", dfs1);
  await refused(2, /data of another cluster/, "add", "DFS5", stranger);
  await refused(5, /does not answer/, "add", "DFS5", "127.0.0.1:1");
  await refused(2, /is there with its folder/, "replace", "DFS2");
  await refused(
    1,
    /there are 3 servers for pieces, and the files there are take 4/,
    "drain",
    "DFS2",
  );
  await stage.without([1], () => refused(1, /there are 3 servers for pieces/, "remove", "DFS2"));
  const blank = await fresh(stage, "dfs5");
  await refused(2, /has a server DFS1 already/, "add", "DFS1", addressOf(blank));
  // With two down files of three pieces cannot be had at all.
  await stage.without([0], () =>
    refused(1, /files cannot be had without DFS2/, "replace", "DFS2", addressOf(blank)),
  );
  await expectAll(stage);
});

test("two administrators at once: each change happens whole, or not at all", async () => {
  const stage = await open(3, "rs:2+1");
  const [five, six] = [await fresh(stage, "dfs5"), await fresh(stage, "dfs6")];
  const both = await Promise.all([
    stage.dfs("server", "add", "DFS5", addressOf(five)),
    stage.dfs("server", "add", "DFS6", addressOf(six)),
  ]);
  for (const { status, err } of both)
    if (status !== 0) expect(err).toMatch(/^dfs-tool: somebody else changes the servers/);
  expectDone(await stage.dfs("repair"));
  const done = ["DFS5", "DFS6"].filter((_, i) => both[i]?.status === 0);
  expect(done.length).toBeGreaterThan(0);
  // Either may have been the first.
  expect((await membersOf(stage)).toSorted()).toEqual(["DFS1", "DFS2", "DFS3", ...done]);
  await expectAll(stage);
});

test("a change that is cut short anywhere is finished by repair", async () => {
  const stage = await open(3, "rs:2+1");
  for (let i = 0; i < 6; i++) {
    const server = await fresh(stage, `dfs${10 + i}`);
    const before = await membersOf(stage);
    const begun = Bun.spawn([executable, "server", "add", server.name, addressOf(server)], {
      cwd: stage.home,
      env: { DFS_CONFIG: stage.config },
      stdio: ["ignore", "ignore", "ignore"],
    });
    await Bun.sleep(5 + i * 12);
    begun.kill("SIGKILL");
    await begun.exited;
    await expectAll(stage);
    expectDone(await stage.dfs("repair"));
    expect([before, [...before, server.name]]).toContainEqual(await membersOf(stage));
    if (!(await membersOf(stage)).includes(server.name)) await server.kill();
  }
  await expectAll(stage);
});
