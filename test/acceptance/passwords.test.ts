/** Where a user's password comes from, that it shows nowhere, and what it means to change it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openCluster } from "../../src/client/members/open.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import { stretch } from "../../src/io/stretch.ts";
import { FIRST_REPLY_MS } from "../../src/limits.ts";
import { credentialsOf } from "../../src/wire/login.ts";
import { executable, type Ran, removeFolders, run } from "../harness/program.ts";
import { Computer, lineOf, REFUSED, usersFile } from "./computer.ts";
import { writeOwned } from "../harness/password.ts";
import { expectDone, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const FIRST = "SimplePassword";
const FILES: Readonly<Record<string, Buffer>> = {
  large: randomBytes(700_001),
  small: randomBytes(3000),
  empty: Buffer.alloc(0),
};

let stage: Stage;
let users = "";
let alice: Computer;
beforeAll(async () => {
  users = await usersFile({ Alice: FIRST, Bob: "Bob's" });
  stage = await Stage.open(4, { users });
  alice = new Computer(stage.servers, lineOf("Alice", FIRST));
  for (const [name, bytes] of Object.entries(FILES)) await alice.put(name, bytes);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** The versions of all files: their ids and places in their chains. */
async function versions(computer: Computer): Promise<unknown> {
  const stats = Object.keys(FILES).map((name) => computer.dfs("stat", "--json", name));
  return (await Promise.all(stats)).map(({ out }) => JSON.parse(out) as unknown);
}

/** With this password all is as it was put, from a computer that has seen it and from a new one. */
async function expectAll(password: string, before: unknown): Promise<void> {
  writeOwned(
    alice.config,
    readFileSync(alice.config, "utf8").replace(/(?<=^Password: ).*$/m, password),
  );
  for (const computer of [alice, new Computer(stage.servers, lineOf("Alice", password))]) {
    expect(await computer.list()).toBe("empty\nlarge\nsmall\n");
    for (const [name, bytes] of Object.entries(FILES))
      expect((await computer.get(name)).equals(bytes)).toBe(true);
    expect(await versions(computer)).toEqual(before);
  }
}

const refused = { status: 12, out: "", err: `${REFUSED}\n` };

describe("a changed password: the old one is refused, and nothing but the key is sealed anew", () => {
  test("on all servers, by its user", async () => {
    const before = await versions(alice);
    const old = new Computer(stage.servers, lineOf("Alice", FIRST));
    const ran = await alice.dfsWith({ DFS_NEW_PASSWORD: "the second one" }, "user", "passwd");
    expect(ran).toEqual({
      status: 0,
      out: "the password of Alice is changed: write the new one where the old one was\n",
      err: "",
    });
    expect(await old.dfs("list")).toEqual(refused);
    await expectAll("the second one", before);
  });

  test("by who keeps the servers, until the user seals the key with it", async () => {
    const before = await versions(alice);
    const old = new Computer(stage.servers, lineOf("Alice", "the second one"));
    const env = { DFS_NEW_PASSWORD: "the third one" };
    expectDone(await run(["user", "passwd", users, "Alice"], { cwd: stage.home, env }));
    expect(await old.dfs("list")).toEqual(refused);
    const mine = new Computer(stage.servers, lineOf("Alice", "the third one"));
    // Who keeps the servers can let anybody in, and still nobody reads anything.
    const locked = await mine.dfs("list");
    expect(locked).toMatchObject({ status: 12, out: "" });
    expect(locked.err).toContain("dfs-tool user passwd with the old one in $DFS_OLD_PASSWORD");
    const wrong = await mine.dfsWith({ DFS_OLD_PASSWORD: FIRST }, "user", "passwd");
    expect(wrong).toMatchObject({ status: 12, out: "" });
    expect(wrong.err).toMatch(/^dfs-tool: the old password does not open the key[^\n]*\n$/);
    expectDone(await mine.dfsWith({ DFS_OLD_PASSWORD: "the second one" }, "user", "passwd"));
    await expectAll("the third one", before);
  });

  test("not while a server is down, which would go on with the old one", async () => {
    await stage.without([2], async () => {
      const ran = await alice.dfsWith({ DFS_NEW_PASSWORD: "fourth" }, "user", "passwd");
      expect(ran).toMatchObject({ status: 5, out: "" });
      expect(ran.err).toContain("DFS3 must answer too");
    });
    await expectAll("the third one", await versions(alice));
  });
});

describe("it comes from", () => {
  const bob = (...lines: string[]): Computer =>
    new Computer(stage.servers, `Username: Bob\n${lines.join("\n")}\n`);

  test("the environment, before all else", async () => {
    expect(await bob().dfsWith({ DFS_PASSWORD: "Bob's" }, "list")).toMatchObject({ status: 0 });
    const other = bob("Password: another");
    expect(await other.dfsWith({ DFS_PASSWORD: "Bob's" }, "list")).toMatchObject({ status: 0 });
    expect(await other.dfs("list")).toEqual(refused);
  });

  test("a file", async () => {
    const computer = bob("PasswordFile: secret");
    writeOwned(join(computer.folder, "secret"), "Bob's\r\nnot this\n");
    expect(await computer.dfs("list")).toEqual({ status: 0, out: "", err: "" });
    chmodSync(join(computer.folder, "secret"), 0o640);
    const warned = await computer.dfs("list");
    expect(warned.status).toBe(0);
    expect(warned.err).toMatch(
      /^dfs-tool: warning: \S+\/secret holds a password[^\n]*chmod 600 [^\n]*\n$/,
    );
  });

  test("a command, where the dfc.conf was named", async () => {
    const named = ["list", "--config", "dfc.conf"];
    const computer = bob(`PasswordCommand: touch ran; printf "Bob's\\nmore"`);
    // Where it lies in the user's home it is theirs.
    const found = await computer.dfsWith({ HOME: "/" }, "list");
    expect(found).toMatchObject({ status: 2, out: "" });
    expect(found.err).toContain("PasswordCommand is not run, for the file was only found in this");
    expect(existsSync(join(computer.folder, "ran"))).toBe(false);
    expect(await computer.dfsWith({ HOME: "/" }, ...named)).toEqual({
      status: 0,
      out: "",
      err: "",
    });
    const failing = await bob("PasswordCommand: exit 3").dfs(...named);
    expect(failing).toMatchObject({ status: 2, out: "" });
    expect(failing.err).toContain("the PasswordCommand ended with status 3");
  });

  test("a dfc.conf, with a warning where others can read it", async () => {
    const computer = bob("Password: Bob's");
    expect(await computer.dfs("list")).toEqual({ status: 0, out: "", err: "" });
    chmodSync(computer.config, 0o604);
    const { status, out, err } = await computer.dfs("list");
    expect({ status, out }).toEqual({ status: 0, out: "" });
    expect(err).toBe(
      `dfs-tool: warning: dfc.conf holds a password, and others can read it: chmod 600 dfc.conf\n`,
    );
  });
});

test("however long it takes to stretch it, no server is taken for silent", async () => {
  const { login } = await stretch("Bob", "Bob's");
  const late = Bun.sleep(2 * FIRST_REPLY_MS).then(() => credentialsOf("Bob", login));
  const addresses = stage.servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
  const ports = { clock: bunClock, net: bunNet, random: bunRandom };
  const options = {
    user: "Bob",
    login: { credentials: [late], offersScram: true },
    warn: () => {},
  };
  const cluster = await openCluster(ports, addresses, options);
  expect(cluster.live).toHaveLength(4);
  cluster.close();
});

describe("it shows nowhere:", () => {
  const SECRET = "Bob's";

  test.skipIf(process.platform !== "linux")("in no argument of any process", async () => {
    const computer = new Computer(stage.servers, lineOf("Bob", SECRET));
    const child = Bun.spawn([executable, "status", "--watch"], {
      cwd: computer.folder,
      env: { HOME: computer.folder },
      stdio: ["ignore", "pipe", "ignore"],
    });
    try {
      // Once it has said something it has logged in.
      const reader = child.stdout.getReader();
      expect((await reader.read()).done).toBe(false);
      const pids = [child, ...stage.servers].map(({ pid }) => pid);
      for (const said of pids.map((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8"))) {
        expect(said).toContain("dfs-tool");
        expect(said).not.toContain(SECRET);
      }
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
  });

  test("in nothing that a client or a server says", async () => {
    const computer = new Computer(stage.servers, lineOf("Bob", SECRET));
    const wrong = new Computer(stage.servers, lineOf("Bob", `${SECRET} or not`));
    copyFileSync(executable, join(computer.folder, "file"));
    writeFileSync(join(wrong.folder, "file"), "content");
    const { login } = await stretch("Bob", SECRET);
    const said: Ran[] = [];
    for (const args of [["put", "file"], ["get", "file"], ["list"], ["stat", "file"], ["status"]])
      for (const flag of ["-v", "--json"])
        for (const one of [computer, wrong]) said.push(await one.dfs(...args, flag));
    const all =
      said.map(({ out, err }) => out + err).join("") +
      stage.servers.map((one) => one.said).join("");
    expect(all).toContain("DFS1");
    for (const secret of [SECRET, login]) expect(all).not.toContain(secret);
  });
});
