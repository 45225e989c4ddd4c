/** A server whose names, or users, have no end: what the others say is told, and comes to its end. */
import { inMemory } from "../../src/client/send/source.ts";
import { describe, expect, test } from "bun:test";
import { openerOf } from "../harness/secret.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { entriesIn, list } from "../../src/client/files/list.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { put } from "../../src/client/files/put.ts";
import { spacesIn } from "../../src/client/files/spaces.ts";
import { statusOf } from "../../src/client/care/status.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { LIST_PAGE } from "../../src/limits.ts";
import { SimCluster } from "./cluster.ts";
import { contentOf } from "./contents.ts";
import { EndlessLiar, type Lies } from "./endless_liar.ts";
import { textOf } from "./levels.ts";
import { LyingConn } from "./lying_conn.ts";
import { memory } from "./sealing.ts";
import { CALM } from "./weather.ts";
import { World } from "./world.ts";
import { named } from "../harness/named.ts";

const NAMES = ["a", "b", "x", "y"];
const LIAR = "dfs3";
const SECRET = new Uint8Array(32).fill(7);
const MINUTE = 60_000;

class Stage {
  readonly world = new World(1);
  readonly cluster: SimCluster;
  readonly liar: EndlessLiar;
  readonly said: string[] = [];
  readonly #memory = memory();
  readonly #isSealed: boolean;

  constructor(lies: Lies, isSealed: boolean) {
    this.liar = new EndlessLiar(lies);
    this.#isSealed = isSealed;
    this.cluster = new SimCluster(this.world, 4, 0, () => {});
    this.cluster.net.weather = CALM;
    for (const server of this.cluster.servers) server.start();
    this.world.pass(1000);
    this.run(async (cluster) => {
      for (const [i, name] of NAMES.entries()) {
        const how = { layout: layoutOf("pairs"), placement: "name" } as const;
        await put(cluster, named(name), inMemory(contentOf(i, 50)), how);
      }
    }, false);
  }

  /** What a client of its own finds out. */
  run<T>(work: (cluster: Cluster) => Promise<T>, isLiedTo = true): T {
    const { ports } = this.cluster.client();
    const net: typeof ports.net = {
      ...ports.net,
      connect: async (host, port, ms, secure) => {
        const conn = await ports.net.connect(host, port, ms, secure);
        return isLiedTo && host === LIAR ? new LyingConn(conn, this.liar) : conn;
      },
    };
    const options = { user: "", login: null, warn: (line: string) => void this.said.push(line) };
    const opening = openCluster({ ...ports, net }, this.cluster.addresses, options);
    return this.world.finish(
      opening.then(async (cluster) =>
        work(this.#isSealed ? await unlock(cluster, openerOf(SECRET), this.#memory) : cluster),
      ),
      20_000_000,
    );
  }

  stop(slot: number): void {
    this.cluster.servers[slot]?.kill(false);
  }
}

const honestNames = async (cluster: Cluster): Promise<string[]> => {
  const names: string[] = [];
  for await (const { name } of list(cluster, "")) if (!name.startsWith("m")) names.push(name);
  return names;
};

const KINDS: [string, Lies][] = [
  ["full pages", { page: LIST_PAGE, isWhole: false }],
  ["full pages of files that it says it has", { page: LIST_PAGE, isWhole: true }],
  ["pages of one name", { page: 1, isWhole: false }],
];

describe.each(KINDS)("%s without end", (_, lies) => {
  test.each([false, true])("end, for who has keys: %p", (isSealed) => {
    const stage = new Stage(lies, isSealed);
    expect(stage.run(honestNames)).toEqual(NAMES);
    expect(stage.said.join("\n")).toContain(`${LIAR} tells of ever more names`);
    expect(stage.liar.pages).toBeLessThan(250);
  });
});

describe("folders without end, of a liar that", () => {
  test.each([
    ["has accepted names in them", false, false],
    ["has files in them", true, false],
    ["has files in them, for who has keys", true, true],
  ])("%s, end", (_, isWhole, isSealed) => {
    const stage = new Stage({ page: LIST_PAGE, isWhole, end: "/x" }, isSealed);
    const level = stage.run(async (cluster) => {
      const all = await Array.fromAsync(entriesIn(cluster, { delimiter: "/" }), textOf);
      return all.filter((text) => !text.startsWith("m"));
    });
    expect(level).toEqual(NAMES);
    expect(stage.said.join("\n")).toContain(`${LIAR} tells of ever more names`);
    // It was asked for pages of the level, and never what lies in a folder that it made up.
    expect(stage.liar.pages).toBeLessThan(50);
  });
});

test("one page with two names of a folder is no page", () => {
  const stage = new Stage({ page: 2, isWhole: false, begin: "m/" }, false);
  expect(
    stage.run((cluster) => Array.fromAsync(entriesIn(cluster, { delimiter: "/" }), textOf)),
  ).toEqual(NAMES);
  expect(stage.said).toEqual([]);
  expect(stage.liar.pages).toBeLessThan(10);
});

test("a status comes to its end too, and does not count on such a server", () => {
  const stage = new Stage({ page: LIST_PAGE, isWhole: false }, false);
  const { files, unreadable, servers } = stage.run(statusOf);
  expect({ files, unreadable }).toEqual({ files: NAMES.length, unreadable: 0 });
  expect(servers.filter(({ health }) => health === null).map(({ name }) => name)).toEqual([LIAR]);
});

test("users without end come to an end", () => {
  const stage = new Stage({ page: LIST_PAGE, isWhole: false }, false);
  const spaces = stage.run((cluster) => spacesIn(cluster));
  expect(spaces.length).toBeGreaterThan(0);
  expect(stage.said.join("\n")).toContain(`${LIAR} tells of ever more names`);
});

test(
  "where so few answer that it cannot be done without, the names end all the same",
  () => {
    const stage = new Stage({ page: LIST_PAGE, isWhole: false }, true);
    for (const slot of [0, 1]) stage.stop(slot);
    expect(stage.run(honestNames)).toEqual(NAMES);
  },
  5 * MINUTE,
);
