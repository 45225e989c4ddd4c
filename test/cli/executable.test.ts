import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, removeFolders, run, writeDeadConfig } from "../harness/program.ts";

afterAll(removeFolders);

/** The commands that show a bar; all take --no-progress. */
const BARS = new Set(["put", "get", "verify", "server", "rebalance", "repair", "adopt"]);
const VERSION = /^dfs-tool \d+\.\d+\.\d+\n$/;

describe("the executable", () => {
  test.each([["--version"], ["-V"]])("says its version: %s", async (flag) => {
    const { status, out, err } = await run([flag]);
    expect(out).toMatch(VERSION);
    expect([status, err]).toEqual([0, ""]);
  });

  test("takes nothing from the .env and bunfig.toml of the current folder", async () => {
    const cwd = newFolder();
    writeFileSync(join(cwd, ".env"), "DFS_CONFIG=from-dotenv.conf\nDFS_VERSION=6.6.6\n");
    writeFileSync(join(cwd, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(cwd, "evil.ts"), 'console.log("evil");\n');
    writeFileSync(join(cwd, "package.json"), "not json");
    writeFileSync(join(cwd, "tsconfig.json"), "not json");
    const version = await run(["--version"], { cwd });
    expect(version.out).toMatch(VERSION);
    expect(version.out).not.toContain("6.6.6");
    const list = await run(["list"], { cwd });
    expect(list.err).toStartWith("dfs-tool: there is no dfc.conf");
    expect(list.out + list.err).not.toMatch(/evil|from-dotenv/);
  });

  test("has a help text for all commands and for each", async () => {
    const { status, out, err } = await run(["--help"]);
    expect([status, err]).toEqual([0, ""]);
    const commands = [...out.matchAll(/^ +(\w+)(?:, \w+)? {2,}\w/gm)].map(([, name]) => name ?? "");
    expect(commands.length).toBeGreaterThan(5);
    for (const command of commands) {
      for (const flag of ["--help", "-h"]) {
        const help = await run([command, flag]);
        expect(help.out).toContain(`USAGE dfs-tool ${command}`);
        expect(help.out).toContain(`\nEXAMPLE dfs-tool ${command}`);
        expect(help.out.includes("progress bar")).toBe(BARS.has(command));
        expect([help.status, help.err]).toEqual([0, ""]);
      }
    }
  });

  test("version --json is JSON", async () => {
    const { out } = await run(["version", "--json"]);
    expect(JSON.parse(out)).toMatchObject({ version: expect.any(String), bun: Bun.version });
  });

  test("says when no server answers: exit status 5, of a put 7", async () => {
    const cwd = newFolder();
    writeDeadConfig(cwd);
    writeFileSync(join(cwd, "a"), "a");
    const list = await run(["list"], { cwd });
    expect(list.err).toMatch(/^dfs-tool: no server answers .*\n$/);
    expect([list.status, list.out]).toEqual([5, ""]);
    const put = await run(["put", "a"], { cwd });
    expect([put.status, put.out]).toEqual([7, "a put failed\n"]);
    const json = await run(["put", "a", "--json"], { cwd });
    expect(JSON.parse(json.out)).toMatchObject({
      files: [{ name: "a", ok: false, error: "putFailed" }],
      traffic: { sent: 0, received: 0 },
    });
  });
});

describe("the name it is called by", () => {
  test("dfs is serve", async () => {
    const { status, err } = await run(["folder"], { name: "dfs" });
    expect(err).toStartWith("dfs-tool: PORT is missing");
    expect(status).toBe(2);
  });

  test("dfs tells of a dfs.conf that it does not use", async () => {
    const cwd = newFolder();
    const path = join(cwd, "dfs.conf");
    const said = async (...args: string[]): Promise<string> =>
      (await run([...args, "folder", "0", "--host", "no.such.host.invalid"], { name: "dfs", cwd }))
        .err;
    expect(await said("--insecure")).not.toContain("dfs.conf");
    writeFileSync(path, "Bob ComplextPassword\n");
    expect(await said("--insecure")).toContain("./dfs.conf is not used, and everybody is let in");
    expect(await said("--insecure", "--users", "dfs.conf")).not.toContain("is not used");
  });

  test("dfc is the client", async () => {
    expect((await run(["list"], { name: "dfc" })).err).toStartWith(
      "dfs-tool: there is no dfc.conf",
    );
    expect((await run(["put"], { name: "dfc" })).err).toContain("Try 'dfc put --help'");
  });

  test("dfc with a configuration alone is the shell", async () => {
    const cwd = newFolder();
    writeDeadConfig(cwd);
    const stdin = 'HELP\nnonsense\nGET "a\nLIST\nEXIT\nLIST\n';
    const { status, out, err } = await run(["dfc.conf"], { name: "dfc", cwd, stdin });
    expect(out).toStartWith("LIST [dir]");
    for (const verb of ["GET", "PUT", "MKDIR", "RM", "STAT", "STATUS", "CD", "HELP", "EXIT"])
      expect(out).toMatch(new RegExp(`^${verb} `, "m"));
    const [unknown, quote, down, ...more] = err.trimEnd().split("\n");
    expect(unknown).toStartWith("dfs-tool: nonsense is none of LIST");
    expect(quote).toBe("dfs-tool: a quote is not closed");
    expect(down).toStartWith("dfs-tool: no server answers");
    expect([status, more]).toEqual([3, []]);
    const missing = await run(["other.conf"], { name: "dfc", cwd });
    expect(missing.err).toBe("dfs-tool: other.conf: there is no such configuration file\n");
  });

  test("dfc with a configuration and a command is that command", async () => {
    const cwd = newFolder();
    writeDeadConfig(cwd);
    renameSync(join(cwd, "dfc.conf"), join(cwd, "my.conf"));
    for (const words of [
      ["list"],
      ["get", "a", "b"],
      ["get a b"],
      ["ls", "--quiet"],
      ["server", "list"],
    ]) {
      const ran = await run(["my.conf", ...words], { name: "dfc", cwd });
      expect([words, ran.status, ran.err]).toEqual([
        words,
        5,
        expect.stringContaining("no server answers"),
      ]);
    }
    const quote = await run(["my.conf", 'get "a'], { name: "dfc", cwd });
    expect(quote).toMatchObject({ status: 2, err: "dfs-tool: a quote is not closed\n" });
    const loud = await run(["my.conf", "LIST"], { name: "dfc", cwd });
    expect(loud.err).toStartWith("dfs-tool: there is no command LIST; did you mean list?\n");
    const called = await run(["my.conf", "list"], { cwd });
    expect(called.err).toStartWith(
      "dfs-tool: the command comes first, as in dfs-tool list --config my.conf\n",
    );
  });

  test("a command in capitals is known for what it is meant to be", async () => {
    for (const word of ["LIST", "Get", "PUT"])
      expect((await run([word, "a"], { name: "dfc" })).err).toContain(
        `there is no command ${word}; did you mean ${word.toLowerCase()}?`,
      );
  });

  test("help with a command is the help of that command", async () => {
    const help = await run(["help", "put"]);
    expect(help).toEqual(await run(["put", "--help"]));
    expect(help.out).toContain("dfs-tool put");
  });

  test("dfc with a command is that command, even where there is a file of its name", async () => {
    const cwd = newFolder();
    mkdirSync(join(cwd, "list"));
    expect((await run(["list"], { name: "dfc", cwd })).err).toContain("there is no dfc.conf");
  });
});
