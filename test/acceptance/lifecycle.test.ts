/** How a server starts and ends: its replies first, then soon; and at once again on the same port. */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, symlinkSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { executable, newFolder, removeFolders, run } from "../harness/program.ts";
import { differences, expectDone, folderOf, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

/** It has one second; a busy machine may take longer to run it at all. */
const END_SECONDS = 1 + 2;

let stage: Stage | null = null;
afterEach(async () => {
  await stage?.close();
  stage = null;
});
afterAll(removeFolders);

const big = randomBytes(48 * 1024 * 1024);

describe("SIGTERM ends a server soon, with status 0", () => {
  async function ends(server: ServerProcess): Promise<void> {
    const { status, seconds } = await server.terminate();
    expect(status).toBe(0);
    expect(seconds).toBeLessThan(END_SECONDS);
  }

  test("when it is idle, and when connections are open that ask nothing", async () => {
    stage = await Stage.open(1);
    const server = stage.server(0);
    await ends(server);
    await server.start();
    const sockets = Array.from({ length: 20 }, () => createConnection(server.port, "127.0.0.1"));
    await Promise.all(sockets.map((socket) => new Promise((done) => socket.on("connect", done))));
    // The begin of a frame whose end never comes.
    for (const socket of sockets) socket.on("error", () => {}).write(Buffer.from([0, 0, 1, 0, 1]));
    await ends(server);
    for (const socket of sockets) socket.destroy();
  });

  test.each(["put", "get"])(
    "in the middle of a %s, which the others bring to its end",
    async (verb) => {
      stage = await Stage.open(4);
      const folder = folderOf({ big });
      if (verb === "get") expectDone(await stage.dfsIn(folder, "put", "big"));
      const back = verb === "get" ? newFolder() : folder;
      const transfer = stage.dfsIn(back, verb, "big");
      await Bun.sleep(120);
      await ends(stage.server(1));
      expectDone(await transfer);
      expect((await stage.get("big")).equals(big)).toBe(true);
      expect(differences(["big"], folder, back)).toEqual([]);
      await stage.server(1).start();
      expect((await stage.get("big")).equals(big)).toBe(true);
    },
  );

  test("and every put that ends well while servers come and go is there", async () => {
    const cluster = await Stage.open(4);
    stage = cluster;
    const names = Array.from({ length: 12 }, (_, i) => `file-${i + 10}`);
    const files = Object.fromEntries(names.map((name, i) => [name, randomBytes(10 + i * 30_000)]));
    const folder = folderOf(files);
    let isOver = false;
    const restarts = (async () => {
      for (let slot = 0; !isOver; slot = (slot + 1) % 4) {
        const server = cluster.server(slot);
        await ends(server);
        await server.start();
        await Bun.sleep(300);
      }
    })();
    try {
      for (const name of names) {
        // Who is slow enough meets two that ended, and is told that nothing was changed: then it is put again.
        for (let ran = await stage.dfsIn(folder, "put", name); ran.status !== 0;) {
          expect([ran.status, ran.out]).toEqual([7, `${name} put failed\n`]);
          ran = await stage.dfsIn(folder, "put", name);
        }
      }
    } finally {
      isOver = true;
      await restarts;
    }
    const back = newFolder();
    expectDone(await stage.dfsIn(back, "get", ...names));
    expect(differences(names, folder, back)).toEqual([]);
  });
});

test("a server starts again on the same port at once, however it ended", async () => {
  stage = await Stage.open(4);
  const bytes = randomBytes(200_000);
  await stage.put("file", bytes);
  const ports = stage.servers.map(({ port }) => port);
  for (let round = 0; round < 5; round++) {
    // Connections of a moment ago are in TIME_WAIT, at the server's end too.
    for (const server of stage.servers) {
      await (round % 2 === 0 ? server.terminate() : server.kill());
      await server.start();
    }
    expect(await stage.get("file")).toEqual(bytes);
  }
  expect(stage.servers.map(({ port }) => port)).toEqual(ports);
});

describe("a second server gets one clear line", () => {
  test("on the same folder", async () => {
    stage = await Stage.open(1);
    const { folder } = stage.server(0);
    const { status, out, err } = await run(["serve", folder, "0"]);
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(err).toMatch(/^dfs-tool: [^\n]*in use[^\n]*\n$/);
    expect(err).toContain(folder);
    await stage.put("file", big.subarray(0, 100_000));
  });

  test("on the same folder, over a link or another spelling", async () => {
    stage = await Stage.open(1);
    const cwd = stage.home;
    symlinkSync("dfs1", join(cwd, "link"));
    for (const spelt of ["link", "./dfs1/", "dfs1/../dfs1"]) {
      const { status, err } = await run(["serve", spelt, "0"], { cwd });
      expect(err).toMatch(/^dfs-tool: [^\n]*in use[^\n]*\n$/);
      expect(status).toBe(1);
    }
  });

  test("on the same port, and its folder is free for another try", async () => {
    stage = await Stage.open(1);
    const folder = join(newFolder(), "dfs2");
    const { port } = stage.server(0);
    const { status, out, err } = await run(["serve", folder, String(port)]);
    expect({ status, out }).toEqual({ status: 1, out: "" });
    expect(err).toMatch(/^dfs-tool: [^\n]*cannot listen[^\n]*\n$/);
    expect(err).toContain(String(port));
    const second = new ServerProcess(folder, {});
    await second.start();
    await second.kill();
  });
});

test("a folder that is not there is made, with all above it", async () => {
  const cwd = newFolder();
  const child = Bun.spawn([executable, "serve", "a/b c/dfs1", "0"], { cwd, stderr: "pipe" });
  try {
    const said = (await child.stderr.getReader().read()).value;
    expect(new TextDecoder().decode(said)).toMatch(/^dfs-tool serve: a\/b c\/dfs1 on /);
    expect(readdirSync(join(cwd, "a/b c/dfs1"))).toContain("format.json");
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});
