/** Servers that hang nobody: one answers a byte now and then from a question of some kind on, and one has names without end. */
import { inMemory } from "../../src/client/send/source.ts";
import { describe, expect, test } from "bun:test";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import type { ClientPorts } from "../../src/client/connect/peer.ts";
import { get } from "../../src/client/files/get.ts";
import { list } from "../../src/client/files/list.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { put } from "../../src/client/files/put.ts";
import { repairAll } from "../../src/client/care/repair.ts";
import { statusOf } from "../../src/client/care/status.ts";
import { verifyAll } from "../../src/client/care/verify.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { PROGRESS_MS } from "../../src/limits.ts";
import type { Kind } from "../../src/wire/messages.ts";
import { SimCluster } from "./cluster.ts";
import { contentOf, memorySink } from "./contents.ts";
import { drippingNet } from "./dripping_conn.ts";
import { CALM } from "./weather.ts";
import { World } from "./world.ts";
import { named } from "../harness/named.ts";

/** Until nothing is expected of such a server any more, and some time for the work with the others. */
const MOST_MS = PROGRESS_MS + 5000;
const LARGE = 1_000_000;
const DRIPPER = "dfs2";

class Stage {
  readonly world = new World(1);
  readonly cluster: SimCluster;

  constructor(size = 4) {
    this.cluster = new SimCluster(this.world, size, 0, () => {});
    this.cluster.net.weather = CALM;
    for (const server of this.cluster.servers) server.start();
    this.world.pass(1000);
  }

  /** As it is for a client of which one server drips from a question of this kind on. */
  drippingNet({ net }: ClientPorts, kind: Kind): ClientPorts["net"] {
    const sleep = (ms: number): Promise<void> => this.world.sleep(ms);
    return drippingNet(
      net,
      sleep,
      (asked) => asked === kind,
      (host) => host === DRIPPER,
    );
  }

  /** Virtual milliseconds that a client of its own needs for this. */
  run(
    work: (cluster: Cluster) => Promise<unknown>,
    netOf: (ports: ClientPorts) => ClientPorts["net"] = ({ net }) => net,
  ): number {
    const { ports } = this.cluster.client();
    const begun = this.world.now;
    const options = { user: "", login: null, warn: () => {} };
    const opening = openCluster({ ...ports, net: netOf(ports) }, this.cluster.addresses, options);
    this.world.finish(
      opening.then(async (cluster) => {
        await work(cluster);
        cluster.close();
      }),
    );
    return this.world.now - begun;
  }
}

const putBoth = async (cluster: Cluster): Promise<void> => {
  const how = { layout: layoutOf("pairs"), placement: "name" } as const;
  await put(cluster, named("small"), inMemory(contentOf(1, 50)), how);
  await put(cluster, named("large"), inMemory(contentOf(2, LARGE)), how);
};
const getBoth = async (cluster: Cluster): Promise<void> => {
  for (const [name, content] of [
    ["small", contentOf(1, 50)],
    ["large", contentOf(2, LARGE)],
  ] as const) {
    const sink = memorySink(true);
    await get(cluster, named(name), sink, {});
    expect(Buffer.compare(sink.data, content)).toBe(0);
  }
};
const listAll = async (cluster: Cluster): Promise<void> => {
  const all = await Array.fromAsync(list(cluster, ""));
  expect(all.map(({ name, isIncomplete }) => [name, isIncomplete])).toEqual([
    ["large", false],
    ["small", false],
  ]);
};
const tellStatus = async (cluster: Cluster): Promise<void> => {
  expect(await statusOf(cluster)).toMatchObject({ unreadable: 0, files: 2 });
};
const verify = async (cluster: Cluster): Promise<void> => {
  for await (const { isReadable } of verifyAll(cluster, null, { sample: 1 }))
    expect(isReadable).toBe(true);
};
const repair = async (cluster: Cluster): Promise<void> => {
  for await (const _ of repairAll(cluster, "", { dryRun: false, orphanAge: 0 })) void _;
};

const soon = (ms: number): string => (ms < MOST_MS ? "in time" : `${ms} ms`);

const KINDS: Kind[] = [
  "hello",
  "read",
  "upload",
  "prepare",
  "accept",
  "commit",
  "list",
  "fetch",
  "sums",
  "verify",
  "status",
  "spaces",
];

describe("a server that drips hangs nobody", () => {
  test.each(KINDS)("from %s on", (kind) => {
    const stage = new Stage();
    stage.run(putBoth);
    const net = (ports: ClientPorts) => stage.drippingNet(ports, kind);
    for (const work of [putBoth, getBoth, listAll, tellStatus, verify, repair])
      expect(`${work.name}: ${soon(stage.run(work, net))}`).toBe(`${work.name}: in time`);
  });

  test("nor does it where it takes both of two, as its greeting is given up", () => {
    const stage = new Stage(2);
    stage.run(putBoth);
    const net = (ports: ClientPorts) => stage.drippingNet(ports, "hello");
    expect(stage.run(getBoth, net)).toBeLessThan(MOST_MS);
  });
});
