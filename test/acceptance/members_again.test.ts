/** server add, replace, drain and remove, asked for once more: after they were cut short, and after they were done. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { executable } from "../harness/program.ts";
import { expectDone, ServerProcess, Stage } from "../harness/stage.ts";

setDefaultTimeout(180_000);

const stages: Stage[] = [];
const extra: ServerProcess[] = [];
afterAll(async () => {
  await Promise.all([...stages.map((stage) => stage.close()), ...extra.map((one) => one.kill())]);
});

const addressOf = ({ port }: ServerProcess): string => `127.0.0.1:${port}`;

/** One more server beside a cluster, blank and started. */
async function fresh(stage: Stage, name: string): Promise<ServerProcess> {
  const server = new ServerProcess(join(stage.home, name), {});
  extra.push(server);
  await server.start();
  return server;
}

/** Runs a command, and kills it after that time. */
async function cutShort(stage: Stage, ms: number, ...args: string[]): Promise<void> {
  const begun = Bun.spawn([executable, "server", ...args], {
    cwd: stage.home,
    env: { DFS_CONFIG: stage.config },
    stdio: ["ignore", "ignore", "ignore"],
  });
  await Bun.sleep(ms);
  begun.kill("SIGKILL");
  await begun.exited;
}

async function namesIn(stage: Stage): Promise<string[]> {
  const { out } = await stage.dfs("server", "list", "--json");
  return (JSON.parse(out) as { servers: { name: string }[] }).servers.map(({ name }) => name);
}

test.each([15, 35, 60, 100, 150])(
  "a change that is cut short after %d ms is finished by the same command, which may be given once more",
  async (ms) => {
    const stage = await Stage.open(3);
    stages.push(stage);
    const bytes = randomBytes(1_000_000);
    await stage.put("large", bytes);
    await stage.put("small", bytes.subarray(0, 5000));
    const again = async (...args: string[]): Promise<void> => {
      await cutShort(stage, ms, ...args);
      for (let i = 0; i < 2; i++) expectDone(await stage.dfs("server", ...args));
    };
    const next = await fresh(stage, "dfs4");
    await again("add", "DFS4", addressOf(next));
    expectDone(await stage.dfs("rebalance"));
    // The one that goes still answers: what lies on it is moved.
    const heir = await fresh(stage, "heir");
    await again("replace", "DFS4", addressOf(heir));
    await again("drain", "DFS4");
    await cutShort(stage, ms, "remove", "DFS4");
    const { status, err } = await stage.dfs("server", "remove", "DFS4");
    // Whose name it is nobody knows once it is gone.
    if (status !== 0) expect(err).toContain("the cluster has no server DFS4");
    expect(await namesIn(stage)).toEqual(["DFS1", "DFS2", "DFS3"]);
    expect((await stage.get("large")).equals(bytes)).toBe(true);
  },
);
