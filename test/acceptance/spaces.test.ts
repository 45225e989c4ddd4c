/** Two users of the same servers: neither sees, reads or changes anything of the other's, and one of them keeps the cluster. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Ran, removeFolders } from "../harness/program.ts";
import { Computer, lineOf, usersFile } from "./computer.ts";
import { ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const PASSWORDS = { Alice: "SimplePassword", Bob: "SimplePassword" };
const OF_ALICE = { a: randomBytes(400_000), "only hers": randomBytes(500) };
const OF_BOB = { a: randomBytes(90_000) };

let stage: Stage;
let spare: ServerProcess;
let alice: Computer;
let bob: Computer;
beforeAll(async () => {
  const users = await usersFile(PASSWORDS);
  stage = await Stage.open(4, { users });
  spare = new ServerProcess(join(stage.home, "dfs5"), { users });
  await spare.start();
  alice = new Computer(stage.servers, lineOf("Alice", PASSWORDS.Alice));
  bob = new Computer(stage.servers, lineOf("Bob", PASSWORDS.Bob));
  for (const [name, bytes] of Object.entries(OF_ALICE)) await alice.put(name, bytes);
  for (const [name, bytes] of Object.entries(OF_BOB)) await bob.put(name, bytes);
});
afterAll(async () => {
  await Promise.all([stage.close(), spare.kill()]);
  removeFolders();
});

/** Each has exactly their own. */
async function expectOwn(): Promise<void> {
  expect(await alice.list()).toBe("a\nonly hers\n");
  expect(await bob.list()).toBe("a\n");
  for (const [computer, files] of [
    [alice, OF_ALICE],
    [bob, OF_BOB],
  ] as const)
    for (const [name, bytes] of Object.entries(files))
      expect((await computer.get(name)).equals(bytes)).toBe(true);
}

test("equal names and equal passwords do not meet", async () => {
  await expectOwn();
  const [hers, his] = await Promise.all([alice, bob].map((one) => one.dfs("stat", "--json", "a")));
  expect(JSON.parse(hers?.out ?? "")).toMatchObject({ bytes: OF_ALICE.a.length, seq: 1 });
  expect(JSON.parse(his?.out ?? "")).toMatchObject({ bytes: OF_BOB.a.length, seq: 1 });
});

test("what the other one has is not there", async () => {
  for (const verb of ["get", "stat", "rm"])
    expect(await bob.dfs(verb, "only hers")).toMatchObject({ status: 4, out: "" });
  const found = await bob.dfs("verify", "only hers");
  expect(found.out).toContain("only hers: there is no only hers");
  await expectOwn();
});

test("a deletion and a new life of the name are one's own", async () => {
  expect(await bob.dfs("rm", "a")).toMatchObject({ status: 0 });
  expect(await bob.list()).toBe("");
  expect((await alice.get("a")).equals(OF_ALICE.a)).toBe(true);
  await bob.put("a", OF_BOB.a);
  await expectOwn();
});

test("who keeps the cluster verifies and repairs all users' files, and another user their own", async () => {
  const filesOf = async (computer: Computer): Promise<number> =>
    (JSON.parse((await computer.dfs("verify", "--json")).out) as { files: number }).files;
  expect([await filesOf(alice), await filesOf(bob)]).toEqual([3, 1]);
  const status = JSON.parse((await bob.dfs("status", "--json")).out) as { files: number };
  expect(status.files).toBe(1);

  await stage.server(2).kill();
  rmSync(join(stage.server(2).folder, "pieces"), { recursive: true });
  await stage.server(2).start();
  const restored = async (computer: Computer): Promise<number> => {
    const { out } = await computer.dfs("repair", "--json");
    return (JSON.parse(out) as { restored: number }).restored;
  };
  // Each file has two pieces on each server; what is small lies in the catalog, which is there.
  expect(await restored(bob)).toBe(2);
  expect(await restored(alice)).toBe(2);
  expect(await restored(bob)).toBe(0);
  for (const lost of [1, 3]) await stage.without([lost], expectOwn);
});

test("of the other's files only sealed names are told", async () => {
  await stage.server(1).kill();
  rmSync(join(stage.server(1).folder, "pieces"), { recursive: true });
  await stage.server(1).start();
  const { out, status } = await alice.dfs("repair", "-v");
  expect(status).toBe(0);
  expect(out.match(/ 2 copies restored/g)).toHaveLength(2);
  expect(out).toContain("a: ");
  // The sealed name of Bob's file: base64url of 16 bytes more than it has.
  expect(out).toMatch(/^[\w-]{23}: .*2 copies restored/m);
});

test("who does not keep the cluster cannot change it: exit status 12 and one line", async () => {
  const address = `127.0.0.1:${spare.port}`;
  const state = async (): Promise<Ran> => alice.dfs("server", "list", "--json");
  const before = await state();
  for (const args of [
    ["add", "DFS5", address],
    ["drain", "DFS2"],
    ["replace", "DFS2", address],
    ["remove", "DFS2"],
  ]) {
    const { status, out, err } = await bob.dfs("server", ...args);
    expect({ args, status, out }).toEqual({ args, status: 12, out: "" });
    expect(err).toMatch(/^dfs-tool: Bob is no operator of the cluster[^\n]*\n$/);
  }
  expect(await state()).toEqual(before);
  expect(await bob.dfs("server", "list")).toMatchObject({ status: 0 });
  expect(await alice.dfs("server", "add", "DFS5", address)).toMatchObject({ status: 0 });
  await expectOwn();
});

test("a server that knows no users is no member of servers that do, and is named where it is one", async () => {
  const open = new ServerProcess(join(stage.home, "dfs6"), { users: null });
  await open.start();
  try {
    const added = await alice.dfs("server", "add", "DFS6", `127.0.0.1:${open.port}`);
    expect(added).toMatchObject({ status: 2, out: "" });
    expect(added.err).toContain("DFS6 knows no users");
    const [first, ...others] = stage.servers;
    if (!first) throw new Error("there are servers");
    // One that lost its file of users lets everybody in.
    await first.kill();
    const careless = new ServerProcess(first.folder, { users: null, port: first.port });
    await careless.start();
    const reckless = new Computer([careless, ...others], lineOf("Alice", PASSWORDS.Alice));
    const listed = await reckless.dfs("list");
    expect(listed.err).toContain("knows no users");
    const changed = await reckless.dfsWith({ DFS_NEW_PASSWORD: "another" }, "user", "passwd");
    expect(changed).toMatchObject({ status: 2, out: "" });
    expect(changed.err).toContain("nothing was changed");
    await careless.kill();
    await first.start();
    await expectOwn();
  } finally {
    await open.kill();
  }
});
