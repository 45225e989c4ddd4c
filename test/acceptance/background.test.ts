/** A server that repairs its cluster in the background: whatever happens to the repair, the server goes on. */
import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { newFolder, removeFolders, writeDeadConfig } from "../harness/program.ts";
import { configOf, type ServerProcess, Stage } from "../harness/stage.ts";
import { writeOwned } from "../harness/password.ts";

setDefaultTimeout(120_000);
afterAll(removeFolders);

/** The processes that this one has started, and that run. */
const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);

/** Kills a repair of this server as it begins. */
async function killRepair({ pid }: ServerProcess): Promise<void> {
  for (;;) {
    const [child = 0] = childrenOf(pid);
    if (child > 0) return void process.kill(child, "SIGKILL");
    await Bun.sleep(1);
  }
}

test("it repairs again and again, whatever becomes of a repair, and none outlives it", async () => {
  const config = join(newFolder(), "dfc.conf");
  // Which port the server has is known once it runs.
  writeDeadConfig(dirname(config));
  const launcher = ["sh", "-c", `exec "$0" "$@" --config ${config} --repair-interval 1 --verbose`];
  const stage = await Stage.open(1, { launcher });
  try {
    const server = stage.server(0);
    rmSync(config);
    writeOwned(config, configOf(stage.servers));
    const repaired = async (times: number): Promise<void> => {
      const count = (): number => server.said.match(/nothing to repair/g)?.length ?? 0;
      for (const before = count(); count() - before < times;) await Bun.sleep(20);
    };
    await repaired(2);
    await killRepair(server);
    await repaired(1);
    const content = randomBytes(100_000);
    await stage.put("file", content);
    expect(await stage.get("file")).toEqual(content);
    const { pid } = server;
    while (childrenOf(pid)[0] === 0) await Bun.sleep(1);
    const [child = 0] = childrenOf(pid);
    await server.terminate();
    // It ends once it has heard of it.
    while (isThere(child)) await Bun.sleep(20);
  } finally {
    await stage.close();
  }
});

function isThere(pid: number): boolean {
  try {
    // What has ended, and nobody has asked how, is there no more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
