/** status: one word that is right, whatever the servers' state is. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { flip } from "../harness/folder.ts";
import { executable } from "../harness/program.ts";
import { empty, Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const EXIT = { HEALTHY: 0, DEGRADED: 3, "AT RISK": 14, "DATA MISSING": 6 } as const;

interface StatusJson {
  readonly status: keyof typeof EXIT;
  readonly canLose: number;
  readonly files: number;
  readonly unreadable: number;
  readonly free: number;
  readonly servers: readonly {
    name: string;
    up: boolean;
    bad?: number;
    unread?: number;
    free?: number;
  }[];
  readonly toDo: Readonly<Record<string, number>>;
}

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
  await stage.put("large", randomBytes(300_000));
  await stage.put("small", randomBytes(3000));
});
afterAll(() => stage.close());

async function status(): Promise<StatusJson> {
  const { status: exit, out } = await stage.dfs("status", "--json");
  const said = JSON.parse(out) as StatusJson;
  expect(exit).toBe(EXIT[said.status]);
  return said;
}

/** All is repaired and read back. */
async function heal(): Promise<void> {
  expect(await stage.dfs("repair")).toMatchObject({ status: 0 });
  expect(await stage.dfs("verify")).toMatchObject({ status: 0 });
}

test("what was not read back yet is told, and no reason for alarm unless that is asked for", async () => {
  // Clients come first: while they are busy nothing is read back.
  for (let i = 0; i < 3; i++) await stage.put("new", randomBytes(400_000));
  const before = await status();
  const unread = before.servers.reduce((sum, server) => sum + (server.unread ?? 0), 0);
  expect(before).toMatchObject({ status: "HEALTHY", canLose: 1, files: 3, unreadable: 0 });
  expect(before.toDo.unread).toBe(unread);
  // Servers read back what is new every few seconds.
  const strict = await stage.dfs("status", "--strict");
  const isUnread = strict.out.includes("not read back yet");
  expect(strict.status).toBe(isUnread ? EXIT.DEGRADED : EXIT.HEALTHY);
  await heal();
  expect(await status()).toMatchObject({ status: "HEALTHY", canLose: 1, files: 3, unreadable: 0 });
  expect((await stage.dfs("status", "--strict")).status).toBe(EXIT.HEALTHY);
});

test("servers on one disk are named, and what is free there is counted once", async () => {
  const { out } = await stage.dfs("status");
  expect(out).toContain("DFS1, DFS2, DFS3, DFS4 are on one disk: ");
  const { free, servers } = await status();
  expect(free).toBeLessThanOrEqual(Math.max(...servers.map((server) => server.free ?? 0)));
});

test("--watch says the time of day before each look", async () => {
  const child = Bun.spawn([executable, "status", "--watch"], {
    cwd: stage.home,
    env: { PATH: process.env.PATH ?? "", HOME: stage.home, DFS_CONFIG: stage.config },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += part;
    if ((said.match(/SERVER/g) ?? []).length === 2) child.kill();
  }
  const looks = said.match(/^\d\d:\d\d:\d\d\n[A-Z ]+, can lose /gm) ?? [];
  expect(looks).toHaveLength(2);
  // Only a terminal is cleared.
  expect(said).not.toContain("\u001b");
});

test("a store that is written all the time is healthy, look after look", async () => {
  let isOver = false;
  const writing = (async () => {
    for (let i = 0; !isOver; i++) await stage.put(`busy${i % 3}`, randomBytes(3000));
  })();
  const words = new Set<string>();
  for (let looks = 0; looks < 25; looks++) words.add((await status()).status);
  isOver = true;
  await writing;
  expect([...words]).toEqual(["HEALTHY"]);
  await stage.dfs("rm", "busy0", "busy1", "busy2");
});

test("one server down", async () => {
  await stage.without([2], async () => {
    const said = await status();
    expect(said).toMatchObject({ status: "AT RISK", canLose: 0, unreadable: 0 });
    expect(said.servers.map(({ up }) => up)).toEqual([true, true, false, true]);
    const { out } = await stage.dfs("status");
    expect(out).toStartWith("AT RISK, can lose no more server\n");
    expect(out).toContain("DFS3 does not answer");
  });
});

test("with two parity pieces one server down is one of two", async () => {
  await stage.dfs("rm", "large", "small", "new");
  const path = join(stage.home, "file");
  writeFileSync(path, randomBytes(100_000));
  await stage.dfs("put", "--layout", "rs:2+2", "--name", "coded", path);
  await heal();
  expect(await status()).toMatchObject({ status: "HEALTHY", canLose: 2 });
  await stage.without([1], async () =>
    expect(await status()).toMatchObject({ status: "DEGRADED", canLose: 1 }),
  );
  await stage.dfs("rm", "coded");
  await stage.put("large", randomBytes(300_000));
  await stage.put("small", randomBytes(3000));
});

test("a frozen server", async () => {
  stage.server(1).freeze();
  expect(await status()).toMatchObject({ status: "AT RISK" });
  stage.server(1).thaw();
});

test("a rotten piece, once it is read", async () => {
  await heal();
  const { version, servers } = await stage.stat("large");
  const slot = servers.findIndex(({ pieces }) => pieces.includes(1));
  flip(join(stage.server(slot).folder, "pieces", version.slice(0, 2), `${version}.0`), 5000);
  expect(await stage.dfs("verify")).toMatchObject({ status: 3 });
  expect(await status()).toMatchObject({
    status: "AT RISK",
    toDo: { damaged: 1, lacking: 1 },
  });
  await heal();
  expect(await status()).toMatchObject({ status: "HEALTHY" });
});

test("a file that is incomplete", async () => {
  await stage.without([0, 1], async () => {
    const said = await status();
    expect(said).toMatchObject({ status: "DATA MISSING", unreadable: 2, files: 2 });
    expect((await stage.dfs("status")).out).toContain("2 of 2 files cannot be had");
  });
});

test("one server down and the disk of another lost", async () => {
  await heal();
  await stage.server(3).kill();
  empty(stage.server(3).folder);
  await stage.server(3).start();
  expect(await status()).toMatchObject({ status: "AT RISK", unreadable: 0 });
  await stage.without([1], async () =>
    // Opposite each other: all can be had, and nothing more may happen.
    expect(await status()).toMatchObject({ status: "AT RISK", unreadable: 0 }),
  );
  await stage.without([2], async () =>
    expect(await status()).toMatchObject({ status: "DATA MISSING", unreadable: 2 }),
  );
});
