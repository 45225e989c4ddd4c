/** Who belongs to a cluster is what its servers agreed on; dfc.conf only says where to look. */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { newFolder, removeFolders, run } from "../harness/program.ts";
import { loginLines, writeOwned } from "../harness/password.ts";
import {
  configOf,
  differences,
  empty,
  expectDone,
  folderOf,
  type ServerProcess,
  Stage,
} from "../harness/stage.ts";

setDefaultTimeout(60_000);

const FILES = { large: randomBytes(700_001), small: randomBytes(900), "x y": randomBytes(70_000) };
const NAMES = Object.keys(FILES);

const stages: Stage[] = [];
afterEach(async () => {
  await Promise.all(stages.splice(0).map((stage) => stage.close()));
});
afterAll(removeFolders);

async function open(size = 4): Promise<Stage> {
  const stage = await Stage.open(size);
  stages.push(stage);
  return stage;
}

/** A cluster with the files in it, which lie in the folder too. */
async function withFiles(): Promise<{ stage: Stage; folder: string }> {
  const stage = await open();
  const folder = folderOf(FILES);
  expectDone(await stage.dfsIn(folder, "put", ...NAMES));
  return { stage, folder };
}

/** A client of its own, with a dfc.conf of these lines. */
function clientOf(config: string): (...args: string[]) => ReturnType<typeof run> {
  const cwd = newFolder();
  writeOwned(join(cwd, "dfc.conf"), config);
  return (...args) => run(args, { cwd });
}

/** Gets all files with any client, and compares them. */
async function expectFiles(stage: Stage, config: string, folder: string): Promise<string> {
  const back = newFolder();
  const ran = await stage.dfsIn(back, "get", "--config", config, ...NAMES);
  expectDone(ran);
  expect(differences(NAMES, folder, back)).toEqual([]);
  return ran.err;
}

/** All that there is to see of a cluster. */
async function stateOf(stage: Stage): Promise<unknown> {
  const { out } = await stage.dfs("list", "--json");
  const names = (JSON.parse(out) as { name: string }[]).map(({ name }) => name);
  return { out, stats: await Promise.all(names.map((name) => stage.stat(name))) };
}

describe("a second client", () => {
  const shuffled = [2, 0, 3, 1];
  const host = (slot: number): string => (slot % 2 === 0 ? "localhost" : "LocalHost");

  test("with other spellings, other names and another order sees the same", async () => {
    const { stage, folder } = await withFiles();
    const servers = shuffled.map((slot) => stage.server(slot));
    const lines = servers.map(({ name, port }, i) => `server OTHER-${name} ${host(i)}:${port}`);
    const config = join(newFolder(), "other.conf");
    writeOwned(config, `${lines.join("\n")}\n${loginLines}`);

    expect(await expectFiles(stage, config, folder)).toBe("");
    const list = await stage.dfs("list", "--config", config);
    expect(list).toEqual(await stage.dfs("list"));
    for (const name of NAMES) {
      const mine = await stage.stat(name);
      const ran = await stage.dfs("stat", "--json", "--config", config, name);
      const theirs = JSON.parse(ran.out.replaceAll("OTHER-", ""));
      expect(theirs).toEqual(mine);
    }
    // What it puts lies where the first client would have put it.
    const before = await stage.stat("large");
    expectDone(await stage.dfsIn(folder, "put", "--config", config, "large"));
    const after = await stage.stat("large");
    const { version, ...rest } = before;
    expect(after).toMatchObject({ ...rest, seq: before.seq + 1 });
    expect(after.version).not.toBe(version);
  });

  test("that knows only some of the servers", async () => {
    const { stage, folder } = await withFiles();
    const config = join(newFolder(), "some.conf");
    writeOwned(config, configOf(stage.servers.slice(1)));
    await expectFiles(stage, config, folder);
    const { out } = await stage.dfs("stat", "--json", "large");
    const some = await stage.dfs("stat", "--json", "--config", config, "large");
    expect(JSON.parse(some.out).x).toBe(JSON.parse(out).x);
  });
});

describe("a server of another cluster in dfc.conf: exit status 2, and nothing is changed", () => {
  test.each([
    ["one instead of one's own", 3, 1],
    ["one too many", 4, 1],
    ["half", 2, 2],
    ["all but one", 1, 3],
  ])("%s", async (_, own, foreign) => {
    const { stage, folder } = await withFiles();
    const other = await open();
    await other.put("theirs", randomBytes(100_000));
    await other.put("small", randomBytes(50));
    const before = [await stateOf(stage), await stateOf(other)];

    const servers: ServerProcess[] = [];
    servers.push(...stage.servers.slice(0, own), ...other.servers.slice(4 - foreign));
    const lines = servers.map(({ port }, i) => `Server S${i + 1} 127.0.0.1:${port}\n`);
    const client = clientOf(lines.join("") + loginLines);
    const attempts = [
      ["put", join(folder, "small"), join(folder, "large")],
      ["put", "--name", "fresh", join(folder, "small")],
      ["get", "small"],
      ["list"],
      ["stat", "small"],
      ["mkdir", "folder"],
    ];
    for (const args of attempts) {
      const { status, out, err } = await client(...args);
      expect({ args, status, out }).toEqual({ args, status: 2, out: "" });
      expect(err).toMatch(/^dfs-tool: [^\n]*another cluster[^\n]*\n$/);
      // It names the servers that are the minority.
      if (foreign === 1) expect(err).toContain(`127.0.0.1:${other.server(3).port}`);
    }
    expect([await stateOf(stage), await stateOf(other)]).toEqual(before);
  });
});

describe("a server whose folder was emptied while it was down", () => {
  test.each([0, 1, 2, 3])("does not count, and is named: server %i of 0..3", async (slot) => {
    const { stage, folder } = await withFiles();
    const server = stage.server(slot);
    const lost = new RegExp(`^dfs-tool: warning: [^\\n]*${server.name}[^\\n]* lost [^\\n]*\\n$`);
    await server.kill();
    empty(server.folder);
    await server.start();

    expect(await expectFiles(stage, stage.config, folder)).toMatch(lost);
    const list = await stage.dfs("list");
    expect(list.out).toBe("large\nsmall\nx y\n");
    expect(list.err).toMatch(lost);
    // A put goes to the others, and stays right.
    const newer = folderOf({ ...FILES, small: randomBytes(5000) });
    const put = await stage.dfsIn(newer, "put", ...NAMES);
    expect({ status: put.status, out: put.out }).toEqual({ status: 0, out: "" });
    expect(put.err).toMatch(lost);
    expect(await expectFiles(stage, stage.config, newer)).toMatch(lost);
    // Its "there is no such file" is no vote: with one more gone the rest still say what there is.
    const next = (slot + 1) % 4;
    await stage.without([next], async () => {
      const { out } = await stage.dfs("list");
      expect(out.replaceAll(" [incomplete]", "")).toBe("large\nsmall\nx y\n");
      const get = await stage.dfsIn(newFolder(), "get", "small");
      expect([0, 6]).toContain(get.status);
      expect((await stage.dfs("put", join(newer, "small"))).status).toBe(7);
    });
    expect(await expectFiles(stage, stage.config, newer)).toMatch(lost);
  });

  test("two of them: what is left is told apart from what never was", async () => {
    const { stage } = await withFiles();
    for (const slot of [0, 1]) {
      await stage.server(slot).kill();
      empty(stage.server(slot).folder);
      await stage.server(slot).start();
    }
    const list = await stage.dfs("list");
    expect(list.out).toBe("large [incomplete]\nsmall [incomplete]\nx y [incomplete]\n");
    expect(list.err.match(/lost/g)?.length).toBe(2);
    const get = await stage.dfsIn(newFolder(), "get", "small");
    expect({ status: get.status, out: get.out }).toEqual({
      status: 6,
      out: "small is incomplete\n",
    });
  });
});
