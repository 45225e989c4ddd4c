/**
 * Makes the golden stores of this format: `bun build.ts && bun test/golden/make.ts`. Run it by hand,
 * at the last commit whose program writes a format, and commit what it writes; the stores of a
 * format are never made again. A store is the folders of four servers.
 *
 * - formatN-open: no users. formatN-users: two of them, and files of before there were users. Their
 *   servers were stopped in order. DFS4 was stopped first, and is behind.
 * - formatN-killed: no users, and DFS4 was killed, so that its last writes are only in its log.
 */
import { join } from "node:path";
import { $ } from "bun";
import { verifierText } from "../../src/server/users/users.ts";
import { stretch } from "../../src/io/stretch.ts";
import { STORE_FORMAT } from "../../src/store/recover.ts";
import { verifierOf } from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { newFolder } from "../harness/program.ts";
import { writeOwned } from "../harness/password.ts";
import { ServerProcess } from "../harness/stage.ts";
import { type Golden, type GoldenSpace, pack } from "./fixture.ts";
import { age, forgetCommits, leaveOrphan, overtake } from "./interrupted.ts";
import { Writer } from "./writer.ts";

const NOBODY = { user: "", password: "" };
const ALICE = { user: "Alice", password: "alice of the golden store" };
const BOB = { user: "Bob", password: "bob of the golden store" };

/** They are in the configuration for ever. No system gives them out by itself. */
const FIRST_PORT = 28_411;
/** So long after a put its last messages have arrived. */
const SETTLED_MS = 500;

function serversIn(home: string): ServerProcess[] {
  return [1, 2, 3, 4].map(
    (n) => new ServerProcess(join(home, `dfs${n}`), { port: FIRST_PORT + n - 1, users: null }),
  );
}

const start = (servers: readonly ServerProcess[]) =>
  Promise.all(servers.map((server) => server.start()));

async function stop(servers: readonly ServerProcess[]): Promise<void> {
  for (const server of servers) await server.terminate();
}

/** Everything that can happen to names, while all servers are up. */
async function fill(writer: Writer): Promise<void> {
  await writer.put("small.txt", 5);
  await writer.put("empty", 0);
  await writer.put("odd/ Größe 日本 \u{1f5c4}\ufe0f 'n\"*\\.txt", 300);
  await writer.put("old\u0085name\u009b", 70, { before: true });
  await writer.put("medium.bin", 40_000);
  await writer.put("large.bin", 300_000);
  await writer.put("parity.bin", 140_000, { layout: "rs:2+1" });
  await writer.put("small parity", 3, { layout: "rs:2+1" });
  for (const bytes of [7, 66_000, 0, 67_000]) await writer.put("history", bytes);
  await writer.makeFolder("empty folder/");
  await writer.makeFolder("folder/");
  await writer.put("folder/inner.txt", 1000);
  await writer.put("forgotten", 10);
  await writer.remove("forgotten");
  await writer.put("forgotten and back", 11);
  await writer.remove("forgotten and back");
  // The two are forgotten: what is left of them is the floor of their space.
  await writer.repair();
  await writer.put("forgotten and back", 12);
  await writer.put("gone", 66_000);
  await writer.remove("gone");
  await writer.makeFolder("gone folder/");
  await writer.remove("gone folder/");
  await writer.put("again", 21);
  await writer.remove("again");
  await writer.put("again", 22);
  await writer.put("gone meanwhile", 23);
  await writer.put("undecided", 24);
  await writer.put("overtaken", 25);
}

/** More of it, while DFS4 is down: pieces go where they are not at home. */
async function fillWithoutOne(writer: Writer): Promise<void> {
  await writer.put("meanwhile.bin", 70_000);
  await writer.put("parity meanwhile", 40_000, { layout: "rs:2+1" });
  await writer.put("history", 8);
  await writer.remove("gone meanwhile");
}

/**
 * Stops the servers, DFS4 first, and leaves what clients and servers leave that were interrupted.
 */
async function end(servers: readonly ServerProcess[], writer: Writer): Promise<GoldenSpace> {
  const [first, second, third, fourth] = servers as [
    ServerProcess,
    ServerProcess,
    ServerProcess,
    ServerProcess,
  ];
  const before = await writer.versionOf("overtaken");
  await Bun.sleep(SETTLED_MS);
  await fourth.terminate();
  await writer.put("overtaken", 26);
  await fillWithoutOne(writer);
  const orphan = "orphan.bin";
  writer.noteAbsent(orphan);
  const space = await writer.space();
  const versionOf = (name: string) => space.files.find((file) => file.name === name)?.version ?? "";
  await Bun.sleep(SETTLED_MS);
  await stop([first, second, third]);
  for (const { folder } of servers) forgetCommits(folder, versionOf("undecided"));
  overtake(second.folder, fourth.folder, before, versionOf("overtaken"));
  await leaveOrphan(first.folder, space.user, orphan);
  for (const { folder } of servers) age(folder);
  return space;
}

async function makeOpen(): Promise<void> {
  const home = newFolder();
  const servers = serversIn(home);
  await start(servers);
  const writer = new Writer(servers, NOBODY);
  await fill(writer);
  save("open", home, { spaces: [await end(servers, writer)], open: [] });
}

async function makeUsers(): Promise<void> {
  const home = newFolder();
  const servers = serversIn(home);
  await start(servers);
  const nobody = new Writer(servers, NOBODY);
  await nobody.put("before.txt", 50);
  await nobody.put("before.bin", 67_000);
  const { files: open } = await nobody.space();
  await stop(servers);
  const lines = await userLines();
  for (const { folder } of servers) writeOwned(join(folder, "users.conf"), lines);
  await start(servers);
  const [alice, bob] = [new Writer(servers, ALICE), new Writer(servers, BOB)];
  await fill(alice);
  await bob.put("small.txt", 6);
  await bob.put("bob.bin", 70_000);
  await bob.put("gone", 7);
  await bob.remove("gone");
  const bobs = await bob.space();
  save("users", home, { spaces: [await end(servers, alice), bobs], open });
}

/** The operator has a verifier of the newer kind, the other user one of the older. */
async function userLines(): Promise<string> {
  const [alice, bob] = [
    await stretch(ALICE.user, ALICE.password),
    await stretch(BOB.user, BOB.password),
  ];
  return [
    `${ALICE.user} ${verifierText(verifierOf(ALICE.user, alice.login))} operator\n`,
    `${BOB.user} ${verifierText(scramVerifierOf(BOB.user, bob.login))}\n`,
  ].join("");
}

async function makeKilled(): Promise<void> {
  const home = newFolder();
  const servers = serversIn(home);
  await start(servers);
  const writer = new Writer(servers, NOBODY);
  await writer.put("small.txt", 5);
  await writer.put("large.bin", 150_000);
  for (const bytes of [7, 8, 9]) await writer.put("history", bytes);
  await writer.put("gone", 7);
  await writer.remove("gone");
  await writer.makeFolder("empty folder/");
  const space = await writer.space();
  await Bun.sleep(SETTLED_MS);
  await servers[3]?.kill();
  await stop(servers.slice(0, 3));
  save("killed", home, { spaces: [space], open: [] });
}

const commit = (await $`git rev-parse HEAD`.cwd(import.meta.dir).text()).trim();

function save(kind: string, home: string, golden: Pick<Golden, "spaces" | "open">): void {
  pack(`format${STORE_FORMAT}-${kind}`, home, { format: STORE_FORMAT, commit, ...golden });
}

await makeOpen();
await makeUsers();
await makeKilled();
process.exit(0);
