/** The executable copied to another folder, whose files would change what a Bun that runs there does. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, newFolder, type Ran, removeFolders } from "../harness/program.ts";
import { writeOwned } from "../harness/password.ts";
import { configOf, expectDone, ServerProcess } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const folder = newFolder();
const program = join(folder, "tool");
const EVIL = 'require("node:fs").appendFileSync(__dirname + "/evil", "here");\nprocess.exit(66);\n';
const DOTENV = [
  "DFS_CONFIG=from-dotenv.conf",
  "DFS_VERSION=6.6.6",
  "HOME=/nowhere",
  "PATH=/nowhere",
  "NODE_OPTIONS=--require ./evil.js",
  "BUN_OPTIONS=--preload ./evil.js",
  "BUN_BE_BUN=1",
  "DFS_DEBUG=1",
];
const HOSTILE: Record<string, string> = {
  "evil.js": EVIL,
  "bunfig.toml":
    'preload = ["./evil.js"]\n[run]\nbun = true\n[test]\npreload = ["./evil.js"]\n[serve]\nport = 1\n',
  ".bunfig.toml": 'preload = ["./evil.js"]\n',
  "package.json": '{"main": "./evil.js", "imports": {"citty": "./evil.js"}}',
  "tsconfig.json": '{"compilerOptions": {"paths": {"*": ["./evil.js"]}}}',
  "bun.lock": "not json",
};
for (const name of [".env", ".env.local", ".env.production", ".env.development"]) {
  HOSTILE[name] = `${DOTENV.join("\n")}\n`;
}

let servers: ServerProcess[] = [];
beforeAll(async () => {
  copyFileSync(executable, program);
  for (const [name, text] of Object.entries(HOSTILE)) writeFileSync(join(folder, name), text);
  for (const name of ["citty", "consola"]) {
    mkdirSync(join(folder, "node_modules", name), { recursive: true });
    writeFileSync(join(folder, "node_modules", name, "index.js"), EVIL);
  }
  servers = ["dfs1", "dfs2", "dfs3", "dfs4"].map(
    (name) => new ServerProcess(join(folder, name), { program }),
  );
  await Promise.all(servers.map((server) => server.start()));
  writeOwned(join(folder, "dfc.conf"), configOf(servers));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  removeFolders();
});

/** Runs the copy in that folder, with an environment that says as little as it can. */
async function tool(...args: string[]): Promise<Ran> {
  const child = Bun.spawn([program, ...args], {
    cwd: folder,
    env: { HOME: folder },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, out, err };
}

test("servers and clients work there as anywhere", async () => {
  const bytes = randomBytes(400_000);
  writeFileSync(join(folder, "file"), bytes);
  const done = { status: 0, out: "", err: "" };
  expect(await tool("put", "file")).toEqual(done);
  expect(await tool("list")).toEqual({ ...done, out: "file\n" });
  expect(await tool("get", "file", "-o", "back")).toEqual(done);
  expect(readFileSync(join(folder, "back")).equals(bytes)).toBe(true);
  const stat = await tool("stat", "--json", "file");
  expectDone(stat);
  expect(JSON.parse(stat.out)).toMatchObject({ bytes: 400_000, incomplete: false });
});

test("nothing of .env, bunfig.toml or any other file there has an effect", async () => {
  const version = await tool("--version");
  expect(version.out).toMatch(/^dfs-tool \d+\.\d+\.\d+\n$/);
  expect(version.out).not.toContain("6.6.6");
  // Were DFS_CONFIG taken from there, it would be the configuration that counts.
  expect((await tool("list", "-v")).err).toContain("dfc.conf: DFS1, DFS2, DFS3, DFS4");
  // Were DFS_DEBUG taken from there, or BUN_BE_BUN, what goes wrong would be told otherwise.
  const wrong = await tool("list", "--config", "none");
  expect(wrong).toEqual({
    status: 2,
    out: "",
    err: "dfs-tool: none: there is no such configuration file\n",
  });
  const demo = await tool("demo");
  expectDone(demo);
  expect(demo.out).toContain("Every file came back byte for byte.");
  expect(readdirSync(folder)).not.toContain("evil");
  for (const { said } of servers) expect(said).not.toContain("evil");
});
