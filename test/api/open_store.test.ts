/** Opening a store on real servers: from a dfc.conf, from a list of servers, with passwords; and what is left after it. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { openStore, type StoreOptions } from "../../src/api/open_store.ts";
import { MIB } from "../../src/limits.ts";
import { writeOwned } from "../harness/password.ts";
import { newFolder } from "../harness/program.ts";
import { Stage } from "../harness/stage.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { contentOf } from "../sim/contents.ts";
import { bytesOf, contentIn, isSame, streamOf } from "./using.ts";

setDefaultTimeout(60_000);

const PASSWORD = "correct horse";
const CONTENT = contentOf(1, 20 * MIB + 7);

let stage: Stage;
beforeAll(async () => {
  const users = join(newFolder(), "dfs.conf");
  writeOwned(users, `Alice ${PASSWORD.replace(" ", "-")}\n`);
  stage = await Stage.open(3, { users });
});
afterAll(() => stage.close());

const servers = () => stage.servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
const asAlice = (): StoreOptions => ({
  servers: servers(),
  user: "Alice",
  password: async () => PASSWORD.replace(" ", "-"),
});

test("servers and a password, or a dfc.conf that has them, lead to the same store", async () => {
  const one = await openStore(asAlice());
  await one.put("a", CONTENT, { layout: "rs:2+1" });
  const config = join(newFolder(), "dfc.conf");
  const lines = servers().map(({ name, host, port }) => `Server ${name} ${host}:${port}\n`);
  writeOwned(config, `${lines.join("")}Username: Alice\nPassword: correct-horse\n`);
  const other = await openStore({ config });
  expect(isSame(await contentIn(other, "a"), CONTENT)).toBe(true);
  expect(existsSync(`${config}.seen`)).toBe(true);
  one.close();
  other.close();
});

test("what cannot be opened is refused", async () => {
  await rejectionOf("login", openStore({ ...asAlice(), password: "another" }));
  await rejectionOf("config", openStore({ ...asAlice(), password: "" }));
  await rejectionOf("config", openStore({ ...asAlice(), user: "" }));
  await rejectionOf("config", openStore({ ...asAlice(), servers: [] }));
  await rejectionOf("config", openStore({ config: join(newFolder(), "nothing") }));
  await rejectionOf("usage", openStore({ ...asAlice(), layout: "many" }));
  await rejectionOf("interrupted", openStore({ ...asAlice(), signal: AbortSignal.abort() }));
  const away = [{ name: "DFS1", host: "192.0.2.1", port: 10001 }];
  await rejectionOf("login", openStore({ servers: away, user: "Alice" }));
});

test("one store while its servers are restarted, and then no descriptor is left", async () => {
  const openFiles = (): number => readdirSync("/proc/self/fd").length;
  const before = openFiles();
  for (let turn = 0; turn < 3; turn++) {
    const store = await openStore(asAlice());
    await store.put("b", streamOf(CONTENT), { size: CONTENT.length });
    const reader = await store.open("b");
    await stage.without([turn], async () => {
      expect(isSame(await bytesOf(reader.stream()), CONTENT)).toBe(true);
    });
    const stream = reader.stream().getReader();
    await stream.read();
    await store.remove("b");
    const left = (await stream.read()).value ?? new Uint8Array();
    expect(isSame(left, CONTENT.subarray(MIB, 2 * MIB))).toBe(true);
    // Neither the stream nor its reader is closed.
    store.close();
    await rejectionOf("interrupted", reader.read(left));
  }
  for (let tries = 0; openFiles() > before && tries < 100; tries++) await Bun.sleep(50);
  expect(openFiles()).toBeLessThanOrEqual(before);
});
