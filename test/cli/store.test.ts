/** Commands against four real servers: what they print, and their exit status. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type DemoServer, startServer } from "../../src/cli/tools/demo_servers.ts";
import { executable, newFolder, removeFolders, run } from "../harness/program.ts";

const home = newFolder();
const files = join(home, "files");
const servers: DemoServer[] = [];
const done = { status: 0, out: "", err: "" };

const dfs = (...args: string[]) => run(args, { cwd: home });
const typed = (stdin: string) => run(["dfc.conf"], { name: "dfc", cwd: home, stdin });

/** One of the four that a test kills, and has back at its end. */
async function without<T>(slots: number[], work: () => Promise<T>): Promise<T> {
  const lost = slots.flatMap((slot) => servers[slot] ?? []);
  await Promise.all(lost.map((server) => server.kill()));
  try {
    return await work();
  } finally {
    await Promise.all(lost.map((server) => server.restart()));
  }
}

beforeAll(async () => {
  for (const name of ["DFS1", "DFS2", "DFS3", "DFS4"]) {
    servers.push(await startServer([executable], home, name));
  }
  const lines = servers.map(({ name, port }) => `Server ${name} 127.0.0.1:${port}\n`);
  writeFileSync(join(home, "dfc.conf"), lines.join(""));
  mkdirSync(files);
  for (const name of ["a", "b b", "ü"]) writeFileSync(join(files, name), name.repeat(100_000));
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.kill()));
  removeFolders();
});

describe("with all servers", () => {
  test("files go and come back", async () => {
    expect(await dfs("put", "files/a", "files/b b", "files/ü")).toEqual(done);
    expect(await dfs("put", "files/a", "--to", "docs/")).toEqual(done);
    expect(await dfs("put", "--name=-x", "files/a")).toEqual(done);
    expect((await dfs("list")).out).toBe("-x\na\nb b\ndocs/a\nü\n");
    expect((await dfs("ls", "docs/")).out).toBe("docs/a\n");
    const cwd = newFolder();
    const config = join(home, "dfc.conf");
    expect(await run(["get", "--config", config, "--", "-x", "b b", "ü"], { cwd })).toEqual(done);
    expect(readdirSync(cwd).toSorted()).toEqual(["-x", "b b", "ü"]);
    expect(readFileSync(join(cwd, "ü"), "utf8")).toBe("ü".repeat(100_000));
  });

  test("stdin and stdout are files too", async () => {
    const stdin = "from a pipe";
    expect(await run(["put", "-", "--name", "piped"], { cwd: home, stdin })).toEqual(done);
    expect(await dfs("get", "piped", "-o", "-")).toEqual({ ...done, out: stdin });
  });

  test("--json says what was done", async () => {
    const put = JSON.parse((await dfs("put", "--json", "files/a")).out);
    const file = { name: "a", ok: true, bytes: 100_000, version: expect.any(String) };
    expect(put.files).toEqual([{ ...file, x: expect.any(Number), seconds: expect.any(Number) }]);
    // Each version tells of its ancestors, in 44 bytes each, and goes to each server twice.
    expect(put.traffic.sent).toBeWithin(200_000, 206_000);
    const get = JSON.parse((await dfs("get", "--json", "a")).out);
    expect(get.files[0]).toMatchObject({ ...file, version: put.files[0].version });
    expect(get.traffic.received).toBeWithin(100_000, 105_000);
    const list = JSON.parse((await dfs("list", "--json", "a")).out);
    expect(list).toEqual([{ name: "a", bytes: 100_000, incomplete: false }]);
    expect(JSON.parse((await dfs("list", "--json", "nothing")).out)).toEqual([]);
    // MD5("a") mod 4 = 1.
    expect(JSON.parse((await dfs("stat", "--json", "a")).out)).toMatchObject({
      x: 1,
      layout: "pairs",
      incomplete: false,
      servers: [
        [1, 4],
        [1, 2],
        [2, 3],
        [3, 4],
      ].map((pieces, i) => {
        return { name: `DFS${i + 1}`, up: true, pieces };
      }),
    });
  });

  test("what fails is said, and the rest goes on", async () => {
    const cwd = newFolder();
    const config = join(home, "dfc.conf");
    const none = await dfs("get", "none");
    expect(none).toEqual({ status: 4, out: "", err: "dfs-tool: there is no none\n" });
    const some = await run(["get", "none", "a", "--config", config], { cwd });
    expect([some.status, readdirSync(cwd)]).toEqual([3, ["a"]]);
    const missing = await dfs("put", "missing", "files/a", "files");
    expect([missing.status, missing.out]).toEqual([3, "missing put failed\nfiles put failed\n"]);
    expect(missing.err).toContain("dfs-tool: missing: no such file\n");
    expect((await dfs("stat", "none")).status).toBe(4);
    expect((await dfs("get", "a", "-o", "files")).err).toContain("files is a folder");
  });

  test("the shell does the same, in any case of letters", async () => {
    const ran = await typed(
      'MKDIR shelf\nput "files/b b" shelf/\nList shelf\nGET "shelf/b b"\nGET none\n',
    );
    expect(ran).toEqual({
      status: 3,
      out: "shelf/\nshelf/b b\n",
      err: "dfs-tool: there is no none\n",
    });
    expect(readFileSync(join(home, "b b"), "utf8")).toBe("b b".repeat(100_000));
  });
});

describe("with servers lost", () => {
  test("one, or two opposite: all is there", async () => {
    for (const slots of [[1], [1, 3]]) {
      await without(slots, async () => {
        expect((await dfs("list", "a")).out).toBe("a\n");
        expect(await dfs("get", "a", "-o", "back")).toEqual(done);
      });
    }
  });

  test("two neighbours: incomplete, nothing is written and nothing stored", async () => {
    writeFileSync(join(home, "kept"), "old");
    await without([0, 1], async () => {
      expect((await dfs("list", "a")).out).toBe("a [incomplete]\n");
      const get = await dfs("get", "a", "-o", "kept");
      expect([get.status, get.out]).toEqual([6, "a is incomplete\n"]);
      const put = await dfs("put", "files/a", "files/ü");
      expect([put.status, put.out]).toEqual([7, "a put failed\nü put failed\n"]);
      const fresh = await dfs("put", "files/a", "--name", "fresh");
      expect([fresh.status, fresh.out]).toEqual([7, "fresh put failed\n"]);
    });
    expect(readFileSync(join(home, "kept"), "utf8")).toBe("old");
    expect(readdirSync(home).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect((await dfs("list", "fresh")).out).toBe("");
    expect(await dfs("get", "a", "-o", "kept")).toEqual(done);
  });

  test("all: exit status 5, and the shell goes on", async () => {
    await without([0, 1, 2, 3], async () => {
      expect((await dfs("list")).status).toBe(5);
      expect((await typed("LIST\nLIST\n")).err.match(/no server answers/g)?.length).toBe(2);
    });
    expect(existsSync(join(home, "dfs1/format.json"))).toBe(true);
  });
});

describe("a server", () => {
  test("says when its folder or its port is taken", async () => {
    const [server] = servers;
    const folder = await dfs("serve", "dfs1", "0");
    expect([folder.status, folder.err]).toEqual([
      1,
      expect.stringMatching(/^dfs-tool: .*in use.*\n$/),
    ]);
    const port = await dfs("serve", "dfs9", String(server?.port));
    expect([port.status, port.err]).toEqual([
      1,
      expect.stringMatching(/^dfs-tool: cannot listen on .*\n$/),
    ]);
  });

  test.each(["SIGTERM", "SIGINT"] as const)("ends at %s with status 0", async (signal) => {
    const child = Bun.spawn([executable, "serve", newFolder(), "0"], { stderr: "pipe" });
    const reader = child.stderr.getReader();
    const line = new TextDecoder().decode((await reader.read()).value);
    expect(line).toMatch(
      /^dfs-tool serve: \S+ on 127\.0\.0\.1:\d+ \(server id [0-9a-f]+, new\)\n$/,
    );
    const asked = performance.now();
    child.kill(signal);
    expect(await child.exited).toBe(0);
    expect(performance.now() - asked).toBeLessThan(1500);
    expect((await reader.read()).done).toBe(true);
  });
});

test("the demo tells its story, and all comes back", async () => {
  const { status, out, err } = await run(["demo"]);
  expect([status, err]).toEqual([0, ""]);
  expect(out).toContain("noise.bin is incomplete");
  expect(out).toContain("Every file came back byte for byte.");
  expect(out.split("\n").length).toBeLessThan(60);
}, 60_000);
