/** Whom a get and a list ask: few servers where they can tell, all where they cannot. */
import { inMemory } from "../../src/client/send/source.ts";
import { expect, test } from "bun:test";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { list } from "../../src/client/files/list.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { put } from "../../src/client/files/put.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { SimCluster, type SimServer } from "./cluster.ts";
import { contentOf, memorySink } from "./contents.ts";
import { World } from "./world.ts";
import { named } from "../harness/named.ts";

const SEED = 1;
const SMALL = 3000;
const LARGE = 300_000;

class Stage {
  readonly world = new World(SEED);
  readonly cluster = new SimCluster(this.world, 4, 0, () => {});
  /** The machine of the client that was opened last. */
  client = "";

  constructor() {
    const { net } = this.cluster;
    net.weather = { ...net.weather, lostChance: 0 };
    for (const server of this.cluster.servers) this.start(server);
  }

  start(server: SimServer | undefined): void {
    server?.start();
    this.world.pass(1000);
  }

  stop({ machine }: SimServer): void {
    if (machine) this.world.kill(machine);
  }

  server(at: number): SimServer {
    return this.cluster.servers[at] as SimServer;
  }

  open(): Cluster {
    const options = { user: "", login: null, warn: () => {} };
    const { machine, ports } = this.cluster.client();
    this.client = machine.name;
    return this.world.finish(openCluster(ports, this.cluster.addresses, options));
  }

  put(name: string, data: Uint8Array, layout = "pairs"): void {
    const cluster = this.open();
    const options = { layout: layoutOf(layout), placement: "name" } as const;
    this.world.finish(put(cluster, named(name), inMemory(data), options));
    cluster.close();
  }

  /** Gets a file, which must be this one; the slots of the servers that were asked. */
  asked(cluster: Cluster, name: string, data: Uint8Array): number[] {
    const sink = memorySink(true);
    const slots = this.slotsAsked(cluster, () => get(cluster, named(name), sink, {}));
    expect(Buffer.compare(sink.data, data)).toBe(0);
    return slots;
  }

  slotsAsked(cluster: Cluster, work: () => Promise<unknown>): number[] {
    const sent = () => cluster.view.members.map((slot) => cluster.peer(slot)?.traffic.sent ?? 0);
    const before = sent();
    this.world.finish(work());
    return sent().flatMap((bytes, slot) => (bytes > (before[slot] ?? 0) ? [slot] : []));
  }

  names(cluster: Cluster): Promise<string[]> {
    return Array.fromAsync(list(cluster, ""), ({ name, isIncomplete }) =>
      isIncomplete ? `${name} [incomplete]` : name,
    );
  }
}

test("a get of a small file asks two of four, those that have all its pieces between them", () => {
  const stage = new Stage();
  for (const layout of ["pairs", "rs:2+2"])
    for (let i = 0; i < 8; i++) {
      const data = contentOf(i, SMALL);
      stage.put(`${layout} ${i}`, data, layout);
      const cluster = stage.open();
      expect(stage.asked(cluster, `${layout} ${i}`, data)).toHaveLength(2);
      expect(cluster.asksAll).toBe(false);
    }
});

test("where one is away it asks two of the others", () => {
  const stage = new Stage();
  const data = contentOf(1, SMALL);
  stage.put("a", data);
  for (const server of stage.cluster.servers) {
    stage.stop(server);
    expect(stage.asked(stage.open(), "a", data)).toHaveLength(2);
    stage.start(server);
  }
});

test("of a large file it asks all, and of a small one after it few again", () => {
  const stage = new Stage();
  const [large, small] = [contentOf(1, LARGE), contentOf(2, SMALL)];
  stage.put("large", large);
  stage.put("small", small);
  const cluster = stage.open();
  expect(stage.asked(cluster, "large", large)).toHaveLength(4);
  expect(stage.asked(cluster, "small", small)).toHaveLength(2);
});

test("where three pieces are needed, or a server does not know what is current, all are asked from then on", () => {
  const stage = new Stage();
  const [old, now] = [contentOf(1, SMALL), contentOf(2, SMALL)];
  for (const name of ["a", "b", "c", "d"]) stage.put(name, old);
  stage.stop(stage.server(0));
  stage.put("a", now);
  stage.start(stage.server(0));
  stage.put("wide", now, "rs:3+1");
  for (const name of ["a", "wide"]) {
    const cluster = stage.open();
    stage.asked(cluster, name, now);
    if (name === "wide") expect(stage.asked(cluster, "b", old)).toHaveLength(4);
  }
  expect(stage.world.finish(stage.names(stage.open()))).toEqual(["a", "b", "c", "d", "wide"]);
});

test("a frozen server keeps the first get waiting, and no later one", () => {
  const stage = new Stage();
  const data = contentOf(1, SMALL);
  for (let i = 0; i < 8; i++) stage.put(`${i}`, data);
  const cluster = stage.open();
  stage.cluster.net.cutLink(stage.client, stage.server(1).name);
  for (let i = 0; i < 8; i++) stage.asked(cluster, `${i}`, data);
  expect(cluster.asksAll).toBe(true);
});

test("a list asks two of four, and all once they do not tell enough", () => {
  const stage = new Stage();
  const names = Array.from({ length: 30 }, (_, i) => `file ${String(i).padStart(2, "0")}`);
  for (const name of names) stage.put(name, contentOf(1, 10));
  const whole = stage.open();
  expect(stage.slotsAsked(whole, () => stage.names(whole))).toHaveLength(2);
  expect(stage.world.finish(stage.names(whole))).toEqual(names);
  // Of pairs on four servers two opposite ones may be lost, and of two neighbours each has a piece that nobody else has.
  stage.stop(stage.server(2));
  stage.stop(stage.server(3));
  const left = stage.world.finish(stage.names(stage.open()));
  expect(left).toEqual(names.map((name) => `${name} [incomplete]`));
});
