/** Repair while a put is under way, by hand: what the put has sent already is not sent again. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, removeFolders } from "../harness/program.ts";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const BYTES = 32 * 1024 * 1024;
const TRIES = 20;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
  await stage.put("first", randomBytes(10));
  writeFileSync(join(stage.home, "file"), randomBytes(BYTES));
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** Files of pieces on all servers together. */
const piecesThere = (): number =>
  stage.servers.reduce((sum, { folder }) => {
    const path = join(folder, "pieces");
    if (!existsSync(path)) return sum;
    const all = readdirSync(path, { recursive: true, encoding: "utf8" });
    return sum + all.filter((name) => /^[0-9a-f]{2}\/[0-9a-f]{32}\.\d+$/.test(name)).length;
  }, 0);

/** Begins to put a file. */
const begin = (name: string) =>
  Bun.spawn([executable, "put", "--json", "--name", name, "file"], {
    cwd: stage.home,
    env: { PATH: process.env.PATH ?? "", HOME: stage.home, DFS_CONFIG: stage.config },
    stdio: ["ignore", "pipe", "inherit"],
  });

/** Kills a put when some of its pieces lie on servers; was that before it was done? */
async function killedPut(name: string): Promise<boolean> {
  const before = piecesThere();
  const child = begin(name);
  while (piecesThere() === before && child.exitCode === null) await Bun.sleep(1);
  child.kill("SIGKILL");
  await child.exited;
  return !(await stage.dfs("list")).out.includes(name);
}

/** Puts a file, and does this at a moment when some of its pieces lie on servers and it is not done; returns the bytes that were sent. */
async function putWith(name: string, work: () => Promise<void>): Promise<number> {
  for (let tries = 0; tries < TRIES; tries++) {
    const before = piecesThere();
    const child = begin(`${name}${tries}`);
    while (piecesThere() === before && child.exitCode === null) await Bun.sleep(1);
    child.kill("SIGSTOP");
    const isCaught = child.exitCode === null && !(await stage.dfs("list")).out.includes(name);
    try {
      if (isCaught) await work();
    } finally {
      child.kill("SIGCONT");
    }
    const [out, status] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    expect(status).toBe(0);
    await stage.dfs("rm", `${name}${tries}`);
    if (isCaught) return (JSON.parse(out) as { traffic: { sent: number } }).traffic.sent;
  }
  throw new Error("no put was caught under way");
}

const collectedBy = async (...flags: string[]): Promise<number> => {
  const ran = await stage.dfs("repair", "--json", ...flags);
  expect(ran.status).toBe(0);
  return (JSON.parse(ran.out) as { collected: number }).collected;
};

test("what is new is left alone, and that is said", async () => {
  const sent = await putWith("spared", async () => {
    expect(await collectedBy()).toBe(0);
    expect((await stage.dfs("repair")).out).toBe(
      "nothing to repair; the pieces of 1 put that may go on stay (--orphan-age 0 removes them as well)\n",
    );
  });
  expect(sent / BYTES).toBeWithin(2, 2.1);
});

test("so is what is old, while the client that puts it is connected", async () => {
  const sent = await putWith("slow", async () => {
    await Bun.sleep(2100);
    expect(await collectedBy("--orphan-age", "1")).toBe(0);
  });
  expect(sent / BYTES).toBeWithin(2, 2.1);
});

test("once it is not its pieces go", async () => {
  const isThere = await killedPut("killed");
  await Bun.sleep(2100);
  expect(await collectedBy("--orphan-age", "1")).toBe(isThere ? 1 : 0);
});

test("where it is thrown away all the same it is taken out of the trash again", async () => {
  const sent = await putWith("restored", async () =>
    expect(await collectedBy("--orphan-age", "0")).toBe(1),
  );
  expect(sent / BYTES).toBeWithin(2, 2.1);
});
