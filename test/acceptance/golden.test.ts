/**
 * Stores that earlier programs left (test/golden) open, become stores of this program, and go on:
 * nothing that was acknowledged then is missing, and nothing that was deleted is back.
 */
import { afterAll, afterEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import {
  goldenOf,
  type GoldenFile,
  type GoldenSpace,
  storesOf,
  unpack,
} from "../golden/fixture.ts";
import { becomeOriginal } from "../golden/original.ts";
import { newFolder, removeFolders } from "../harness/program.ts";
import { expectDone, ServerProcess } from "../harness/stage.ts";
import { Computer, lineOf } from "./computer.ts";

setDefaultTimeout(240_000);

const running: ServerProcess[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.kill())));
afterAll(removeFolders);

const sha256 = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");

/** The servers of a store, unpacked: they do not run. */
function serversOf(store: string): ServerProcess[] {
  const home = unpack(store);
  const servers = [1, 2, 3, 4].map(
    (n) => new ServerProcess(join(home, `dfs${n}`), { users: null }),
  );
  running.push(...servers);
  return servers;
}

const start = (servers: readonly ServerProcess[]) =>
  Promise.all(servers.map((server) => server.start()));

/** The computer of a user, who has not worked there before. */
const computerOf = (servers: readonly ServerProcess[], { user, password }: GoldenSpace): Computer =>
  new Computer(servers, user === "" ? "" : lineOf(user, password));

const inBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

async function expectList(computer: Computer, { files, folders }: GoldenSpace): Promise<void> {
  const ran = await computer.dfs("list", "--json");
  expectDone(ran);
  const listed = JSON.parse(ran.out) as { name: string; bytes: number; incomplete: boolean }[];
  const all = [...files, ...folders.map((name) => ({ name, bytes: 0 }))];
  expect(listed).toEqual(
    all
      .map(({ name, bytes }) => ({ name, bytes, incomplete: false }))
      .toSorted((a, b) => inBytes(a.name, b.name)),
  );
}

/** The files that there are now come back as they were put: one login for all of them. */
async function expectFiles(computer: Computer, space: GoldenSpace): Promise<void> {
  await expectList(computer, space);
  const folder = newFolder();
  const names = space.files.map(({ name }) => name);
  expectDone(await computer.dfs("get", "--to", folder, "--", ...names));
  for (const { name, bytes, sha256: sum, modified, mode } of space.files) {
    const path = join(folder, basename(name));
    const got = readFileSync(path);
    const { mode: modeNow, mtime } = statSync(path);
    expect({
      name,
      bytes: got.length,
      sha256: sha256(got),
      modified: mtime.toISOString(),
      mode: modeNow & 0o777,
    }).toEqual({ name, bytes, sha256: sum, modified, mode: mode & ~process.umask() });
  }
}

/** All that a user had is there, each file in the version that it was, and no more. */
async function expectAll(computer: Computer, space: GoldenSpace): Promise<void> {
  await expectFiles(computer, space);
  for (const { name, ...golden } of space.files) {
    const ran = await computer.dfs("stat", "--json", "--", name);
    expectDone(ran);
    const { bytes, modified, layout, version, seq } = JSON.parse(ran.out) as GoldenFile;
    expect(golden).toMatchObject({ bytes, modified, layout, version, seq });
  }
  for (const name of space.absent)
    expect([name, (await computer.dfs("stat", name)).status]).toEqual([name, 4]);
}

async function expectHealthy(computer: Computer): Promise<void> {
  expect(await computer.dfs("repair")).toMatchObject({ status: 0, out: "nothing to repair\n" });
  expect((await computer.dfs("verify")).out).toEndWith("all good\n");
  const status = async () => JSON.parse((await computer.dfs("status", "--json")).out) as Status;
  let found = await status();
  // The pieces are years old. What no server has read back for so long makes a store degraded.
  for (let tries = 0; found.toDo.unread > 0 && tries < 100; tries++) {
    await Bun.sleep(100);
    found = await status();
  }
  expect(found).toMatchObject({ status: "HEALTHY", canLose: 1, damagedRecords: [] });
}

interface Status {
  readonly toDo: { readonly unread: number };
}

/** What a user does from now on; and the space as it is after it. */
async function goOn(computer: Computer, space: GoldenSpace): Promise<GoldenSpace> {
  const [first, second, ...rest] = space.files as [GoldenFile, GoldenFile, ...GoldenFile[]];
  const [gone = ""] = space.absent;
  const data = randomBytes(150_000);
  const put = async (name: string): Promise<GoldenFile> => {
    await computer.put(name, data);
    const { version, seq, layout, bytes, modified } = JSON.parse(
      (await computer.dfs("stat", "--json", "--", name)).out,
    ) as GoldenFile;
    const mode = statSync(join(computer.folder, "out")).mode & 0o777;
    return { name, bytes, sha256: sha256(data), modified, mode, layout, version, seq };
  };
  const again = await put(first.name);
  expect(again.seq).toBe(first.seq + 1);
  expectDone(await computer.dfs("rm", second.name));
  const files = [again, await put(gone), await put("new"), ...rest];
  return { ...space, files, absent: [...space.absent.slice(1), second.name] };
}

describe.each([...storesOf("open"), ...storesOf("users")])("the store %s", (store) => {
  test("opens, is read as it was written, and goes on", async () => {
    const { spaces, open } = goldenOf(store);
    const servers = serversOf(store);
    await start(servers);
    const people = spaces.map((space) => ({ computer: computerOf(servers, space), space }));
    // The folders are copies, and at other addresses: an operator's command sees to both.
    const operator = people[0]?.computer as Computer;
    const { status, err } = await operator.dfs("server", "list");
    expect(status).toBe(0);
    expect(err.match(/has moved from/g)).toHaveLength(4);
    for (const { computer, space } of people) await expectAll(computer, space);

    // Old puts that were cut short are collected, DFS4 learns what it missed, and all is at home.
    expectDone(await operator.dfs("repair", "--orphan-age", "0"));
    expectDone(await operator.dfs("repair", "--orphan-age", "0"));
    await expectHealthy(operator);
    for (const person of people) person.space = await goOn(person.computer, person.space);

    for (const server of servers) await server.terminate();
    await start(servers);
    for (const { computer, space } of people) await expectFiles(computer, space);
    const [lost] = servers as [ServerProcess];
    await lost.kill();
    for (const { computer, space } of people) await expectFiles(computer, space);
    await lost.start();
    await expectAdopted(operator, open);
    for (const { computer, space } of people) await removeOldNames(computer, space);
  });
});

/** Names that may be stored no more can still be removed. */
async function removeOldNames(computer: Computer, { files }: GoldenSpace): Promise<void> {
  for (const { name } of files.filter((file) => /\p{Cc}/u.test(file.name))) {
    expect(await computer.dfs("put", "--name", name, "out")).toMatchObject({ status: 2 });
    expectDone(await computer.dfs("rm", name));
    expect((await computer.dfs("stat", name)).status).toBe(4);
  }
}

/** What was there before there were users becomes the operator's. */
async function expectAdopted(operator: Computer, open: readonly GoldenFile[]): Promise<void> {
  if (open.length === 0) return;
  expect((await operator.dfs("adopt")).out).toStartWith(`${open.length} files adopted`);
  for (const file of open) expect(sha256(await operator.get(file.name))).toBe(file.sha256);
}

describe.each(storesOf("killed"))("the store %s", (store) => {
  test("is recovered from the log of the server that was killed", async () => {
    const [space] = goldenOf(store).spaces as [GoldenSpace];
    const servers = serversOf(store);
    const [first, , , killed] = servers as [ServerProcess, unknown, unknown, ServerProcess];
    expect(statSync(join(killed.folder, "catalog.sqlite-wal")).size).toBeGreaterThan(0);
    for (const { folder } of servers) becomeOriginal(folder);
    await start(servers);
    for (const { said } of servers) expect(said).not.toContain("copy");
    const computer = computerOf(servers, space);
    await expectAll(computer, space);
    // Else the servers would not agree on what the log has.
    const { toDo } = JSON.parse((await computer.dfs("status", "--json")).out);
    expect(toDo).toMatchObject({ lacking: 0, astray: 0, damaged: 0, orphans: 0, changes: 0 });
    expectDone(await computer.dfs("repair"));
    await expectHealthy(computer);
    const after = await goOn(computer, space);
    await first.kill();
    await expectFiles(computer, after);
  });

  test("is refused where a newer program made it, and stays as it is", async () => {
    const servers = serversOf(store);
    for (const server of servers) {
      const path = join(server.folder, "format.json");
      const text = readFileSync(path, "utf8").replace(/"format":\d+/, '"format":99');
      writeFileSync(path, text);
      const before = bytesIn(server.folder);
      const refusal = await server.start().then(
        () => "",
        (error: Error) => error.message,
      );
      expect(refusal).toEndWith(`${path}: format 99 is newer than this dfs-tool knows: upgrade it`);
      expect(refusal).not.toContain("\n");
      expect(bytesIn(server.folder)).toEqual(before);
    }
  });
});

/** The files below a folder, by their sums. */
const bytesIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => statSync(join(folder, path)).isFile())
      .toSorted()
      .map((path) => [path, sha256(readFileSync(join(folder, path)))]),
  );
