/** A dfc.conf that the program writes: init makes one, server list --write adds to it. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, run } from "../harness/program.ts";
import { holdingsOf } from "./holdings.ts";
import { expectDone, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const PASSWORD = { DFS_PASSWORD: "correct horse battery staple" };
let stage: Stage;
let fifth: ServerProcess;
beforeAll(async () => {
  stage = await Stage.open(4);
  fifth = new ServerProcess(join(stage.home, "dfs5"), {});
  await fifth.start();
});
afterAll(() => Promise.all([stage.close(), fifth.kill()]));

const who = () => (stage.server(0).users === null ? [] : ["--user", "Alice"]);
const env = () => (stage.server(0).users === null ? {} : PASSWORD);
const line = ({ port }: ServerProcess, i: number) => `Server DFS${i + 1} 127.0.0.1:${port}\n`;
const lines = () => stage.servers.map(line).join("");
const placeOf = ({ port }: ServerProcess) => `127.0.0.1:${port}`;

async function init(...args: string[]) {
  const cwd = newFolder();
  const ran = await run(["init", ...who(), ...args], { cwd, env: env() });
  const path = join(cwd, "dfc.conf");
  const text = existsSync(path) ? readFileSync(path, "utf8") : null;
  return { ...ran, text: text?.replace("Username: Alice\n", "") ?? null, cwd };
}

test("servers that are new are named in order, and init begins no cluster", async () => {
  const before = holdingsOf(stage.servers);
  const made = await init(...stage.servers.map(placeOf));
  expect(made).toMatchObject({ status: 0, err: "", text: lines() });
  expect(made.out).toBe("dfc.conf is written: DFS1, DFS2, DFS3, DFS4\n");
  expect(holdingsOf(stage.servers)).toEqual(before);
});

test("one server of a cluster leads to all; a file that is there stays", async () => {
  await stage.put("a", new Uint8Array(1000));
  const made = await init(placeOf(stage.server(2)));
  expect(made).toMatchObject({ status: 0, text: lines() });
  expect(await run(["list"], { cwd: made.cwd, env: env() })).toMatchObject({ out: "a\n" });
  const again = await run(["init", ...who(), "127.0.0.1:1"], { cwd: made.cwd, env: env() });
  expect([again.status, again.err]).toEqual([2, expect.stringContaining("is there already")]);
  expect(readFileSync(join(made.cwd, "dfc.conf"), "utf8")).toContain(lines());
});

test("where nobody answers they are written down as they are given", async () => {
  const made = await init("127.0.0.1:1", "[::1]:2");
  expect(made).toMatchObject({ status: 0, text: "Server DFS1 127.0.0.1:1\nServer DFS2 [::1]:2\n" });
  expect(made.err).toContain("written down as they were given");
  for (const wrong of ["nowhere", "127.0.0.1:99999"])
    expect(await init(wrong)).toMatchObject({ status: 2, text: null });
});

test("server list --write writes what dfc.conf lacks, and nothing else", async () => {
  writeFileSync(stage.config, readFileSync(stage.config, "utf8").replace(/^Server DFS2 .*\n/m, ""));
  appendFileSync(stage.config, "# mine\n");
  expectDone(await stage.dfs("server", "add", "DFS5", placeOf(fifth)));
  const lacks = await stage.dfs("server", "list");
  expect(lacks.out).toContain(`lacks:\n${line(stage.server(1), 1)}${line(fifth, 4)}`);
  const wrote = await stage.dfs("server", "list", "--write");
  expect(wrote.out).toContain(`written into ${stage.config}:\n`);
  expect((await stage.dfs("server", "list")).out).not.toContain("lacks");
  const text = readFileSync(stage.config, "utf8");
  expect(
    text
      .match(/^Server .*$/gm)
      ?.toSorted()
      .join("\n"),
  ).toBe([...stage.servers, fifth].map((one, i) => line(one, i).trimEnd()).join("\n"));
  expect(text.endsWith("# mine\n")).toBe(true);
  expectDone(await stage.dfs("server", "list", "--write"));
  expect(readFileSync(stage.config, "utf8")).toBe(text);
  expect(await stage.dfs("server", "drain", "DFS5", "--write")).toMatchObject({ status: 2 });
});
