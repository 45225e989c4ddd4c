/** A client that lives on: servers that are lost are found again, and what a hiccup switched off comes on again. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { addServer } from "../../src/client/members/members.ts";
import { moveServer } from "../../src/client/members/moved.ts";
import { ASK_ALL_MS, RETRY_FIRST_MS, RETRY_MAX_MS, STRAGGLER_MS } from "../../src/limits.ts";
import { addressOf } from "../sim/cluster.ts";
import { contentOf } from "../sim/contents.ts";
import { LivingStage } from "./living_stage.ts";

setDefaultTimeout(60_000);

describe("a server that was restarted", () => {
  test("is found by the next use, and no use waits for it where it can do without", () => {
    const stage = new LivingStage(3);
    stage.stop(0);
    expect(stage.cluster.live).toEqual([1, 2]);
    stage.start(0);
    stage.world.pass(RETRY_FIRST_MS);
    stage.world.finish(stage.put("a", 1));
    stage.world.pass(10);
    expect(stage.cluster.live).toEqual([0, 1, 2]);
  });

  test("is found where nothing can be done without it", () => {
    const stage = new LivingStage(3);
    stage.world.finish(stage.put("a", 1));
    for (const slot of [0, 1, 2]) stage.stop(slot);
    for (const slot of [0, 1]) stage.start(slot);
    expect(stage.cluster.live).toEqual([]);
    expect(stage.world.finish(stage.get("a"))).toEqual(contentOf(1, 100));
    for (const slot of [0, 1]) stage.stop(slot);
    for (const slot of [0, 1]) stage.start(slot);
    expect(stage.world.finish(stage.names())).toEqual(["a"]);
    for (const slot of [0, 1]) stage.stop(slot);
    for (const slot of [0, 1]) stage.start(slot);
    stage.world.finish(stage.put("b", 2));
  });

  test("is met before it is asked anything, as at first", () => {
    const stage = new LivingStage(3);
    const before = stage.cluster.peer(0)?.standing?.now.mark;
    stage.stop(0);
    stage.start(0);
    stage.use(RETRY_MAX_MS);
    const { standing } = stage.cluster.peer(0) ?? {};
    expect(standing?.now.mark).not.toBe(before);
    // It was asked whether the life in which the client met it before was its own.
    expect([...(standing?.own ?? [])]).toContain(before as string);
  });
});

describe("a server that stays down", () => {
  test("is tried less and less often, at random moments, and never without use", () => {
    const stage = new LivingStage(3);
    stage.stop(0);
    stage.use(60_000);
    expect(stage.tried.length).toBeGreaterThan(60_000 / RETRY_MAX_MS - 1);
    expect(stage.tried.length).toBeLessThan((3 * 60_000) / RETRY_MAX_MS);
    stage.tried.length = 0;
    stage.world.pass(600_000);
    expect(stage.tried).toEqual([]);
    stage.start(0);
    stage.use(RETRY_MAX_MS);
    expect(stage.cluster.live).toEqual([0, 1, 2]);
  });

  test("keeps nobody waiting, silent or not, where it is enough without it", () => {
    const stage = new LivingStage(3);
    stage.stop(0);
    stage.silence(0, 3_600_000);
    for (let i = 0; i < 20; i++, stage.world.pass(1000)) {
      const begun = stage.world.now;
      stage.world.finish(stage.names());
      expect(stage.world.now - begun).toBeLessThan(100);
    }
  });

  test("does not count, whoever else is at its address", () => {
    const stage = new LivingStage(3);
    const sid = stage.cluster.view.config.seats[0]?.sid ?? "";
    stage.server(0).wipe();
    stage.world.pass(100);
    stage.start(0);
    const { connections } = stage;
    stage.use(30_000);
    expect(stage.cluster.live).toEqual([1, 2]);
    expect(stage.cluster.connections.latest(sid)?.isDown).toBe(true);
    // Nothing is left of the tries.
    expect(stage.connections).toBe(connections);
  });

  test("leaves no connection behind once the client is closed", () => {
    const stage = new LivingStage(3);
    stage.stop(0);
    stage.use(3000);
    stage.start(0);
    const listing = stage.names().catch(() => {});
    stage.cluster.close();
    stage.world.finish(listing);
    stage.world.pass(20_000);
    expect(stage.connections).toBe(0);
    expect(() => stage.world.finish(stage.names())).toThrow("no server answers");
    expect(stage.connections).toBe(0);
  });
});

test("a server whose connection breaks at the same question again and again is not asked for ever", () => {
  const stage = new LivingStage(2);
  stage.world.finish(stage.put("a", 1));
  // It stands still at each question after its greeting, and its connections break a moment later.
  const { world } = stage;
  let isStill = true;
  stage.onWrite = () => {
    const { machine } = stage.server(1);
    if (isStill || !machine || stage.cluster.live.length < 2) return;
    isStill = true;
    world.freeze(machine);
    world.after(700, null, "break", () => {
      stage.breakConnections(1);
      world.thaw(machine);
      isStill = false;
    });
  };
  const works: (() => Promise<unknown>)[] = [() => stage.put("a", 2), () => stage.get("a")];
  for (const work of [...works, () => stage.names()]) {
    world.pass(RETRY_MAX_MS);
    isStill = true;
    world.finish(stage.names());
    world.pass(100);
    expect(stage.cluster.live).toEqual([0, 1]);
    isStill = false;
    const begun = world.now;
    world.finish(work().catch(() => {}));
    expect(world.now - begun).toBeLessThan(30_000);
  }
});

test("a server that was put back does not count again, and does once it is itself again", () => {
  const stage = new LivingStage(3);
  const server = stage.server(0);
  stage.stop(0);
  server.backUp();
  stage.start(0);
  stage.use(RETRY_MAX_MS);
  stage.world.finish(stage.put("a", 1));
  stage.stop(0);
  server.backUp();
  const [early, late] = server.backups;
  for (const [backup, isItself] of [
    [early, false],
    [early, false],
    [late, true],
  ] as const) {
    if (server.isUp) stage.stop(0);
    if (backup) server.putBack(backup);
    stage.start(0);
    stage.use(3 * RETRY_MAX_MS);
    expect(stage.cluster.live).toEqual(isItself ? [0, 1, 2] : [1, 2]);
  }
  expect(stage.warnings.filter((line) => line.includes("was put back"))).not.toEqual([]);
});

test("a member that joins later, and one that moves, are followed", () => {
  const stage = new LivingStage(3, 1);
  stage.world.finish(addServer(stage.open(), addressOf(stage.server(3))));
  stage.world.finish(stage.names());
  expect(stage.cluster.live).toEqual([0, 1, 2, 3]);
  stage.stop(3);
  stage.server(3).port++;
  stage.start(3);
  stage.world.finish(moveServer(stage.open(), 3, addressOf(stage.server(3))));
  stage.use(RETRY_MAX_MS);
  expect(stage.cluster.live).toEqual([0, 1, 2, 3]);
});

test("few servers are asked again a while after they were asked in vain", () => {
  const stage = new LivingStage(4);
  stage.world.finish(stage.put("a", 1));
  stage.stop(0);
  stage.world.finish(stage.put("a", 2));
  stage.start(0);
  stage.world.pass(RETRY_FIRST_MS);
  for (let i = 0; i < 8 && !stage.cluster.asksAll; i++) stage.world.finish(stage.names());
  expect(stage.cluster.asksAll).toBe(true);
  stage.world.pass(ASK_ALL_MS);
  expect(stage.cluster.asksAll).toBe(false);
});

test("whenever a server dies during a put, and another after it is back, no name is incomplete", () => {
  const messages = countOf(new LivingStage(4));
  for (let at = 0; at < messages; at++) {
    const stage = new LivingStage(4);
    let left = at;
    stage.onWrite = () => void (left-- === 0 && stage.server(1).kill(false));
    stage.world.finish(stage.put("a", 1, 100_000));
    stage.onWrite = () => {};
    stage.start(1);
    stage.world.pass(RETRY_FIRST_MS);
    stage.world.finish(stage.names());
    stage.stop(2);
    expect(stage.world.finish(stage.names())).toEqual(["a"]);
    expect(stage.world.finish(stage.get("a"))).toEqual(contentOf(1, 100_000));
  }
});

test("a server that is only slow is waited for before a name is incomplete", () => {
  const stage = new LivingStage(4);
  stage.world.finish(stage.put("a", 1, 100_000));
  stage.stop(1);
  const { machine } = stage.server(2);
  if (!machine) throw new Error("it runs");
  stage.world.freeze(machine);
  stage.world.after(3 * STRAGGLER_MS, null, "thaw", () => stage.world.thaw(machine));
  expect(stage.world.finish(stage.names())).toEqual(["a"]);
});

/** How many messages such a put takes. */
function countOf(stage: LivingStage): number {
  let count = 0;
  stage.onWrite = () => void count++;
  stage.world.finish(stage.put("a", 1, 100_000));
  return count;
}
