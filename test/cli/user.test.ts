import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseUsers, verifierText } from "../../src/server/users/users.ts";
import { stretch } from "../../src/io/stretch.ts";
import { verifierOf } from "../../src/wire/login.ts";
import { executable, newFolder, removeFolders, run, writeDeadConfig } from "../harness/program.ts";

afterAll(removeFolders);

/** How a user with this password stands in the file. */
const secretOf = async (user: string, password: string): Promise<string> =>
  verifierText(verifierOf(user, (await stretch(user, password)).login));

const textOf = (...path: string[]): string => readFileSync(join(...path), "utf8");

describe("dfs-tool user", () => {
  test("adds, lists, changes and removes the users of a server's folder, which it makes", async () => {
    const cwd = newFolder();
    const env = { DFS_NEW_PASSWORD: "one" };
    const added = await run(["user", "add", "dfs1", "Alice"], { cwd, env });
    expect(added).toEqual({
      status: 0,
      out: "",
      err: "dfs-tool: dfs1/users.conf: the change counts at once for the server that reads this file; do the same for the others\n",
    });
    expect(textOf(cwd, "dfs1/users.conf")).toBe(`Alice ${await secretOf("Alice", "one")}\n`);

    const bob = await run(["user", "add", "dfs1", "Bob"], { cwd, stdin: "two words\r\nmore" });
    expect(bob.status).toBe(0);
    expect(textOf(cwd, "dfs1/users.conf")).toContain(`Bob ${await secretOf("Bob", "two words")}\n`);

    const listed = await run(["user", "list", "dfs1"], { cwd });
    expect(listed.out).toMatch(/^NAME +ROLE *\nAlice +operator *\nBob +user *\n$/);
    const json = await run(["user", "list", "dfs1/users.conf", "--json"], { cwd });
    expect(JSON.parse(json.out)).toEqual({
      users: [
        { name: "Alice", isOperator: true },
        { name: "Bob", isOperator: false },
      ],
    });

    await run(["user", "passwd", "dfs1", "Bob"], { cwd, stdin: "three" });
    expect(textOf(cwd, "dfs1/users.conf")).toContain(`Bob ${await secretOf("Bob", "three")}\n`);
    const removed = await run(["user", "remove", "dfs1", "Alice"], { cwd });
    expect(removed.err).toContain(
      "Bob is the operator now: the first user is where none is marked",
    );
    expect(textOf(cwd, "dfs1/users.conf")).toBe(`Bob ${await secretOf("Bob", "three")}\n`);
  });

  test("replaces a plain password in a dfs.conf, and marks operators", async () => {
    const cwd = newFolder();
    writeFileSync(join(cwd, "dfs.conf"), "Alice SimplePassword # change me\n");
    const stdin = "new\n";
    expect((await run(["user", "add", "dfs.conf", "Alice", "-q"], { cwd, stdin })).err).toBe("");
    const alice = `Alice ${await secretOf("Alice", "new")} # change me\n`;
    expect(textOf(cwd, "dfs.conf")).toBe(alice);
    const { err } = await run(["user", "add", "dfs.conf", "Bob", "--operator"], { cwd, stdin });
    expect(err).toContain("Alice is no operator any more");
    expect(textOf(cwd, "dfs.conf")).toBe(`${alice}Bob ${await secretOf("Bob", "new")} operator\n`);
  });

  test.each([
    [["add", "dfs1"], "it is dfs-tool user add PLACE NAME"],
    [["list"], "it is dfs-tool user list PLACE"],
    [["list", "dfs1", "Alice"], "it is dfs-tool user list PLACE"],
    [["frob", "dfs1"], "there is no dfs-tool user frob; there is add, remove, list, passwd"],
    [["remove", "dfs1", "Alice", "--operator"], "--operator goes with dfs-tool user add only"],
    [["add", "dfs1", "a/b"], '"a/b" cannot be the name of a user: it has a "/"'],
    [["add", "dfs1", "Bob"], "the first line of stdin is empty, and a password must not be"],
    [["add", "dfs1", "Alice"], "there is a user Alice in dfs1/users.conf already; dfs-tool user"],
    [["add", "dfs1", "Bob", "secret"], 'there is one argument too many: "secret"'],
    [["passwd", "dfs1", "Bob"], "there is no user Bob in dfs1/users.conf"],
    [["remove", "dfs1", "Bob"], "there is no user Bob in dfs1/users.conf"],
    [["list", "none"], "none: there is no such folder or file"],
    [["passwd", "none.conf", "Bob"], "none.conf: there is no such file"],
  ])("%j is refused with one line", async (args, message) => {
    const cwd = newFolder();
    mkdirSync(join(cwd, "dfs1"));
    const text = `Alice ${verifierText(verifierOf("Alice", "a login"))}\n`;
    writeFileSync(join(cwd, "dfs1/users.conf"), text);
    const { status, err, out } = await run(["user", ...args], { cwd });
    expect(err).toStartWith(`dfs-tool: ${message}`);
    expect(err).toEndWith("Try 'dfs-tool user --help'.\n");
    expect([status, out, err.split("\n").length]).toEqual([2, "", 3]);
    expect(textOf(cwd, "dfs1/users.conf")).toBe(text);
  });

  test("without a place the password is that of dfc.conf's user, on all servers", async () => {
    const cwd = newFolder();
    const none = await run(["user", "passwd"], { cwd });
    expect(none).toMatchObject({ status: 2, out: "" });
    expect(none.err).toStartWith("dfs-tool: there is no dfc.conf: ");
    writeDeadConfig(cwd);
    const nobody = await run(["user", "passwd"], { cwd });
    expect(nobody).toMatchObject({ status: 2, out: "" });
    expect(nobody.err).toStartWith("dfs-tool: dfc.conf names no user; ");
  });

  test("an empty or a too long password is refused, and makes nothing", async () => {
    const cwd = newFolder();
    for (const env of [{ DFS_NEW_PASSWORD: "" }, { DFS_NEW_PASSWORD: "x".repeat(1025) }]) {
      const { status, err } = await run(["user", "add", "dfs1", "Alice"], { cwd, env });
      expect(err).toStartWith("dfs-tool: $DFS_NEW_PASSWORD is ");
      expect(status).toBe(2);
    }
    expect(existsSync(join(cwd, "dfs1"))).toBe(false);
  });
});

describe("at a terminal the password is asked for twice", () => {
  /** Types each answer when its question is there; returns all that was shown. */
  async function type(
    ...answers: string[]
  ): Promise<{ status: number; shown: string; cwd: string }> {
    const cwd = newFolder();
    const decoder = new TextDecoder();
    let shown = "";
    let asked = 0;
    const ended = Promise.withResolvers<void>();
    const child = Bun.spawn([executable, "user", "add", "dfs1", "Alice"], {
      cwd,
      env: { PATH: process.env.PATH ?? "", HOME: cwd },
      timeout: 20_000,
      terminal: {
        exit: () => ended.resolve(),
        data(terminal, bytes) {
          shown += decoder.decode(bytes, { stream: true });
          const questions = shown.split(/New password of Alice: |The same again: /).length - 1;
          while (asked < questions) terminal.write(answers[asked++] ?? "");
        },
      },
    });
    const status = await child.exited;
    await ended.promise;
    return { status, shown, cwd };
  }

  test("and shown nowhere", async () => {
    const { status, shown, cwd } = await type("secrex\u007ft\r", "secret\r");
    expect(status).toBe(0);
    expect(shown).not.toContain("secre");
    const [user] = parseUsers(textOf(cwd, "dfs1/users.conf"), "users.conf");
    expect(user?.secret).toEqual({
      verifier: verifierOf("Alice", (await stretch("Alice", "secret")).login),
    });
  });

  test("and must be the same", async () => {
    const { status, shown, cwd } = await type("one\r", "other\r");
    expect(shown).toContain("dfs-tool: the two passwords differ; try again");
    expect([status, existsSync(join(cwd, "dfs1"))]).toEqual([2, false]);
  });

  test("and Ctrl-C ends it", async () => {
    const { status, cwd } = await type("one\u0003");
    expect([status, existsSync(join(cwd, "dfs1"))]).toEqual([130, false]);
  });
});
