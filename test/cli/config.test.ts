import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfiguration } from "../../src/api/config/config.ts";
import { DfsError } from "../../src/errors.ts";
import { newFolder, removeFolders, run } from "../harness/program.ts";

afterAll(removeFolders);

const parse = (text: string) => parseConfiguration(text, "dfc.conf");

describe("a dfc.conf", () => {
  test("in the plain form", () => {
    const text = "Server DFS1 127.0.0.1:10001\nServer DFS2 dfs2.example.org:65535\n";
    expect(parse(text)).toEqual({
      path: "dfc.conf",
      isFound: false,
      servers: [
        { name: "DFS1", host: "127.0.0.1", port: 10001 },
        { name: "DFS2", host: "dfs2.example.org", port: 65535 },
      ],
      user: "",
      password: null,
      isPlain: false,
      patienceMs: null,
      placement: "name",
      layout: { is: "pairs" },
    });
  });

  test("with a space before the colon, and with =", () => {
    for (const [line, word] of [
      ["Password : X", "X"],
      ["Password :X", "X"],
      ["Password = X", "X"],
      ["password=X", "X"],
      ["Password: =X", "=X"],
      ["Password: :X", ":X"],
      ["Password X = Y", "X = Y"],
    ] as const)
      expect(parse(`Server : DFS1 h:1\nUsername = Bob\n${line}\n`)).toMatchObject({
        servers: [{ name: "DFS1", host: "h", port: 1 }],
        user: "Bob",
        password: { is: "word", text: word },
      });
  });

  test("IPv6 without brackets is told as it was meant", () => {
    for (const [where, meant] of [
      ["::1:10004", "[::1]:10004"],
      ["::1", "[::1]:10001"],
      ["fe80::1", "[fe80::1]:10001"],
      ["2001:db8::7:23015", "[2001:db8::7]:23015"],
      ["1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:10001"],
      ["[::1:10004", "[::1]:10004"],
    ] as const)
      expect(() => parse(`Server D ${where}\n`)).toThrow(
        `"${where}" is no address; write "Server D ${meant}"`,
      );
  });

  test("with everything that may be in it", () => {
    const text = [
      "\uFEFF# my store",
      "",
      "* Server DFS1 127.0.0.1:10001 # the first",
      "-SERVER DFS#2 [::1]:10001\r",
      "  server: DFS3\tLOCALHOST:1",
      "Username: Alice",
      "* password Simple#Password of Alice",
      "Placement: Content",
      "- layout RS:4+2",
      "Patience: 2.5s",
    ].join("\n");
    expect(parse(text)).toEqual({
      path: "dfc.conf",
      isFound: false,
      servers: [
        { name: "DFS1", host: "127.0.0.1", port: 10001 },
        { name: "DFS#2", host: "::1", port: 10001 },
        { name: "DFS3", host: "localhost", port: 1 },
      ],
      user: "Alice",
      password: { is: "word", text: "Simple#Password of Alice" },
      isPlain: false,
      patienceMs: 2500,
      placement: "content",
      layout: { is: "rs", data: 4, parity: 2 },
    });
  });

  test("with as many servers as there may be", () => {
    const line = (i: number): string => `Server DFS${i} 127.0.0.1:${i + 1}\n`;
    const lines = (n: number): string => Array.from({ length: n }, (_, i) => line(i)).join("");
    expect(parse(lines(30)).servers.length).toBe(30);
    expect(() => parse(lines(31))).toThrow("dfc.conf:31: there are more than 30 servers");
  });

  test.each([
    [
      "Sever A h:1",
      '1: "Sever" is no keyword; a line is "Server NAME HOST:PORT", "Username: NAME"',
    ],
    ["\n\n:", '3: ":" is no keyword'],
    ["constructor", '1: "constructor" is no keyword'],
    ["Server", '1: a server is a name and an address; write "Server NAME HOST:PORT"'],
    ["Server A", "1: a server is a name and an address"],
    ["Server A h:1 h:2", "1: a server is a name and an address"],
    ["Server A 127.0.0.1", '1: "127.0.0.1" has no port; write "Server A 127.0.0.1:10001"'],
    ["Server A h:", '1: "h:" has no port; write "Server A h:10001"'],
    ["Server A :10001", '1: ":10001" has no host; write "Server A 127.0.0.1:10001"'],
    ["Server A h:0", '1: "0" is no port; write a number from 1 to 65535 after h:'],
    ["Server A h:65536", '1: "65536" is no port'],
    ["Server A h:1e3", '1: "1e3" is no port'],
    ["Server A h:-1", '1: "-1" is no port'],
    ["Server A ::1:10001", '1: "::1:10001" is no address; write "Server A [::1]:10001"'],
    ["Server A [::1]", '1: "[::1]" has no port; write "Server A [::1]:10001"'],
    ["Server A http://h:1", '1: "http://h:1" is no address; write "Server NAME HOST:PORT"'],
    ["Server A h:1\nServer A h:2", "2: there is another server A; give each its own name"],
    ["Server A h:1\nServer B H:1", "2: H:1 is the address of A already; give each server its own"],
    [
      "Placement: size",
      '1: "size" is no placement; write "Placement: name" or "Placement: content"',
    ],
    [
      "Placement name\nPLACEMENT name",
      '2: there is a second "Placement: name|content" line; leave one',
    ],
    ["Patience: 5", '1: "5" is no patience; write seconds from 1 to 60, as in "Patience: 5s"'],
    ["Patience: 0.9s", '1: "0.9s" is no patience'],
    ["Patience: 61 s", '1: "61 s" is no patience'],
    ["Username:", '1: nothing follows the keyword; write "Username: NAME"'],
    ["Username: A\nUsername: B", '2: there is a second "Username: NAME" line'],
  ])("%j is refused with its line and what to write", (text, message) => {
    expect(() => parse(text)).toThrow(`dfc.conf:${message}`);
    expect(() => parse(text)).toThrow(DfsError);
  });

  test("without a server is refused", () => {
    expect(() => parse("# none yet\n")).toThrow(
      'dfc.conf: it names no server; write a line "Server NAME HOST:PORT" for each',
    );
  });
});

describe("the configuration is looked for", () => {
  const SAYS = { flag: "Flag", environment: "Environment", current: "Current", home: "Home" };

  /** The four places, each with a file whose error tells that it was read. */
  function places() {
    const folder = newFolder();
    const home = join(folder, "home");
    mkdirSync(home);
    const write = (path: string, word: string): void => writeFileSync(join(folder, path), word);
    return { folder, write, env: { HOME: home } };
  }

  test("in --config, $DFS_CONFIG, ./dfc.conf and ~/dfc.conf, in this order", async () => {
    const { folder, write, env } = places();
    write("home/dfc.conf", SAYS.home);
    expect((await run(["list"], { cwd: folder, env })).err).toContain(SAYS.home);
    write("dfc.conf", SAYS.current);
    expect((await run(["list"], { cwd: folder, env })).err).toContain(SAYS.current);
    write("env.conf", SAYS.environment);
    const named = { ...env, DFS_CONFIG: "env.conf" };
    expect((await run(["list"], { cwd: folder, env: named })).err).toContain(SAYS.environment);
    write("flag.conf", SAYS.flag);
    const ran = await run(["list", "--config", "flag.conf"], { cwd: folder, env: named });
    expect(ran.err).toContain(SAYS.flag);
    expect(ran.status).toBe(2);
  });

  test("and when there is none, the line names all four", async () => {
    const { status, err, out } = await run(["list"]);
    expect(err).toMatch(
      /^dfs-tool: there is no dfc.conf: .*--config.*\$DFS_CONFIG.*\.\/dfc.conf.*~\/dfc.conf.*\n$/,
    );
    expect([status, out]).toEqual([2, ""]);
  });

  test.each([["--config=none.conf"], ["--config=."]])("%s is an error", async (flag) => {
    const { status, err } = await run(["list", flag]);
    expect(err).toMatch(/^dfs-tool: (none.conf|\.): .+\n$/);
    expect(status).toBe(2);
  });
});
