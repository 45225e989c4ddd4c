/**
 * One client that lives on while every server is killed and started again, in turn, again and again:
 * no operation fails, for each has its quorum; memory stays flat, and no descriptor is left.
 * ACCEPTANCE=full does 10,000 operations, and restarts each server 20 times.
 */
import { inMemory } from "../../src/client/send/source.ts";
import { named } from "../harness/named.ts";
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { list } from "../../src/client/files/list.ts";
import { put } from "../../src/client/files/put.ts";
import { remove } from "../../src/client/files/remove.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { KIB, MIB } from "../../src/limits.ts";
import { Stage } from "../harness/stage.ts";
import { without } from "./in_process.ts";

setDefaultTimeout(1_800_000);

const IS_FULL = process.env.ACCEPTANCE === "full";
const OPERATIONS = IS_FULL ? 10_000 : 500;
const RESTARTS = IS_FULL ? 20 : 1;
const WORKERS = 6;
const NAMES = 10;
const FOUND_AGAIN_MS = 20_000;
const GROWTH_BYTES = 64 * MIB;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open(4);
});
afterAll(() => stage.close());

const openFiles = (): number => readdirSync("/proc/self/fd").length;

function memory(): number {
  Bun.gc(true);
  return process.memoryUsage().rss;
}

/** Each name belongs to one worker, which knows what lies there. */
class Worker {
  readonly #cluster: Cluster;
  readonly #folder: string;
  readonly #there = new Map<string, Buffer>();
  #done = 0;

  constructor(cluster: Cluster, number: number) {
    this.#cluster = cluster;
    this.#folder = `${number}/`;
  }

  /** One operation after another, of all kinds. */
  async work(): Promise<void> {
    const turn = this.#done++;
    const name = `${this.#folder}${turn % NAMES}`;
    const kind = Math.floor(turn / NAMES) % 5;
    if (kind === 0 || kind === 2) await this.#put(name, turn);
    else if (kind === 4 && turn % 2 === 0 && this.#there.has(name)) await this.#remove(name);
    else if (kind === 4) await this.#list();
    else if (this.#there.has(name)) await this.#get(name);
  }

  async #put(name: string, turn: number): Promise<void> {
    const bytes = [40, 3 * KIB, 70 * KIB, 600 * KIB][turn % 4] ?? 0;
    const data = Buffer.alloc(bytes, `${name} ${turn} `);
    const layout = layoutOf(turn % 3 === 0 ? "rs:2+2" : "pairs");
    await put(this.#cluster, named(name), inMemory(data), { layout, placement: "name" });
    this.#there.set(name, data);
  }

  async #get(name: string): Promise<void> {
    let data = Buffer.alloc(0);
    const open = async ({ bytes }: { bytes: number }) => void (data = Buffer.alloc(bytes));
    const write = async (part: Uint8Array, offset: number) => void data.set(part, offset);
    await get(this.#cluster, named(name), { inOrder: false, open, write }, {});
    expect(Buffer.compare(data, this.#there.get(name) ?? Buffer.alloc(0))).toBe(0);
  }

  async #remove(name: string): Promise<void> {
    await remove(this.#cluster, named(name));
    this.#there.delete(name);
  }

  async #list(): Promise<void> {
    const listed = await Array.fromAsync(list(this.#cluster, this.#folder));
    expect(listed.filter(({ isIncomplete }) => isIncomplete)).toEqual([]);
    expect(listed.map(({ name }) => name)).toEqual([...this.#there.keys()].toSorted());
  }
}

test("each server is restarted in turn under one client, and no operation fails", async () => {
  const filesBefore = openFiles();
  const report = { operations: 0, restarts: 0, rss: [] as number[], slowestMs: 0 };
  await without(stage, [], async (cluster) => {
    const all = Array.from({ length: WORKERS }, (_, i) => new Worker(cluster, i));
    let isOver = false;
    const restart = async (): Promise<void> => {
      for (let round = 0; round < RESTARTS; round++)
        for (const [slot, server] of stage.servers.entries()) {
          await server.kill();
          await Bun.sleep(100 + 300 * (round % 4));
          await server.start();
          const until = performance.now() + FOUND_AGAIN_MS;
          while (!cluster.live.includes(slot) && performance.now() < until) await Bun.sleep(20);
          expect(cluster.live).toContain(slot);
          report.restarts++;
        }
      isOver = true;
    };
    const begin = memory();
    const work = async (worker: Worker): Promise<void> => {
      while (report.operations < OPERATIONS || !isOver) {
        const begun = performance.now();
        await worker.work();
        report.slowestMs = Math.max(report.slowestMs, performance.now() - begun);
        report.operations++;
        if (report.operations % (OPERATIONS / 10) === 0) report.rss.push(memory());
      }
    };
    await Promise.all([restart(), ...all.map(work)]);
    expect(openFiles()).toBeLessThanOrEqual(filesBefore + stage.servers.length + 4);
    if (IS_FULL)
      console.log({ ...report, rss: [begin, ...report.rss].map((n) => Math.round(n / MIB)) });
  });
  expect(report.operations).toBeGreaterThanOrEqual(OPERATIONS);
  // The first tenth warms up.
  const [warm = 0] = report.rss;
  expect((report.rss.at(-1) ?? 0) - warm).toBeLessThan(GROWTH_BYTES);
  await Bun.sleep(500);
  expect(openFiles()).toBeLessThanOrEqual(filesBefore);
});
