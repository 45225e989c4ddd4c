/** First packets that are lost on their way to servers that are up: a command goes on without them where it can, and waits where it cannot. */
import { inMemory } from "../../src/client/send/source.ts";
import { describe, expect, test } from "bun:test";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { list } from "../../src/client/files/list.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { put } from "../../src/client/files/put.ts";
import { remove } from "../../src/client/files/remove.ts";
import { stat } from "../../src/client/files/stat.ts";
import { statusOf } from "../../src/client/care/status.ts";
import { asDfsError } from "../../src/errors.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { FIRST_REPLY_MS, REACH_MS, STATUS_REPLY_MS } from "../../src/limits.ts";
import { addressOf, SimCluster } from "./cluster.ts";
import { contentOf, memorySink } from "./contents.ts";
import { CALM } from "./weather.ts";
import { World } from "./world.ts";
import { named } from "../harness/named.ts";

const SEEDS = 15;
const LARGE = 300_000;
/** What a command needs for itself on this network, beside waiting. */
const WORK_MS = 1000;
const WAIT_MS = FIRST_REPLY_MS + REACH_MS;
/** Servers beside each other, so that of each file some piece lies on them alone; and opposite ones. */
const BESIDE = [1, 2];

class Stage {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly #size: number;

  /** A cluster with two files. */
  constructor(seed: number, size = 4) {
    this.#size = size;
    this.world = new World(seed);
    this.cluster = new SimCluster(this.world, size, 0, () => {});
    this.cluster.net.weather = CALM;
    for (const server of this.cluster.servers) server.start();
    this.world.pass(1000);
    for (const [name, value, bytes] of FILES)
      this.run((cluster) => put(cluster, named(name), inMemory(contentOf(value, bytes)), HOW));
  }

  /** A client of its own does this; virtual milliseconds that it took, and what came of it. */
  run<T>(work: (cluster: Cluster) => Promise<T>, patienceMs?: number): { ms: number; value: T } {
    const { ports } = this.cluster.client();
    const begun = this.world.now;
    const options = { user: "", login: null, patienceMs, warn: () => {} };
    const value = this.world.finish(
      openCluster(ports, this.cluster.addresses, options).then(async (cluster) => {
        try {
          return await work(cluster);
        } finally {
          cluster.close();
        }
      }),
    );
    return { ms: this.world.now - begun, value };
  }

  /** What this ends with that does not go well. */
  failure(work: (cluster: Cluster) => Promise<unknown>): {
    ms: number;
    code: string;
    line: string;
  } {
    const begun = this.world.now;
    try {
      this.run(work);
    } catch (error) {
      const { code, message } = asDfsError(error);
      return { ms: this.world.now - begun, code, line: message };
    }
    throw new Error("nothing was thrown");
  }

  /** For so long nothing that opens a connection to these servers comes through. */
  lose(slots: readonly number[], ms: number): void {
    for (const slot of slots) this.cluster.net.loseFirst(`dfs${slot + 1}`, ms);
  }

  get all(): number[] {
    return Array.from({ length: this.#size }, (_, slot) => slot);
  }

  /** Those addresses refuse from now on. */
  kill(slots: readonly number[]): void {
    for (const slot of slots) this.cluster.servers[slot]?.kill(false);
  }
}

const FILES = [
  ["small", 1, 50],
  ["large", 2, LARGE],
] as const;
const HOW = { layout: layoutOf("pairs"), placement: "name" } as const;

const getAll = async (cluster: Cluster): Promise<unknown> => {
  for (const [name, value, bytes] of FILES) {
    const sink = memorySink(true);
    await get(cluster, named(name), sink, {});
    expect(Buffer.compare(sink.data, contentOf(value, bytes))).toBe(0);
  }
  return null;
};
const putAll = async (cluster: Cluster): Promise<unknown> => {
  for (const [name, value, bytes] of FILES)
    await put(cluster, named(name), inMemory(contentOf(value, bytes)), HOW);
  return null;
};
const names = (cluster: Cluster): Promise<string[]> =>
  Array.fromAsync(list(cluster, ""), (one) => one.name + (one.isIncomplete ? "!" : ""));

const WORKS: ((cluster: Cluster) => Promise<unknown>)[] = [putAll, getAll, names];

describe("the first packets to two of four servers are lost", () => {
  test.each([250, 1000, 1900])("for %i ms: all goes well", (ms) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const stage = new Stage(seed);
      const lose = (): void => stage.lose(BESIDE, ms);
      const works: ((cluster: Cluster) => Promise<unknown>)[] = [
        putAll,
        getAll,
        async (cluster) => expect(await names(cluster)).toEqual(["large", "small"]),
        async (cluster) =>
          expect(await stat(cluster, named("large"))).toMatchObject({ isIncomplete: false }),
        async (cluster) =>
          expect(["HEALTHY", "DEGRADED"]).toContain((await statusOf(cluster)).word),
        (cluster) => remove(cluster, named("small")),
      ];
      for (const work of works) {
        lose();
        expect(stage.run(work).ms).toBeLessThan(WAIT_MS + WORK_MS);
      }
    }
  });

  test("a status is asked for with less patience at first, and goes well too", () => {
    const stage = new Stage(1);
    stage.lose(BESIDE, 900);
    const { value } = stage.run(statusOf, STATUS_REPLY_MS);
    expect(value).toMatchObject({ unreadable: 0, word: expect.stringMatching(/HEALTHY|DEGRADED/) });
    stage.lose(stage.all, 900);
    expect(stage.run(statusOf, STATUS_REPLY_MS).value.unreadable).toBe(0);
  });
});

test.each([1, 2, 3, 5])(
  "the first packets to all of %i servers are lost, and all goes well",
  (size) => {
    const stage = new Stage(1, size);
    for (const work of [putAll, getAll]) {
      stage.lose(stage.all, 900);
      stage.run(work);
    }
  },
);

describe("what a server costs", () => {
  test("that refuses: nothing; that is silent where the others are enough: a second", () => {
    const stage = new Stage(1);
    stage.lose([1], Infinity);
    for (const work of WORKS) {
      const { ms } = stage.run(work);
      expect(ms).toBeGreaterThanOrEqual(FIRST_REPLY_MS);
      expect(ms).toBeLessThan(FIRST_REPLY_MS + WORK_MS);
    }
    stage.lose([1], 0);
    stage.kill([1]);
    for (const work of WORKS) expect(stage.run(work).ms).toBeLessThan(FIRST_REPLY_MS);
  });

  test("two that refuse cost nothing either where that fails a command", () => {
    const stage = new Stage(1);
    stage.kill(BESIDE);
    const failed = stage.failure(getAll);
    expect(failed).toMatchObject({ code: "incomplete" });
    expect(failed.ms).toBeLessThan(FIRST_REPLY_MS);
    expect(stage.failure(putAll)).toMatchObject({ code: "putFailed" });
  });

  test("two that are silent for good: some seconds, and then it is said who they are", () => {
    const stage = new Stage(1);
    stage.lose(BESIDE, Infinity);
    const got = stage.failure(getAll);
    expect(got).toMatchObject({ code: "incomplete", line: expect.stringContaining(SILENT) });
    expect(got.ms).toBeGreaterThanOrEqual(WAIT_MS);
    expect(got.ms).toBeLessThan(WAIT_MS + WORK_MS);
    const done = stage.failure(putAll);
    expect(done).toMatchObject({ code: "putFailed", line: expect.stringContaining(SILENT) });
    expect(done.ms).toBeLessThan(WAIT_MS + WORK_MS);
    expect(stage.run(names).value).toEqual(["large!", "small!"]);
    expect(stage.run(statusOf).value).toMatchObject({ word: "DATA MISSING", unreadable: 2 });
  });

  test("they are waited for once in a command, however much it does", () => {
    const stage = new Stage(1);
    stage.lose(BESIDE, Infinity);
    const { ms } = stage.run(async (cluster) => {
      for (let i = 0; i < 20; i++)
        await get(cluster, named("large"), memorySink(true), {}).catch(() => {});
    });
    expect(ms).toBeLessThan(WAIT_MS + WORK_MS);
  });

  test("three that are silent: too few, of a name that is known too", () => {
    const stage = new Stage(1);
    stage.lose([1, 2, 3], Infinity);
    expect(stage.failure(getAll)).toMatchObject({ code: "tooFew" });
    expect(stage.run(statusOf).value.word).toBe("TOO FEW SERVERS");
  });
});

describe("servers are far away", () => {
  /** Each way; the first answer takes twice four times as long. */
  const far = (seed: number, ms: number): Stage => {
    const stage = new Stage(seed);
    stage.cluster.net.weather = { ...CALM, nearMs: ms, farMs: ms };
    stage.cluster.net.forgetLatencies();
    return stage;
  };

  test.each([300, 400, 550])("%i ms each way: what is asked is answered", (ms) => {
    const stage = far(1, ms);
    for (const work of WORKS) stage.run(work);
    expect(stage.run(statusOf, STATUS_REPLY_MS).value.unreadable).toBe(0);
  });

  test("and with the patience for it nobody is thought to be down", () => {
    const stage = far(1, 700);
    const { value } = stage.run((cluster) => statusOf(cluster), 5000);
    expect(value.servers.filter(({ health }) => health === null)).toEqual([]);
    expect(stage.run(async ({ live }) => live, 5000).value).toHaveLength(4);
  });
});

test("servers whose packets are lost are there when a cluster is made", () => {
  const world = new World(1);
  const cluster = new SimCluster(world, 4, 0, () => {});
  cluster.net.weather = CALM;
  for (const server of cluster.servers) server.start();
  world.pass(1000);
  for (const { name } of cluster.servers.slice(1, 3).map(addressOf))
    cluster.net.loseFirst(name, 900);
  const options = { user: "", login: null, warn: () => {} };
  const opened = world.finish(openCluster(cluster.client().ports, cluster.addresses, options));
  expect(opened.live.length).toBeGreaterThanOrEqual(3);
});

const SILENT = "dfs2, dfs3 do not answer";
