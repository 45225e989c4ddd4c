/** Numbers and versions that mean harm, from a user and from a server: nobody else is kept from writing, nor an operator from the cluster. */
import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { bunClock, bunRandom } from "../../src/io/bun.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import { INLINE_BYTES, TRASH_GRACE_MS } from "../../src/limits.ts";
import { Store } from "../../src/store/store.ts";
import {
  type Ballot,
  boundOf,
  type Content,
  childOf,
  tombstone,
  type Version,
} from "../../src/version.ts";
import type { Kind, ReplyOf } from "../../src/wire/messages.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { removeFolders } from "../harness/program.ts";
import { Attacker, LyingServer } from "./attacker.ts";
import { Computer, lineOf, usersFile } from "./computer.ts";
import { expectDone, ServerProcess, Stage } from "../harness/stage.ts";
import { inStore } from "../harness/named.ts";

setDefaultTimeout(180_000);

const PASSWORDS = {
  op: "op-secret-1",
  alice: "alice-pw-1",
  mallory: "mallory-pw",
  bob: "bob-pw-1",
  carol: "carol-pw",
};
type Who = keyof typeof PASSWORDS;
const FAR: Ballot = 1n << 126n;
const vid = (): string => randomBytes(16).toString("hex");

const stages: Stage[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage.close();
  removeFolders();
});

async function openStage(size: number, users: string | null): Promise<Stage> {
  const stage = await Stage.open(size, { users });
  stages.push(stage);
  return stage;
}

/** Servers with users, of whom the first is the operator. */
async function withUsers(size: number) {
  const stage = await openStage(size, await usersFile(PASSWORDS));
  const computers = new Map<Who, Computer>();
  const of = (who: Who): Computer => {
    const known = computers.get(who) ?? new Computer(stage.servers, lineOf(who, PASSWORDS[who]));
    computers.set(who, known);
    return known;
  };
  // A new server begins with an operator.
  await of("op").dfs("status");
  return { stage, of };
}

const mallory = new Attacker("mallory", PASSWORDS.mallory);

/** New names, names that are there, deletions, folders, passwords and new users. */
async function expectWritable(
  of: (who: Who) => Computer,
  newcomer: "bob" | "carol" = "bob",
): Promise<void> {
  const alice = of("alice");
  for (const round of [1, 2, 3]) {
    await alice.put("f1", `f1 of round ${round}`);
    await alice.put(`new${round}`, "new");
    await of("op").put("own", "the operator's");
    expectDone(await alice.dfs("mkdir", `folder${round}`));
    expectDone(await alice.dfs("rm", `new${round}`));
  }
  expect((await alice.get("f1")).toString()).toBe("f1 of round 3");
  expectDone(await of("op").dfs("repair"));
  await alice.put("new1", "again");
  await of(newcomer).put("first", "of a new user");
  const env = { DFS_NEW_PASSWORD: "another one" };
  expectDone(await of(newcomer).dfsWith(env, "user", "passwd"));
}

test("a user who takes the highest ballots there are, and has them forgotten, is no concern of others", async () => {
  const { stage, of } = await withUsers(3);
  await of("alice").put("f1", "first");
  const prepare = (ballot: Ballot) => ({
    name: inStore("zz"),
    ballot,
    vid: vid(),
    link: null,
    inline: [],
  });
  for (const { ok, refused } of await mallory.ask(stage.servers, "prepare", () => prepare(FAR)))
    expect({ ok, refused }).toEqual({ ok: false, refused: "high" });
  // As fast as servers let one: a thousand steps, forgotten each time.
  let at = 0n;
  const jump = () => prepare((at = boundOf(at)));
  for (const server of stage.servers.slice(0, 2)) {
    at = 0n;
    const replies = await mallory.ask([server], "prepare", jump, 1000);
    expect(replies.every(({ ok }) => ok)).toBe(true);
  }
  await mallory.ask(stage.servers, "forget", () => ({ name: inStore("zz"), ballot: FAR }));
  await expectWritable(of);
  // Her own client climbs to where she left two of three.
  await of("mallory").put("zz", "hers");
  await of("mallory").put("zz", "hers again");
  expectDone(await of("mallory").dfs("rm", "zz"));
});

test("servers whose one floor is at 2^126 from before take writes again", async () => {
  const { stage, of } = await withUsers(4);
  await of("alice").put("f1", "first");
  await of("alice").put("f2", "first");
  // In the worst case only some servers are like that: an operator's repair has the others come up.
  for (const slot of [0, 1]) await poison(stage.server(slot));
  expectDone(await of("op").dfs("repair"));
  await expectWritable(of, "bob");
  for (const slot of [2, 3]) await poison(stage.server(slot));
  await expectWritable(of, "carol");
  expectDone(await of("alice").dfs("rm", "f2"));
});

/** What FORGET of a name at that ballot did to a server of before. */
async function poison(server: ServerProcess): Promise<void> {
  await server.terminate();
  const { folder } = server;
  const options = {
    folder,
    catalogFolder: folder,
    inlineBytes: INLINE_BYTES,
    trashGraceMs: TRASH_GRACE_MS,
  };
  const ports = { clock: bunClock, random: bunRandom, disk: bunDisk };
  const store = await Store.open(ports, options, (error) => {
    throw error;
  });
  const { config } = store.membership;
  if (!config) throw new Error("the server is a member");
  await store.membership.install(config, FAR);
  store.close();
  await server.start();
}

test("a server that names the highest ballots spoils no name that is written meanwhile, nor those after it is gone", async () => {
  const stage = await openStage(3, null);
  const [one, two, three] = stage.servers as [ServerProcess, ServerProcess, ServerProcess];
  const far = FAR - (3n << 64n);
  const lie = <K extends Kind>(kind: K, told: ReplyOf<K>): ReplyOf<K> => {
    if (kind !== "prepare") return told;
    const { register } = told as ReplyOf<"prepare">;
    const lies = { ok: false, refused: "low", floor: far, register: { ...register, prom: far } };
    return { ...told, ...lies };
  };
  const honest = new Computer(stage.servers, "");
  await honest.put("old", "1");
  const liar = await LyingServer.before(three, lie);
  try {
    const lied = new Computer([one, two, liar], "");
    for (const name of ["g", "h", "k", "old"]) await lied.put(name, "under the lie");
    for (const name of ["k", "h"]) expectDone(await lied.dfs("rm", name));
    await lied.dfs("repair");
    await lied.put("h", "again");
  } finally {
    liar.close();
  }
  expectDone(await honest.dfs("repair"));
  for (const name of ["g", "h", "k", "old", "y1"])
    for (const round of [1, 2, 3]) await honest.put(name, `${name} of round ${round}`);
  for (const name of ["g", "h", "k", "old", "y1"]) {
    expect((await honest.get(name)).toString()).toBe(`${name} of round 3`);
    expectDone(await honest.dfs("rm", name));
  }
  expectDone(await honest.dfs("repair"));
  await honest.put("g", "after all");
});

const madeUp = (some: Partial<Content>): Version =>
  childOf(
    { parent: null, floor: 0n, now: 0, last: 0 },
    {
      ...tombstone(vid()),
      deleted: false,
      cid: vid(),
      pieces: 4,
      needed: 4,
      copies: 2,
      ring: [0, 1, 2, 3],
      size: 2 ** 40,
      body: new Uint8Array(100).fill(1),
      ...some,
    },
  );

/** Has servers accept and commit it, without any piece. */
async function make(stage: Stage, name: string, version: Version): Promise<void> {
  const ballot = (5n << 64n) | 1n;
  await mallory.ask(stage.servers, "accept", () => ({ name: inStore(name), ballot, version }));
  await mallory.ask(stage.servers, "commit", () => ({
    name: inStore(name),
    accepted: { ballot, version },
    sync: true,
  }));
}

test("a user who makes up files holds up no operator, who can delete them", async () => {
  const { stage, of } = await withUsers(4);
  const op = of("op");
  await of("alice").put("f1", randomBytes(300_000));
  for (const some of [
    { pieces: 255, needed: 3, ring: [0, 1, 2] },
    { size: 2 ** 53 - 1 },
    { needed: 0 },
    { ring: [0, 1, 2, 100] },
  ])
    await rejectionOf("protocol", make(stage, "fake", madeUp(some)));
  expect((await op.dfs("status")).out).toContain("\n1 file, 293 KiB\n");

  await make(stage, "fake", madeUp({}));
  await make(stage, "fake2", madeUp({ needed: 2, copies: 1, striped: true }));
  await make(stage, "fake3", madeUp({}));
  const status = await op.dfs("status");
  expect(status).toMatchObject({ status: 3 });
  expect(status.out).toMatch(/^DEGRADED, can lose 1 more server\n/);
  expect(status.out).toContain(
    "3 files of others have no piece on any server (as fake of mallory): ask their users, or delete them: dfs-tool rm --user mallory NAME",
  );
  // She herself is told as before.
  expect(await of("mallory").dfs("status")).toMatchObject({ status: 6 });

  // A server that is gone can be replaced; one that is there can be drained, and removed.
  const spare = new ServerProcess(join(stage.home, "spare"), { users: stage.server(0).users });
  await spare.start();
  try {
    await stage.server(3).kill();
    const address = `127.0.0.1:${spare.port}`;
    // It says what repair could not bring there.
    const replaced = await op.dfs("server", "replace", "DFS4", address);
    expect(replaced).toMatchObject({ status: 6 });
    expect(replaced.out).toContain("another server has the place of DFS4");
    expectDone(await op.dfs("server", "drain", "DFS4"));
    expectDone(await op.dfs("server", "remove", "DFS4"));
  } finally {
    await spare.kill();
  }

  // Deleting them is for operators, and not by accident.
  const name = ["--user", "mallory", "fake"];
  expect(await of("alice").dfs("rm", "--yes", ...name)).toMatchObject({ status: 12 });
  const asked = await op.dfs("rm", ...name);
  expect(asked).toMatchObject({ status: 2 });
  expect(asked.err).toContain("Delete fake of mallory for good? There is no terminal to ask at");
  expectDone(await op.dfs("rm", "--yes", ...name));
  expect(await op.dfs("rm", "--yes", ...name)).toMatchObject({ status: 4 });
  expectDone(await op.dfs("rm", "--user", "mallory", "--all", "--yes"));
  expect(await op.dfs("rm", "--user", "mallory", "--all", "--yes")).toMatchObject({ status: 4 });
  expect((await op.dfs("status")).out).not.toContain("mallory");
  expect((await of("alice").get("f1")).length).toBe(300_000);
});

test.each([
  [["a", "--all"], "--all goes with --user"],
  [["a", "--yes"], "--yes goes with --user"],
  [["--user", "x"], "NAME... is missing"],
  [["--user", "x", "--all", "a"], "--all is of all files of the user"],
  [["--user", "x", "."], "is not the name of a file"],
  [[""], "cannot be a name"],
])("rm %j is wrong usage", async (args, line) => {
  const { status, err } = await new Computer([], "Server a 127.0.0.1:1\n").dfs("rm", ...args);
  expect(status).toBe(2);
  expect(err).toContain(line);
});
