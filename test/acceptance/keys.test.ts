/** A user's keys are made once, whoever is first, and stay the same: what is sealed with any others is lost. */
import { inMemory } from "../../src/client/send/source.ts";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { list } from "../../src/client/files/list.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { Opener } from "../../src/client/trust/opener.ts";
import { put } from "../../src/client/files/put.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import { MASTER_BYTES, NONCE_BYTES, wrapMaster } from "../../src/file/keys.ts";
import { PAIRS } from "../../src/file/layout.ts";
import { KEY_NAME } from "../../src/file/names.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import { type Password, passwordIn } from "../../src/io/stretch.ts";
import { ballotAbove, childOf, tombstone } from "../../src/version.ts";
import { credentialsOf } from "../../src/wire/login.ts";
import { removeFolders } from "../harness/program.ts";
import { Computer, lineOf, usersFile } from "./computer.ts";
import { newMemory } from "../harness/password.ts";
import { expectDone, Stage } from "../harness/stage.ts";
import { named } from "../harness/named.ts";

setDefaultTimeout(120_000);

const USER = "Alice";
const PASSWORD = "SimplePassword";

let stage: Stage;
let password: Password;
beforeAll(async () => {
  password = passwordIn(USER, PASSWORD);
  stage = await Stage.open(4, { users: await usersFile({ [USER]: PASSWORD }) });
});
afterAll(async () => {
  await stage.close();
  removeFolders();
});

/** Does something with the cluster as it is before its keys are there. */
async function locked<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const addresses = stage.servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
  const ports = { clock: bunClock, net: bunNet, random: bunRandom };
  const login = {
    credentials: [password.login.then((word) => credentialsOf(USER, word))],
    offersScram: false,
  };
  const cluster = await openCluster(ports, addresses, { user: USER, login, warn: () => {} });
  try {
    return await work(cluster);
  } finally {
    cluster.close();
  }
}

const store = (name: string): Promise<unknown> =>
  locked(async (cluster) => {
    const unlocked = await unlock(cluster, new Opener(password), newMemory());
    await put(unlocked, named(name), inMemory(randomBytes(1000)), {
      layout: PAIRS,
      placement: "name",
    });
  });

const namesThere = (): Promise<string[]> =>
  locked(async (cluster) => {
    const names = list(await unlock(cluster, new Opener(password), newMemory()), "");
    return (await Array.fromAsync(names)).map(({ name }) => name);
  });

/** A computer that makes a key, and ends when one server alone has accepted it. */
const whisperKey = (to: number): Promise<void> =>
  locked(async (cluster) => {
    const wrap = await new Opener(password).newSecret(bunRandom);
    const random = bunRandom.bytes(NONCE_BYTES);
    const body = wrapMaster([wrap], USER, bunRandom.bytes(MASTER_BYTES), random);
    const ballot = ballotAbove([], randomBytes(8));
    const vid = randomBytes(16).toString("hex");
    const place = { parent: null, floor: 0n, now: 0, last: 0 };
    const version = childOf(place, { ...tombstone(vid), deleted: false, body });
    await cluster.call(to, "prepare", { name: KEY_NAME, ballot, vid, link: null, inline: [] });
    const reply = await cluster.call(to, "accept", { name: KEY_NAME, ballot, version });
    expect(reply).toMatchObject({ ok: true });
  });

test("a key that one server alone has accepted seals nothing before it is chosen", async () => {
  await whisperKey(0);
  await store("first");
  // Who does not see that server knows of the same key.
  await stage.without([0], () => store("second"));
  expect(await namesThere()).toEqual(["first", "second"]);
});

test("computers that log in for the first time all at once have one key", async () => {
  for (let round = 0; round < 3; round++) {
    const fresh = await Stage.open(4, { users: await usersFile({ [USER]: PASSWORD }) });
    const names = Array.from({ length: 8 }, (_, i) => `name-${i}`);
    await Promise.all(
      names.map((name) => new Computer(fresh.servers, lineOf(USER, PASSWORD)).put(name, name)),
    );
    const last = await new Computer(fresh.servers, lineOf(USER, PASSWORD)).dfs("list");
    expectDone(last);
    expect(last.out).toBe(names.map((name) => `${name}\n`).join(""));
    await fresh.close();
  }
});
