/** Networks that lose the first packets, and servers that answer a byte now and then: what is up is used, and nobody hangs. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { bunNet } from "../../src/io/bun.ts";
import type { Conn, Listener } from "../../src/io/ports.ts";
import { newFolder, type Ran, removeFolders, run } from "../harness/program.ts";
import { LIST_PAGE } from "../../src/limits.ts";
import { type Begins, DrippingConn } from "../sim/dripping_conn.ts";
import { EndlessLiar } from "../sim/endless_liar.ts";
import { LyingConn } from "../sim/lying_conn.ts";
import { Relay } from "../harness/relay.ts";
import { lineOf, usersFile } from "./computer.ts";
import { loginLines, writeOwned } from "../harness/password.ts";
import { configOf, expectDone, folderOf, Stage } from "../harness/stage.ts";

setDefaultTimeout(120_000);

const FILES = { large: randomBytes(2_000_001), small: randomBytes(1000) };
const NAMES = Object.keys(FILES);
const CONNECT_MS = 5000;

/** A client of a cluster, behind whatever stands before the servers. */
class Client {
  readonly #config: string;

  constructor(servers: readonly { name: string; port: number }[], who = loginLines) {
    this.#config = join(newFolder(), "dfc.conf");
    writeOwned(this.#config, configOf(servers, "127.0.0.1", who));
  }

  do(folder: string, ...args: string[]): Promise<Ran> {
    return run(args, { cwd: folder, env: { DFS_CONFIG: this.#config } });
  }

  async putAll(): Promise<void> {
    expectDone(await this.do(folderOf(FILES), "put", ...NAMES));
  }

  async getAll(): Promise<void> {
    const back = newFolder();
    expect(await this.do(back, "get", ...NAMES)).toMatchObject({ status: 0, out: "" });
    for (const [name, bytes] of Object.entries(FILES))
      expect(readFileSync(join(back, name)).equals(bytes)).toBe(true);
  }

  async list(): Promise<void> {
    expect(await this.do(newFolder(), "list")).toMatchObject({ status: 0, out: "large\nsmall\n" });
  }

  async status(): Promise<{ status: string; unreadable: number }> {
    return JSON.parse((await this.do(newFolder(), "status", "--json")).out);
  }
}

afterAll(removeFolders);

describe("the first packets to two of four servers are lost", () => {
  let stage: Stage;
  let relays: Relay[];
  let client: Client;
  beforeAll(async () => {
    stage = await Stage.open(4);
    relays = await Promise.all(stage.servers.map(({ port }) => Relay.open("127.0.0.1", port)));
    client = new Client(stage.servers.map(({ name }, i) => ({ name, port: relays[i]?.port ?? 0 })));
    await client.putAll();
  });
  afterAll(async () => {
    for (const relay of relays) relay.close();
    await stage.close();
  });

  const lose = (ms: number): void => {
    for (const relay of relays.slice(1, 3)) relay.swallow(ms);
  };

  test.each([250, 900])("for %i ms: put, get, list and status are right", async (ms) => {
    lose(ms);
    await client.putAll();
    lose(ms);
    await client.getAll();
    lose(ms);
    await client.list();
    lose(ms);
    expect(await client.status()).toMatchObject({ unreadable: 0 });
  });

  test("for good: what cannot be had is said, and who does not answer", async () => {
    // All of it where it belongs: what was put without some lies elsewhere.
    lose(0);
    await client.putAll();
    lose(Infinity);
    const get = await client.do(newFolder(), "get", "large");
    expect([get.status, get.out]).toEqual([6, "large is incomplete\n"]);
    expect(get.err).toContain("DFS2, DFS3 do not answer");
    const put = await client.do(folderOf(FILES), "put", "small");
    expect([put.status, put.out]).toEqual([7, "small put failed\n"]);
    expect(put.err).toContain("DFS2, DFS3 do not answer");
    expect(await client.status()).toMatchObject({ status: "DATA MISSING" });
    relays[0]?.swallow(Infinity);
    const one = await client.do(newFolder(), "get", "large");
    expect([one.status, one.out]).toEqual([5, "large is incomplete\n"]);
    expect(await client.status()).toMatchObject({ status: "TOO FEW SERVERS" });
    for (const relay of relays) relay.swallow(0);
    await client.getAll();
  });
});

/** Stands before a server, and makes something else of its answers. */
class Between {
  readonly #port: number;
  #listener: Listener | null = null;
  /** The connection to the server, as it is for clients. */
  changed: (server: Conn) => Conn = (server) => server;

  constructor(port: number) {
    this.#port = port;
  }

  async open(): Promise<number> {
    this.#listener = await bunNet.listen("127.0.0.1", 0, (conn) => void this.#join(conn), null);
    return this.#listener.port;
  }

  async #join(client: Conn): Promise<void> {
    const server = await bunNet.connect("127.0.0.1", this.#port, CONNECT_MS, false);
    const changed = this.changed(server);
    await Promise.all([pass(client, changed), pass(changed, client)]);
  }

  close(): void {
    this.#listener?.close();
  }
}

async function pass(from: Conn, to: Conn): Promise<void> {
  try {
    for (let bytes = await from.read(); bytes; bytes = await from.read()) await to.write(bytes);
  } catch {
    // Who is not there any more gets nothing more.
  }
  to.close();
}

describe("hangs nobody", () => {
  let stage: Stage;
  let between: Between;
  let client: Client;
  beforeAll(async () => {
    const users = await usersFile({ Alice: "SimplePassword" });
    stage = await Stage.open(4, { users });
    between = new Between(stage.server(2).port);
    const port = await between.open();
    const servers = stage.servers.map((one, i) => ({
      name: one.name,
      port: i === 2 ? port : one.port,
    }));
    client = new Client(servers, lineOf("Alice", "SimplePassword"));
    await client.putAll();
  });
  afterAll(async () => {
    between.close();
    await stage.close();
  });

  const BEGINS: [string, Begins][] = [
    ["the first answer", () => true],
    ["the second one, which ends the login", (_, count) => count >= 2],
    ["the hello", (kind) => kind === "hello"],
    ["the first upload", (kind) => kind === "upload"],
    ["the first page of a list", (kind) => kind === "list"],
    ["the first block", (kind) => kind === "fetch"],
  ];
  // The program is ended after 20 s, and then it has no exit status 0.
  test.each(BEGINS)("a server that drips from %s on", async (_, begins) => {
    between.changed = (server) => new DrippingConn(server, Bun.sleep, begins);
    await client.getAll();
    await client.list();
    expect(await client.status()).toMatchObject({ unreadable: 0 });
    await client.putAll();
  });

  test.each([LIST_PAGE, 1])("a server whose names have no end, %i on a page", async (page) => {
    const liar = new EndlessLiar({ page, isWhole: true });
    between.changed = (server) => new LyingConn(server, liar);
    await client.list();
    expect(await client.status()).toMatchObject({ unreadable: 0, files: NAMES.length });
  });
});
