/** Work that is about every server waits for one that is late: what it has not said is not taken for nothing. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { repairAll } from "../../src/client/care/repair.ts";
import { needOf } from "../../src/client/members/safety.ts";
import { verifyAll } from "../../src/client/care/verify.ts";
import { removeFolders } from "../harness/program.ts";
import { without } from "./in_process.ts";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

/** Longer than anybody waits for who is late where enough have answered. */
const LATE_MS = 2500;
const SLOT = 1;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
  await stage.put("before", randomBytes(400_000));
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** Does `work` with a cluster of which a server stops when all are connected, and goes on after a while. */
const late = <T>(work: (cluster: Cluster) => Promise<T>): Promise<T> =>
  without(stage, [], async (cluster) => {
    expect(cluster.live).toHaveLength(4);
    stage.server(SLOT).freeze();
    const thaw = setTimeout(() => stage.server(SLOT).thaw(), LATE_MS);
    try {
      return await work(cluster);
    } finally {
      clearTimeout(thaw);
      stage.server(SLOT).thaw();
    }
  });

test("verify has its pieces read back too", async () => {
  const found = await late((cluster) => Array.fromAsync(verifyAll(cluster, null, { sample: 1 })));
  expect(found).toMatchObject([{ name: "before", copies: 8, silent: [], missing: [] }]);
});

test("repair brings it what it lacks", async () => {
  await stage.without([SLOT], () => stage.put("after", randomBytes(400_000)));
  const options = { dryRun: false, orphanAge: Infinity };
  const done = await late((cluster) => Array.fromAsync(repairAll(cluster, "", options)));
  expect(done.find(({ name }) => name === "after")).toMatchObject({ restored: 2, problem: null });
});

test("nobody says that nothing lies on it", async () => {
  const asked = late((cluster) => needOf(cluster, SLOT));
  expect(await asked.catch(({ code }: { code: string }) => code)).toBe("down");
});
