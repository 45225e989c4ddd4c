/** A server that is stopped with SIGSTOP: it still takes connections, and answers nothing. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, removeFolders } from "../harness/program.ts";
import { differences, expectDone, folderOf, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

/** A server has one second to answer; the rest is for a machine with other things to do. */
const MORE_SECONDS = 1 + 4;
const NAMES = ["large", "small"];

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

const newFiles = (): string =>
  folderOf({ large: randomBytes(2_000_001), small: randomBytes(1000) });

async function timed(what: string, seconds: Map<string, number>, work: () => Promise<void>) {
  const started = performance.now();
  await work();
  seconds.set(what, (performance.now() - started) / 1000);
}

/** Puts, gets and lists, checks all of it, and returns how many seconds each took. */
async function putGetList(): Promise<Map<string, number>> {
  const seconds = new Map<string, number>();
  const folder = newFiles();
  const back = newFolder();
  await timed("put", seconds, async () => expectDone(await stage.dfsIn(folder, "put", ...NAMES)));
  await timed("get", seconds, async () => expectDone(await stage.dfsIn(back, "get", ...NAMES)));
  expect(differences(NAMES, folder, back)).toEqual([]);
  await timed("list", seconds, async () => {
    expect(await stage.dfs("list")).toEqual({ status: 0, out: "large\nsmall\n", err: "" });
  });
  return seconds;
}

test.each([0, 1, 2, 3])(
  "put, get and list are right while server %i of 0..3 is frozen",
  async (slot) => {
    const usual = await putGetList();
    const server = stage.server(slot);
    server.freeze();
    const frozen = await putGetList().finally(() => server.thaw());
    for (const [what, seconds] of frozen) {
      expect(seconds - (usual.get(what) ?? 0)).toBeLessThan(MORE_SECONDS);
    }
    // It has missed the last version; and it is asked again.
    const folder = newFolder();
    expectDone(await stage.dfsIn(folder, "get", ...NAMES));
    expect((await stage.stat("large")).servers[slot]?.up).toBe(true);
  },
);

test("what a server missed while it was frozen is not what a get brings", async () => {
  const server = stage.server(2);
  for (let round = 0; round < 3; round++) {
    const folder = newFiles();
    server.freeze();
    expectDone(await stage.dfsIn(folder, "put", ...NAMES).finally(() => server.thaw()));
    const back = newFolder();
    expectDone(await stage.dfsIn(back, "get", ...NAMES));
    expect(differences(NAMES, folder, back)).toEqual([]);
  }
});

test("a server that freezes in the middle of a get", async () => {
  const bytes = randomBytes(64 * 1024 * 1024);
  await stage.put("huge", bytes);
  const server = stage.server(1);
  const path = join(newFolder(), "huge");
  const getting = stage.dfs("get", "huge", "-o", path);
  await Bun.sleep(100);
  server.freeze();
  expectDone(await getting.finally(() => server.thaw()));
  expect(readFileSync(path).equals(bytes)).toBe(true);
});

test("a server that freezes in the middle of a put", async () => {
  const bytes = randomBytes(64 * 1024 * 1024);
  const path = join(folderOf({ huge: bytes }), "huge");
  const server = stage.server(3);
  const putting = stage.dfs("put", path);
  await Bun.sleep(150);
  server.freeze();
  expectDone(await putting.finally(() => server.thaw()));
  expect((await stage.get("huge")).equals(bytes)).toBe(true);
});
