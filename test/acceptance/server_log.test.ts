/** What `serve` says: to people and to programs, to nobody's harm, and to a pipe that nobody reads without waiting for it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, constants, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { executable, newFolder, removeFolders, run } from "../harness/program.ts";
import { flip } from "../harness/folder.ts";
import { Computer, lineOf, REFUSED, usersFile } from "./computer.ts";
import { configOf, expectDone } from "../harness/stage.ts";

setDefaultTimeout(120_000);

/** A server, and all that it says. */
interface Speaking {
  readonly name: string;
  readonly folder: string;
  readonly port: number;
  said: string;
  readonly child: Bun.Subprocess;
}

const speaking: Speaking[] = [];
afterAll(() => {
  for (const { child } of speaking) child.kill("SIGKILL");
  removeFolders();
});

async function start(name: string, ...flags: string[]): Promise<Speaking> {
  const folder = join(newFolder(), name);
  const child = Bun.spawn([executable, "serve", folder, "0", ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ready = Promise.withResolvers<number>();
  const server: Speaking = { name, folder, child, said: "", port: 0 };
  speaking.push(server);
  void (async () => {
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
      server.said += part;
      const [, port] = /on 127\.0\.0\.1:(\d+) \(/.exec(server.said) ?? [];
      if (port !== undefined) ready.resolve(Number(port));
    }
    ready.reject(new Error(server.said));
  })();
  return Object.assign(server, { port: await ready.promise });
}

/** Resolves when it has said that; throws where it does not in time. */
async function heard(server: Speaking, what: RegExp): Promise<void> {
  for (let tries = 0; !what.test(server.said); tries++) {
    if (tries > 500) throw new Error(`${what} is not in:\n${server.said}`);
    await Bun.sleep(20);
  }
}

interface Line {
  readonly [fact: string]: unknown;
  readonly event: string;
}

const linesOf = ({ said }: Speaking): Line[] =>
  said
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);

const ofEvent = (server: Speaking, event: string): Line[] =>
  linesOf(server).filter((line) => line.event === event);

const PASSWORD = "correct-horse-battery";
const MISTYPED = "mistyped-for-a-user";

describe.each(["text", "json"])("in %s", (format) => {
  const servers: Speaking[] = [];
  const NAMES = ["open-name.txt", "open-folder/inner-name", "large-name"];
  let home: string;
  let config: string;
  const dfs = (...args: string[]) => run(args, { cwd: home, env: { DFS_CONFIG: config } });

  beforeAll(async () => {
    home = newFolder();
    config = join(home, "dfc.conf");
    const repairs = ["--config", config, "--repair-interval", "1"];
    writeFileSync(config, "Server DFS1 127.0.0.1:1\n");
    for (const name of ["DFS1", "DFS2", "DFS3", "DFS4"])
      servers.push(await start(name, "--log", format, "-v", ...repairs));
    writeFileSync(config, configOf(servers.slice(0, 3), "127.0.0.1", ""));
    writeFileSync(join(home, "small"), "small");
    writeFileSync(join(home, "large"), Buffer.alloc(900_000, 1));
    expectDone(await dfs("put", "small", "--name", "open-name.txt"));
    expectDone(await dfs("put", "small", "--name", "open-folder/inner-name"));
    expectDone(await dfs("put", "large", "--name", "large-name"));
  });

  const says = async (server: Speaking, text: RegExp, event: string, facts: object) => {
    await heard(server, format === "json" ? new RegExp(`"event":"${event}"`) : text);
    if (format === "json") expect(ofEvent(server, event).at(-1)).toMatchObject(facts);
    return server.said;
  };

  test("who made the cluster, and who changed it", async () => {
    const [first, , , fourth] = servers as [Speaking, Speaking, Speaking, Speaking];
    const from = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
    await says(first, /taken into the cluster \w{8} by a client from 127/, "cluster-joined", {
      level: "info",
      from,
    });
    expectDone(await dfs("server", "add", "DFS4", `127.0.0.1:${fourth.port}`));
    const text = /DFS1, DFS2, DFS3, DFS4 make the cluster \(epoch \d+, by a client from 127/;
    await says(first, text, "cluster-changed", { servers: "DFS1, DFS2, DFS3, DFS4", from });
  });

  test("what is damaged, and that all was read back", async () => {
    const { out } = await dfs("stat", "large-name", "--json");
    const { version, servers: holders } = JSON.parse(out) as {
      version: string;
      servers: { name: string; pieces: number[] }[];
    };
    const holder = holders.find(({ pieces }) => pieces.length > 0);
    const [piece = 0] = holder?.pieces ?? [];
    const server = servers.find(({ name }) => name === holder?.name)!;
    await says(server, /all pieces were read back: \d+ are good/, "scrubbed", { level: "debug" });
    flip(join(server.folder, "pieces", version.slice(0, 2), `${version}.${piece - 1}`), 5000);
    await dfs("verify");
    await says(
      server,
      new RegExp(`warning: piece ${piece} of content ${version} is damaged on this disk`),
      "piece-damaged",
      { level: "warning", content: version, piece },
    );
  });

  test("nothing of it has the name of a file", async () => {
    expectDone(await dfs("get", "open-name.txt", "-o", "got"));
    expectDone(await dfs("rm", "open-name.txt"));
    expectDone(await dfs("mkdir", "open-folder/two"));
    await Promise.all(servers.map((server) => heard(server, /repair/)));
    for (const { said } of servers) {
      for (const name of [...NAMES, "open-folder"]) expect(said).not.toContain(name);
      for (const line of said.trimEnd().split("\n"))
        if (format === "text")
          expect(line).toMatch(
            /^dfs-tool serve: \S+ on |^dfs-tool serve: \S+: \d{4}-\d\d-\d\dT[\d:]+Z /,
          );
        else
          expect(JSON.parse(line)).toMatchObject({
            time: expect.any(String),
            event: expect.any(String),
            message: expect.any(String),
          });
    }
  });
});

test("failed logins are told, and nothing that may be a password", async () => {
  const users = await usersFile({ Alice: PASSWORD });
  const server = await start("DFS1", "--log", "json", "--users", users);
  const refused = async (user: string, password: string): Promise<void> => {
    const { err } = await new Computer([server], lineOf(user, password)).dfs("list");
    expect(err).toContain(REFUSED);
  };
  await refused("Alice", `${PASSWORD}-wrong`);
  await refused(MISTYPED, PASSWORD);
  expectDone(await new Computer([server], lineOf("Alice", PASSWORD)).dfs("list"));
  const failed = ofEvent(server, "login-failed");
  expect(failed).toMatchObject([
    { level: "warning", user: "Alice", from: expect.stringMatching(/^127\.0\.0\.1:\d+$/) },
    { level: "warning", message: expect.stringContaining("login of an unknown user from 127.") },
  ]);
  expect(server.said).not.toContain(PASSWORD);
  expect(server.said).not.toContain(MISTYPED);
});

test("a pipe that nobody reads, and that is full, keeps no server from serving", async () => {
  const home = newFolder();
  const pipe = join(home, "pipe");
  expect(Bun.spawnSync(["mkfifo", pipe]).exitCode).toBe(0);
  const reader = openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK);
  const writer = openSync(pipe, "w");
  try {
    for (;;) writeSync(reader, "x".repeat(4096));
  } catch {
    // It is full.
  }
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  const command = [executable, "serve", join(home, "dfs1"), String(port), "--verbose"];
  const child = Bun.spawn(command, { stdio: ["ignore", "ignore", writer] });
  try {
    const config = join(home, "dfc.conf");
    writeFileSync(config, `Server DFS1 127.0.0.1:${port}\n`);
    const put = () => run(["put", "dfc.conf"], { cwd: home, env: { DFS_CONFIG: config } });
    let status = -1;
    for (let tries = 0; tries < 100 && status !== 0; tries++) ({ status } = await put());
    expect(status).toBe(0);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  } finally {
    child.kill("SIGKILL");
    closeSync(reader);
    closeSync(writer);
  }
});

test("a format that there is not, and in JSON what ends the server", async () => {
  const wrong = await run(["serve", "dfs1", "0", "--log", "xml"]);
  expect(wrong).toMatchObject({ status: 2, err: expect.stringContaining("--log is text or json") });
  const { status, err } = await run(["serve", "dfs1", "nonsense", "--log", "json"]);
  expect(status).toBe(2);
  expect(JSON.parse(err)).toMatchObject({ level: "error", event: "failed", code: "usage" });
});
