/** Addresses: IPv6 is written as it is read; and a server that moved is where the configuration says, for whoever finds another one. */
import { afterAll, afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { newFolder, removeFolders } from "../harness/program.ts";
import { Computer, lineOf, usersFile } from "./computer.ts";
import { writeOwned } from "../harness/password.ts";
import { expectDone, ServerProcess, type ServerOptions, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const BYTES = randomBytes(300_000);
const LOCAL = "127.0.0.1";

const running: ServerProcess[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.kill())));
afterAll(removeFolders);

/** Three servers, a computer that knows them, and a file. */
async function open(
  options: ServerOptions = {},
  who = "",
  host = LOCAL,
): Promise<{ servers: ServerProcess[]; computer: Computer }> {
  const stage = await Stage.open(3, { users: null, ...options });
  running.push(...stage.servers);
  const computer = new Computer(stage.servers, who, host);
  await computer.put("file", BYTES);
  return { servers: [...stage.servers], computer };
}

/** The second server, on another port from now on. */
async function move(
  servers: readonly ServerProcess[],
  options: ServerOptions = {},
): Promise<ServerProcess> {
  const [, old] = servers;
  if (!old) throw new Error("bug: there is no second server");
  await old.terminate();
  const moved = new ServerProcess(old.folder, { users: null, ...options });
  running.push(moved);
  await moved.start();
  return moved;
}

const at = ({ port }: ServerProcess, host = LOCAL): string => `${host}:${port}`;

/** Which servers answer a computer. */
async function up(computer: Computer): Promise<string[]> {
  const { out } = await computer.dfs("server", "list", "--json");
  const { servers } = JSON.parse(out) as { servers: { address: string; state: string }[] };
  return servers.filter(({ state }) => state === "up").map(({ address }) => address);
}

/** A dfc.conf that has the second server where it is now. */
function corrected(
  servers: readonly ServerProcess[],
  moved: Pick<ServerProcess, "port">,
  who = "",
  name = "DFS2",
): Computer {
  const [one, , three] = servers as [ServerProcess, ServerProcess, ServerProcess];
  return new Computer([one, { name, port: moved.port }, three], who);
}

test("an operator says where it is, twice; every dfc.conf of before leads there", async () => {
  const { servers, computer } = await open();
  const moved = await move(servers);
  expect(await up(computer)).toHaveLength(2);
  const ran = await computer.dfs("server", "move", "DFS2", at(moved));
  expect(ran).toMatchObject({ status: 0, err: "" });
  expect(ran.out).toStartWith(`DFS2 is at ${at(moved)}: whoever finds`);
  expect(ran.out).toContain(
    `Server DFS2 ${at(moved)} # in place of ${LOCAL}:${servers[1]?.port}\n`,
  );
  expect(await computer.dfs("server", "move", "DFS2", at(moved))).toMatchObject({ status: 0 });
  expect(await up(computer)).toContain(at(moved));
  // With another one lost as well its pieces are needed.
  await servers[0]?.kill();
  expect((await computer.get("file")).equals(BYTES)).toBe(true);
});

test("a server that is added where a member is now is that member", async () => {
  const { servers, computer } = await open();
  const moved = await move(servers);
  const ran = await computer.dfs("server", "add", "DFS2", at(moved));
  expect(ran).toMatchObject({ status: 0, err: "" });
  expect(ran.out).toStartWith(`DFS2 is at ${at(moved)}`);
  expect(await up(computer)).toHaveLength(3);
});

test("neither where it is not, nor where it is twice", async () => {
  const { servers, computer } = await open();
  const [first, old] = servers as [ServerProcess, ServerProcess];
  const where = `${LOCAL}:${first.port}`;
  const other = await computer.dfs("server", "move", "DFS2", where);
  expect(other).toMatchObject({ status: 2, out: "" });
  expect(other.err).toContain(`the server at ${where} is another one than DFS2`);
  const none = await computer.dfs("server", "move", "DFS2", `${LOCAL}:1`);
  expect(none).toMatchObject({ status: 5, out: "" });
  await old.terminate();
  const folder = join(newFolder(), "copy");
  cpSync(old.folder, folder, { recursive: true });
  await old.start();
  const copy = new ServerProcess(folder, { users: null });
  running.push(copy);
  await copy.start();
  const twice = await computer.dfs("server", "move", "DFS2", at(copy));
  expect(twice).toMatchObject({ status: 2, out: "" });
  expect(twice.err).toContain("DFS2 runs twice");
  expect(await up(computer)).toContain(at(old));
});

test("by itself, where an operator's dfc.conf leads to it; not where a plain user's does", async () => {
  const passwords = { Alice: "SimplePassword", Bob: "another one" };
  const [alice, bob] = [lineOf("Alice", passwords.Alice), lineOf("Bob", passwords.Bob)];
  const users = await usersFile(passwords);
  const { servers, computer } = await open({ users }, alice);
  const moved = await move(servers, { users });
  expectDone(await corrected(servers, moved, bob).dfs("list"));
  expect(await up(computer)).toHaveLength(2);
  const mine = corrected(servers, moved, alice);
  const [was, is] = [`${LOCAL}:${servers[1]?.port}`, at(moved)];
  expect((await mine.dfs("list")).err).toBe(
    `dfs-tool: warning: DFS2 has moved from ${was} to ${is}: the cluster knows it now\n`,
  );
  expect(await mine.dfs("list")).toEqual({ status: 0, out: "file\n", err: "" });
  expect(await up(computer)).toContain(is);
});

test("not under another name, by which a server that lies could pass for one that is down", async () => {
  const { servers, computer } = await open();
  const moved = await move(servers);
  expect((await corrected(servers, moved, "", "Other").dfs("list")).err).toBe("");
  expect(await up(computer)).toHaveLength(2);
  expect((await corrected(servers, moved).dfs("list")).err).toContain("DFS2 has moved from");
  expect(await up(computer)).toHaveLength(3);
});

test("all at once, as in another network: it is one change", async () => {
  const { servers, computer } = await open();
  await Promise.all(servers.map((server) => server.terminate()));
  const moved = servers.map(({ folder }) => new ServerProcess(folder, { users: null }));
  running.push(...moved);
  await Promise.all(moved.map((server) => server.start()));
  const epochOf = async (by: Computer): Promise<number> =>
    (JSON.parse((await by.dfs("server", "list", "--json")).out) as { epoch: number }).epoch;
  const now = new Computer(moved, "");
  expect((await now.dfs("list")).err.match(/has moved from/g)).toHaveLength(3);
  expect(await epochOf(now)).toBe(2);
  // Who knows of one of them finds all.
  writeOwned(computer.config, `Server DFS1 ${at(moved[0] as ServerProcess)}\n`);
  expect(await up(computer)).toEqual(moved.map((server) => at(server)));
});

test("not where it is at both addresses, as seen from two networks", async () => {
  const { servers, computer } = await open();
  const [, second] = servers as [ServerProcess, ServerProcess];
  const way = Bun.listen<Bun.Socket<unknown> | null>({
    hostname: LOCAL,
    port: 0,
    socket: {
      async open(near) {
        near.pause();
        near.data = await Bun.connect({
          hostname: LOCAL,
          port: second.port,
          socket: { data: (_, bytes) => void near.write(bytes), close: () => void near.end() },
        });
        near.resume();
      },
      data: (near, bytes) => void near.data?.write(bytes),
      close: (near) => void near.data?.end(),
    },
    data: null,
  });
  try {
    const outside = corrected(servers, way);
    expect(await outside.dfs("list")).toEqual({ status: 0, out: "file\n", err: "" });
    expect(await up(outside)).toContain(`${LOCAL}:${way.port}`);
    expect(await up(computer)).toContain(at(second));
    // One who may not say where it is for others says so: it is where they want it.
    expectDone(await outside.dfs("server", "move", "DFS2", `${LOCAL}:${way.port}`));
  } finally {
    way.stop(true);
  }
});

test("an IPv6 address is written as dfc.conf has it", async () => {
  const { servers, computer } = await open({ host: "::1" }, "", "[::1]");
  const more = new ServerProcess(join(newFolder(), "dfs4"), { users: null, host: "::1" });
  running.push(more);
  await more.start();
  const bare = await computer.dfs("server", "add", "DFS4", `::1:${more.port}`);
  const line = `Server DFS4 [::1]:${more.port}`;
  expect(bare.err).toContain(`write "${line}"`);
  const added = await computer.dfs("server", "add", "DFS4", `[::1]:${more.port}`);
  expect(added.out).toContain(`lacks:\n${line}\n`);
  writeOwned(computer.config, `${readFileSync(computer.config, "utf8")}${line}\n`);
  expect(await up(computer)).toEqual([...servers, more].map(({ port }) => `[::1]:${port}`));
});
