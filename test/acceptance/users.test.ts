/** Who is not a user is told so with the mission's line, whatever is asked, and leaves nothing behind on any server. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Ran, removeFolders, run } from "../harness/program.ts";
import { Computer, lineOf, REFUSED, usersFile } from "./computer.ts";
import { holdingsOf } from "./holdings.ts";
import { ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(180_000);

const PASSWORDS = { Alice: "SimplePassword", Bob: "another one" };

/** All that talks to servers. */
const COMMANDS = [
  ["put", "file"],
  ["put", "file", "dfc.conf"],
  ["put", "file", "--json"],
  ["get", "there"],
  ["get", "there", "other"],
  ["list"],
  ["list", "--json"],
  ["stat", "there"],
  ["rm", "there"],
  ["mkdir", "folder"],
  ["status"],
  ["verify"],
  ["verify", "there"],
  ["repair"],
  ["rebalance"],
  ["server", "list"],
  ["server", "drain", "DFS1"],
  ["server", "remove", "DFS1"],
];
const LINES = ["LIST", "GET there", "PUT file", "MKDIR folder"];

let stage: Stage;
let blank: Stage;
let spare: ServerProcess;
let alice: Computer;

beforeAll(async () => {
  const users = await usersFile(PASSWORDS);
  stage = await Stage.open(4, { users });
  blank = await Stage.open(4, { users });
  spare = new ServerProcess(join(stage.home, "dfs5"), { users });
  await spare.start();
  alice = new Computer(stage.servers, lineOf("Alice", PASSWORDS.Alice));
  await alice.put("there", randomBytes(100_000));
  await alice.put("small", "small");
  // The first login of a user makes the user's key.
  expect(await new Computer(stage.servers, lineOf("Bob", PASSWORDS.Bob)).list()).toBe("");
});
afterAll(async () => {
  await Promise.all([stage.close(), blank.close(), spare.kill()]);
  removeFolders();
});

/** The line on a line of its own, after what dfc.conf `lacks`; and the exit status; nothing on stdout. */
function expectRefused(args: readonly string[], { status, out, err }: Ran, lacks = ""): void {
  const said = err.replace(/(?<= )\S+dfc\.conf/, "dfc.conf");
  const line = lacks && `dfs-tool: warning: ${lacks}\n`;
  expect({ args, status, out, err: said }).toEqual({
    args,
    status: 12,
    out: "",
    err: `${line}${REFUSED}\n`,
  });
}

const NO_PASSWORD = "the password of Alice goes into dfc.conf, or $DFS_PASSWORD";
const NO_USER =
  'the servers want a user: write lines "Username: NAME" and "Password: WORD" into dfc.conf';

/** What dfc.conf says at the ith attempt, and whose failed logins servers count; what it lacks. */
const CASES = [
  ["a wrong password", (i: number) => lineOf("Alice", `wrong ${i}`), "Alice", ""],
  ["a user who is not known", (i: number) => lineOf(`Eve${i}`, PASSWORDS.Alice), null, ""],
  ["another user's password", () => lineOf("Bob", PASSWORDS.Alice), "Bob", ""],
  ["a user without a password", () => "Username: Alice\n", null, NO_PASSWORD],
  ["neither user nor password", () => "", null, NO_USER],
] as const;

describe.each(CASES)("%s", (_, whoOf, counted, lacks) => {
  /** A login that is right makes servers forget those that failed, and who fails again need not wait. */
  async function forget(): Promise<void> {
    if (counted === null) return;
    const known = new Computer(stage.servers, lineOf(counted, PASSWORDS[counted]));
    expect(await known.dfs("list")).toMatchObject({ status: 0 });
  }

  /** Runs each command as somebody who is not let in. */
  async function refuseAll(on: Stage, commands: readonly string[][]): Promise<void> {
    for (const [i, args] of commands.entries()) {
      const computer = new Computer(on.servers, whoOf(i));
      writeFileSync(join(computer.folder, "file"), "content");
      expectRefused(args, await computer.dfs(...args), lacks);
      if (on === stage && i % 2 === 1) await forget();
    }
  }

  test("every command", async () => {
    const before = holdingsOf([...stage.servers, spare]);
    const address = `127.0.0.1:${spare.port}`;
    const more = [
      ["server", "add", "DFS5", address],
      ["server", "replace", "DFS1", address],
    ];
    await refuseAll(stage, [...COMMANDS, ...more]);
    expect(holdingsOf([...stage.servers, spare])).toEqual(before);
    expect(await alice.list()).toBe("small\nthere\n");
  });

  test("every line of the shell", async () => {
    const { folder } = new Computer(stage.servers, whoOf(100));
    writeFileSync(join(folder, "file"), "content");
    for (const stdin of LINES) {
      expectRefused([stdin], await run(["shell"], { cwd: folder, stdin: `${stdin}\n` }), lacks);
      await forget();
    }
    const both = await run(["dfc.conf"], { name: "dfc", cwd: folder, stdin: "LIST\nPUT file\n" });
    expect(both).toMatchObject({ status: 12, out: "" });
    const lines = both.err.split("\n").filter((line) => !line.includes(": warning: "));
    expect(lines).toEqual([REFUSED, REFUSED, ""]);
  });

  test("on servers that are blank, which stay so", async () => {
    const before = holdingsOf(blank.servers);
    const some = ["put", "list", "mkdir", "repair", "server"];
    await refuseAll(
      blank,
      some.map((verb) => COMMANDS.find(([first]) => first === verb) ?? []),
    );
    expect(holdingsOf(blank.servers)).toEqual(before);
  });
});

test("a change of the password, with a wrong one or none", async () => {
  const before = holdingsOf(stage.servers);
  const change = (who: string): Promise<Ran> =>
    new Computer(stage.servers, who).dfsWith({ DFS_NEW_PASSWORD: "new" }, "user", "passwd");
  for (const who of [lineOf("Alice", "wrong"), lineOf("Eve", "wrong")])
    expectRefused([who], await change(who));
  // Without them there is nothing to log in with, and so nothing is asked of any server.
  for (const who of ["Username: Alice\n", ""])
    expect(await change(who)).toMatchObject({ status: 2, out: "" });
  expect(holdingsOf(stage.servers)).toEqual(before);
  expect(await alice.list()).toBe("small\nthere\n");
});

test("where the servers differ in what they know, it is told which one refuses", async () => {
  const other = await Stage.open(1, { users: await usersFile({ Alice: "something else" }) });
  try {
    const [stranger] = other.servers;
    const servers = [...stage.servers.slice(0, 3), { name: "DFS4", port: stranger?.port ?? 0 }];
    const ran = await new Computer(servers, lineOf("Alice", PASSWORDS.Alice)).dfs("list");
    expect(ran).toMatchObject({ status: 12, out: "" });
    expect(ran.err).toStartWith(`dfs-tool: DFS4: ${REFUSED} (Others take this password`);
  } finally {
    await other.close();
  }
});
