/** A server that cannot tell of a name: every command that looks at it says so, none ends as if all were well, and the way out works. */
import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { renameSync } from "node:fs";
import { join } from "node:path";
import { Stage } from "../harness/stage.ts";

setDefaultTimeout(60_000);

const FILES: Readonly<Record<string, Uint8Array>> = {
  one: randomBytes(90_000),
  other: randomBytes(90_000),
  small: randomBytes(100),
};

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
  for (const [name, bytes] of Object.entries(FILES)) await stage.put(name, bytes);
  const server = stage.server(0);
  await server.terminate();
  const db = new Database(join(server.folder, "catalog.sqlite"));
  db.run(
    `UPDATE register SET sum = zeroblob(8)
     WHERE name = (SELECT name FROM register WHERE space <> '' AND name <> '.' ORDER BY name LIMIT 1)`,
  );
  db.close();
  await server.start();
});
afterAll(() => stage.close());

test("verify", async () => {
  const { status, out } = await stage.dfs("verify");
  expect(status).toBe(3);
  expect(out).toMatch(/: DFS1 cannot tell of it, or did not answer\n/);
  expect(out).toContain("1 file not wholly verified");
});

test("repair", async () => {
  const { status, out } = await stage.dfs("repair");
  expect(status).toBe(3);
  expect(out).toMatch(/: not repaired: DFS1 cannot tell of it\n/);
});

test("status says which server, and the way out", async () => {
  const { status, out } = await stage.dfs("status");
  expect(status).toBe(14);
  expect(out).toMatch(/1 record of names is damaged on DFS1: .* dfs-tool server replace DFS1\n/);
  const json = JSON.parse((await stage.dfs("status", "--json")).out) as object;
  expect(json).toMatchObject({ damagedRecords: ["DFS1"], toDo: { records: 1 } });
});

test("drain", async () => {
  const { status, out } = await stage.dfs("server", "drain", "DFS1");
  expect(status).toBe(3);
  expect(out).toMatch(/dfs-tool server replace DFS1/);
});

test("the way out", async () => {
  const server = stage.server(0);
  await server.terminate();
  renameSync(server.folder, `${server.folder}.kept`);
  await server.start();
  expect(await stage.dfs("server", "replace", "DFS1")).toMatchObject({ status: 0 });
  const { status, out } = await stage.dfs("verify");
  expect(out).toContain("all good");
  expect(status).toBe(0);
  for (const [name, bytes] of Object.entries(FILES))
    expect(Buffer.compare(await stage.get(name), bytes)).toBe(0);
});
