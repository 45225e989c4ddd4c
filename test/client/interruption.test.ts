/** Work that is aborted: at whatever message, it ends at once, leaves nothing behind, and the next work goes on. */
import { inMemory } from "../../src/client/send/source.ts";
import { named } from "../harness/named.ts";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { orInterrupted } from "../../src/client/connect/living/interruption.ts";
import { pause } from "../../src/client/connect/pause.ts";
import { Window } from "../../src/client/connect/window.ts";
import { remove } from "../../src/client/files/remove.ts";
import {
  CHUNK_BYTES,
  CHUNKS_IN_FLIGHT,
  PROGRESS_MS,
  UPLOADS_PER_CONNECTION,
} from "../../src/limits.ts";
import { contentOf } from "../sim/contents.ts";
import { LivingStage } from "./living_stage.ts";

setDefaultTimeout(60_000);

const LARGE = 600_000;

/** What comes of this work, whose signal is aborted as its message `at` is sent: it ends at once. */
function abortedAt(
  stage: LivingStage,
  at: number,
  work: (cluster: Cluster) => Promise<unknown>,
): string {
  const controller = new AbortController();
  let left = at;
  let aborted = Infinity;
  stage.onWrite = () => {
    if (left-- !== 0) return;
    controller.abort();
    aborted = stage.world.now;
  };
  const outcome = stage.world.finish(
    work(stage.cluster.during(controller.signal)).then(
      () => "done",
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    ),
  );
  stage.onWrite = () => {};
  expect(stage.world.now - aborted).toBeLessThan(1);
  return outcome;
}

/** The temporary files of all servers. */
const temporary = (stage: LivingStage): string[] =>
  [0, 1, 2].flatMap((slot) => stage.temporaryFiles(slot));

describe.each(["pairs", "rs:2+1"])("%s: aborted at each of its messages", (layout) => {
  const works: [string, (stage: LivingStage, cluster: Cluster) => Promise<unknown>][] = [
    ["a small put", (stage, cluster) => stage.put("a", 2, 1000, cluster, layout)],
    ["a large put", (stage, cluster) => stage.put("a", 2, LARGE, cluster, layout)],
    ["a get", (stage, cluster) => stage.get("large", cluster)],
    ["a list", (stage, cluster) => stage.names(cluster)],
    ["a removal", (_, cluster) => remove(cluster, named("a"))],
  ];
  test.each(works)("%s", (what, work) => {
    const stage = new LivingStage(3);
    const begin = (): void => {
      stage.world.finish(stage.put("a", 1, 1000));
    };
    stage.world.finish(stage.put("large", 7, LARGE, stage.cluster, layout));
    begin();
    for (let at = 0, outcome = "interrupted"; outcome !== "done"; at++) {
      begin();
      outcome = abortedAt(stage, at, (cluster) => work(stage, cluster));
      expect(["interrupted", "done"]).toContain(outcome);
      // Whatever it was, it happened or it did not.
      stage.world.pass(1000);
      expect(temporary(stage)).toEqual([]);
      const names = stage.world.finish(stage.names());
      if (what !== "a removal") expect(names).toEqual(["a", "large"]);
      if (names.includes("a")) {
        const data = Buffer.from(stage.world.finish(stage.get("a")));
        const might = [contentOf(1, 1000), contentOf(2, 1000), contentOf(2, LARGE)];
        expect(might.some((content) => data.equals(content))).toBe(true);
      }
    }
    // A request that waits for ever would have the server count as down.
    stage.world.finish(stage.put("b", 3, 20 * CHUNK_BYTES, stage.cluster, layout));
    stage.world.pass(2 * PROGRESS_MS);
    expect(stage.cluster.live).toEqual([0, 1, 2]);
    expect(stage.connections).toBe(3);
    expect(stage.warnings).toEqual([]);
  });
});

test("of many puts that were aborted no server keeps anything, and the next put works", () => {
  const stage = new LivingStage(3);
  for (let i = 0; i < UPLOADS_PER_CONNECTION / 2 + 10; i++)
    expect(abortedAt(stage, 1, (cluster) => stage.put("a", i, LARGE, cluster))).toBe("interrupted");
  stage.world.finish(stage.put("a", 1, LARGE));
  stage.world.pass(1000);
  expect(temporary(stage)).toEqual([]);
  expect(stage.world.finish(stage.get("a"))).toEqual(contentOf(1, LARGE));
});

test("of a put whose source fails no server keeps anything", () => {
  const stage = new LivingStage(3);
  const source = inMemory(contentOf(1, 10 * CHUNK_BYTES));
  const failing = {
    ...source,
    read: async (into: Uint8Array, offset: number) => {
      if (offset > 2 * CHUNK_BYTES) throw new Error("the pipe broke");
      await source.read(into, offset);
    },
  };
  expect(() => stage.world.finish(stage.putSource("a", failing))).toThrow("the pipe broke");
  stage.world.pass(1000);
  expect(temporary(stage)).toEqual([]);
});

test("a server that stands still keeps nobody from ending", () => {
  for (const layout of ["pairs", "rs:2+1"]) {
    const stage = new LivingStage(3);
    const { machine } = stage.server(1);
    if (machine) stage.world.freeze(machine);
    const controller = new AbortController();
    const putting = stage.put(
      "a",
      1,
      40 * CHUNK_BYTES,
      stage.cluster.during(controller.signal),
      layout,
    );
    const ended = putting.catch((error: unknown) => (error as { code: string }).code);
    stage.world.pass(500);
    controller.abort();
    const begun = stage.world.now;
    expect(stage.world.finish(ended)).toBe("interrupted");
    expect(stage.world.now - begun).toBeLessThan(10);
    if (machine) stage.world.thaw(machine);
    stage.world.pass(1000);
    expect(temporary(stage)).toEqual([]);
    stage.world.finish(stage.put("a", 2, 40 * CHUNK_BYTES, stage.cluster, layout));
  }
});

test("what was aborted before it began asks nobody", () => {
  const stage = new LivingStage(3);
  const cluster = stage.cluster.during(AbortSignal.abort());
  const { sent } = stage.cluster.traffic;
  const works: Promise<unknown>[] = [stage.put("a", 1, 10, cluster), stage.get("a", cluster)];
  for (const work of [...works, stage.names(cluster)])
    expect(() => stage.world.finish(work)).toThrow("interrupted");
  expect(stage.cluster.traffic.sent).toBe(sent);
});

test("an aborted pause leaves no timer, and a signal keeps no listener", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remover = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof add>) => {
    listeners--;
    remover(...args);
  };
  expect(await orInterrupted(Promise.resolve(1), signal)).toBe(1);
  expect(orInterrupted(Promise.reject(new Error("no")), signal)).rejects.toThrow("no");
  await Bun.sleep(1);
  expect(listeners).toBe(0);
  let timers = 0;
  const clock = { after: () => (timers++, () => void timers--) };
  const waiting = pause({ ports: { clock } as never, signal }, 1000);
  expect(timers).toBe(1);
  controller.abort();
  expect(waiting).rejects.toThrow("interrupted");
  await Bun.sleep(1);
  expect(timers).toBe(0);
});

test("who is aborted while he waits for room takes none, and keeps nobody else from it", async () => {
  const window = new Window();
  const controller = new AbortController();
  const hurried = window.during(controller.signal);
  const leave = await window.enter(CHUNKS_IN_FLIGHT);
  const waiting = [hurried.take(), hurried.enter(3), hurried.enter(2)];
  const patient = window.enter(CHUNKS_IN_FLIGHT);
  // One is given room at the moment of the abort.
  const few = await Promise.all(
    waiting.map((one) => Promise.race([one, Promise.resolve("waits")])),
  );
  expect(few).toEqual(["waits", "waits", "waits"]);
  leave();
  controller.abort();
  for (const end of await Promise.allSettled(waiting)) {
    if (end.status === "rejected") continue;
    if (typeof end.value === "function") end.value();
    else window.giveBack(end.value);
  }
  (await patient)();
  (await window.enter(CHUNKS_IN_FLIGHT))();
});
