/** Files of before there were users are not lost from sight: it is told of them, and an operator adopts them, killed at any point or not. */
import { afterAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { adopt, openNamesFor } from "../../src/client/care/adopt.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { Opener } from "../../src/client/trust/opener.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import { DfsError, isDfsError } from "../../src/errors.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import type { Net } from "../../src/io/ports.ts";
import { type Password, passwordIn } from "../../src/io/stretch.ts";
import { credentialsOf } from "../../src/wire/login.ts";
import { removeFolders } from "../harness/program.ts";
import { Computer, lineOf, usersFile } from "./computer.ts";
import { newMemory } from "../harness/password.ts";
import { expectDone, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const PASSWORDS = { Alice: "SimplePassword", Bob: "another one" };
const SERVERS = 3;

const FILES: Readonly<Record<string, Buffer>> = {
  "big one": randomBytes(700_001),
  "docs/plan": randomBytes(50_000),
  "docs/small": Buffer.from("small"),
  empty: Buffer.alloc(0),
};
const NAMES = ["big one", "docs/", "docs/plan", "docs/small", "empty"];

/** Servers that knew no users, with files of that time, and that know some from now on. */
let servers: ServerProcess[] = [];
let alice: Computer;
let bob: Computer;

/** `putMore`: what else was put, by whoever is in a dfc.conf of that time. */
async function withUsersNow(putMore?: (stage: Stage) => Promise<void>): Promise<void> {
  const stage = await Stage.open(SERVERS, { users: null });
  const before = new Computer(stage.servers, "");
  for (const [name, bytes] of Object.entries(FILES)) await before.put(name, bytes);
  expectDone(await before.dfs("mkdir", "docs/"));
  await putMore?.(stage);
  await Promise.all(stage.servers.map((server) => server.terminate()));
  const users = await usersFile(PASSWORDS);
  servers = stage.servers.map(({ folder, port }) => new ServerProcess(folder, { users, port }));
  await Promise.all(servers.map((server) => server.start()));
  alice = new Computer(servers, lineOf("Alice", PASSWORDS.Alice));
  bob = new Computer(servers, lineOf("Bob", PASSWORDS.Bob));
}

const end = (): Promise<unknown> => Promise.all(servers.splice(0).map((server) => server.kill()));
beforeEach(end);
afterAll(async () => {
  await end();
  removeFolders();
});

/** So many files lie in the open, as an operator's status has it. */
async function openCount(): Promise<unknown> {
  const { out } = await alice.dfs("status", "--json");
  return (JSON.parse(out) as { open: number }).open;
}

async function expectAdopted(by: Computer): Promise<void> {
  expect(await by.list()).toBe(NAMES.map((name) => `${name}\n`).join(""));
  for (const [name, bytes] of Object.entries(FILES))
    expect((await by.get(name)).equals(bytes)).toBe(true);
}

test("it is told of them by servers, status, and where an operator finds nothing", async () => {
  await withUsersNow();
  for (const { said } of servers)
    expect(said.match(/files lie here since before there were users/g)).toHaveLength(1);
  expect(await openCount()).toBe(NAMES.length);
  const status = await alice.dfs("status");
  expect(status.out).toContain(
    "5 files lie in the open since before there were users, and are in nobody's list: dfs-tool adopt",
  );
  for (const args of [["list"], ["list", "--json"], ["get", "empty"]]) {
    expect((await alice.dfs(...args)).err).toContain("dfs-tool adopt makes them yours");
    expect((await bob.dfs(...args)).err).not.toContain("adopt");
  }
});

test("an operator adopts them, some first and then all; nothing is left in the open", async () => {
  await withUsersNow();
  const none = await bob.dfs("adopt");
  expect(none).toMatchObject({ status: 0, err: "" });
  expect(none.out).toStartWith("nothing to adopt: no files of yours lie in the open;");
  expect(await alice.dfs("adopt", "docs/")).toEqual({
    status: 0,
    out: "3 files adopted: sealed, and yours\n",
    err: "",
  });
  expect(await alice.list()).toBe("docs/\ndocs/plan\ndocs/small\n");
  expect(await alice.dfs("adopt")).toMatchObject({
    status: 0,
    out: "2 files adopted: sealed, and yours\n",
  });
  await expectAdopted(alice);
  expect(await openCount()).toBe(0);
  expect(await bob.list()).toBe("");
  const again = await alice.dfs("adopt");
  expect(again.out).toBe("nothing to adopt: no files lie in the open\n");
  // Where all servers answer the deletions are forgotten, and with them the names.
  const status = await alice.dfs("status", "--json");
  expect(JSON.parse(status.out)).toMatchObject({ files: NAMES.length, toDo: { deletions: 0 } });
  const [first] = servers;
  await first?.terminate();
  await first?.start();
  expect(first?.said.match(/before there were users/g)).toHaveLength(1);
});

test("a file's attributes, size and layout stay, and a folder's attributes", async () => {
  type Stat = Record<"layout" | "bytes" | "attributes", unknown>;
  const factsOf = (by: Computer): Promise<Stat[]> =>
    Promise.all(
      ["parity", "docs/"].map(async (name) => {
        const { out } = await by.dfs("stat", "--json", name);
        const { layout, bytes, attributes } = JSON.parse(out) as Stat;
        return { layout, bytes, attributes };
      }),
    );
  const were: Stat[] = [];
  await withUsersNow(async (stage) => {
    const before = new Computer(stage.servers, "Layout: rs:2+1\n");
    await before.put("parity", FILES["big one"] ?? "");
    were.push(...(await factsOf(before)));
  });
  expect(were).toMatchObject([
    { layout: "rs:2+1", bytes: FILES["big one"]?.length },
    { attributes: { kind: "folder", by: "command" } },
  ]);
  expectDone(await alice.dfs("adopt"));
  expect(await factsOf(alice)).toEqual(were);
});

test("names that no file system would take are adopted too, and a file whose name ends in a slash is none", async () => {
  const odd = ["f/", "f/below", "/x//y", "..", "/"];
  await withUsersNow(async (stage) => {
    const before = new Computer(stage.servers, "");
    for (const name of odd) await before.put(name, `what ${name} has`);
  });
  expectDone(await alice.dfs("adopt"));
  expect(await openCount()).toBe(0);
  for (const name of odd) expect((await alice.get(name)).toString()).toBe(`what ${name} has`);
});

/** The network of a process that comes to say so many things, and is killed then. */
function netOf(things: number): Net {
  let left = things;
  return {
    ...bunNet,
    async connect(...where) {
      const conn = await bunNet.connect(...where);
      const write = conn.write.bind(conn);
      conn.write = (...parts) => {
        if (left-- > 0) return write(...parts);
        conn.close();
        return Promise.reject(new DfsError("down", "killed"));
      };
      return conn;
    },
  };
}

/** Adopts as Alice, up to where it is killed; was it not? */
async function adoptUntilKilled(things: number, password: Password): Promise<boolean> {
  const addresses = servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
  const ports = { clock: bunClock, net: netOf(things), random: bunRandom };
  const login = { credentials: [password.login.then((word) => credentialsOf("Alice", word))] };
  try {
    const options = { user: "Alice", login: { ...login, offersScram: false }, warn: () => {} };
    const cluster = await openCluster(ports, addresses, options);
    try {
      const mine = await unlock(cluster, new Opener(password), newMemory());
      for (const one of await openNamesFor(mine, "")) await adopt(mine, one, { placement: "name" });
      return true;
    } finally {
      cluster.close();
    }
  } catch (error) {
    if (isDfsError(error)) return false;
    throw error;
  }
}

test("killed at any point, it loses nothing, and goes on", async () => {
  await withUsersNow();
  const password = passwordIn("Alice", PASSWORDS.Alice);
  let deaths = 0;
  // Opening the cluster takes some ten messages, a file some twenty.
  for (let things = 1; !(await adoptUntilKilled(things, password)); things += 3) deaths++;
  expect(deaths).toBeGreaterThan(5);
  await expectAdopted(alice);
  expect(await openCount()).toBe(0);
});

describe("a name that is there already", () => {
  test("with another content: both stay, and it is told", async () => {
    await withUsersNow();
    await alice.put("empty", "not empty");
    const ran = await alice.dfs("adopt");
    expect(ran).toMatchObject({ status: 3 });
    expect(ran.out).toBe("4 files adopted: sealed, and yours\nempty was not adopted\n");
    expect(ran.err).toStartWith("dfs-tool: empty: there is another file of that name among yours");
    expect((await alice.get("empty")).toString()).toBe("not empty");
    expect(await openCount()).toBe(1);
    expectDone(await alice.dfs("rm", "empty"));
    expectDone(await alice.dfs("adopt"));
    await expectAdopted(alice);
  });

  test("with the same content: only what lies in the open goes", async () => {
    await withUsersNow();
    await alice.put("big one", FILES["big one"] ?? "");
    const version = async () => (await alice.dfs("stat", "--json", "big one")).out;
    const before = await version();
    expectDone(await alice.dfs("adopt"));
    expect(await version()).toBe(before);
    expect(await openCount()).toBe(0);
  });
});

test("not while servers are too few for it, and all of it after that", async () => {
  await withUsersNow();
  const lost = servers.slice(1);
  await Promise.all(lost.map((server) => server.kill()));
  expect((await alice.dfs("adopt")).status).toBe(5);
  await Promise.all(lost.map((server) => server.start()));
  expectDone(await alice.dfs("adopt"));
  await expectAdopted(alice);
});

test("a user's own files of before there was a password are adopted by that user", async () => {
  await withUsersNow(async (stage) => {
    await new Computer(stage.servers, "Username: Bob\n").put("mine", "in the open");
  });
  const list = await bob.dfs("list");
  expect(list.out).toBe("");
  expect(list.err).toContain("dfs-tool adopt");
  expect(await bob.dfs("adopt")).toMatchObject({
    status: 0,
    out: "1 file adopted: sealed, and yours\n",
  });
  expect((await bob.get("mine")).toString()).toBe("in the open");
  expect(await bob.dfs("list")).toEqual({ status: 0, out: "mine\n", err: "" });
  expect(await openCount()).toBe(NAMES.length);
});

test("who has no space of their own adopts nothing", async () => {
  const stage = await Stage.open(SERVERS, { users: null });
  servers = [...stage.servers];
  const ran = await new Computer(stage.servers, "").dfs("adopt");
  expect(ran).toMatchObject({ status: 2, out: "" });
  expect(ran.err).toContain("write Username and Password into dfc.conf");
});
