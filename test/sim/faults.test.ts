/**
 * The simulated network's faults: what a workload does to it, and what the machines see of that.
 */
import { describe, expect, test } from "bun:test";
import { DfsError, isDfsError } from "../../src/errors.ts";
import type { Conn } from "../../src/io/ports.ts";
import type { Machine } from "./machine.ts";
import { SimNet } from "./net.ts";
import { CALM, type Weather } from "./weather.ts";
import { World } from "./world.ts";

interface Scene {
  readonly world: World;
  readonly net: SimNet;
  readonly server: Machine;
  readonly client: Machine;
  /** What the server's end of the first connection became. */
  readonly accepted: () => Conn | null;
}

function scene(seed: number, weather?: Weather): Scene {
  const world = new World(seed);
  const net = new SimNet(world, weather);
  const [server, client] = [world.machine("server"), world.machine("client")];
  let accepted: Conn | null = null;
  world.finish(net.of(server).listen("", 1, (conn) => (accepted ??= conn), null));
  return { world, net, server, client, accepted: () => accepted };
}

const connect = ({ net, client }: Scene, ms = 20_000): Promise<Conn> =>
  net.of(client).connect("server", 1, ms, false);

/** Reads to the end. */
async function drain(conn: Conn, reads: Uint8Array[]): Promise<void> {
  for (let bytes = await conn.read(); bytes; bytes = await conn.read()) reads.push(bytes);
}

/** How a promise stands: null while it has not settled. */
function watch(promise: Promise<unknown>): { outcome: "done" | DfsError | null } {
  const watched: { outcome: "done" | DfsError | null } = { outcome: null };
  promise.then(
    () => (watched.outcome = "done"),
    (error: unknown) => (watched.outcome = isDfsError(error) ? error : null),
  );
  return watched;
}

/** Counts up, byte by byte, so that any gap or repetition shows. */
const counting = (from: number, n: number): Uint8Array =>
  Uint8Array.from({ length: n }, (_, i) => (from + i) % 251);

describe("whatever happens", () => {
  const faults = [
    "none",
    "cut",
    "cut and heal",
    "break",
    "kill",
    "close",
    "freeze and thaw",
  ] as const;

  for (const fault of faults) {
    test(`what is read is a prefix of what was sent, and both ends learn of an end: ${fault}`, () => {
      let whole = 0;
      for (let seed = 1; seed <= 60; seed++) {
        const s = scene(seed);
        const { world, net, server, client } = s;
        const conn = world.finish(connect(s));
        world.run(() => s.accepted() !== null);
        const reads: Uint8Array[] = [];
        const reading = watch(drain(s.accepted()!, reads));
        let sent = 0;
        const writing = watch(
          (async () => {
            for (let i = 0; i < 40; i++) {
              const bytes = counting(sent, 700);
              await conn.write(bytes.subarray(0, 300), bytes.subarray(300));
              sent += bytes.length;
              await world.sleep(world.rng.int(20));
            }
            conn.close();
          })(),
        );
        world.pass(world.rng.int(500));
        if (fault === "cut" || fault === "cut and heal") net.cutLink("client", "server");
        if (fault === "break") net.breakConnections("server");
        if (fault === "kill") world.kill(client);
        if (fault === "close") s.accepted()!.close();
        if (fault === "freeze and thaw") world.freeze(server);
        world.pass(world.rng.int(3000));
        if (fault === "cut and heal") net.healLink("server", "client");
        if (fault === "freeze and thaw") world.thaw(server);
        world.pass(100_000);
        const got = Buffer.concat(reads);
        expect(Buffer.compare(got, counting(0, got.length))).toBe(0);
        if (got.length === 28_000) whole++;
        if (fault !== "cut" && fault !== "kill") expect(writing.outcome).not.toBeNull();
        if (fault !== "cut") {
          expect(reading.outcome).toBe("done");
          conn.close();
          s.accepted()!.close();
          world.pass(10_000);
          expect(net.connections).toBe(0);
        }
      }
      if (fault === "none" || fault === "freeze and thaw") expect(whole).toBe(60);
      else expect(whole).toBeLessThan(60);
    });
  }

  test("messages come whole, split, byte by byte and merged, all in one history or another", () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 300; seed++) {
      const s = scene(seed);
      const { world } = s;
      const conn = world.finish(connect(s));
      const sizes = [100, 50, 120];
      const writing = Promise.all(sizes.map((n) => conn.write(new Uint8Array(n))));
      world.finish(writing.then(() => world.sleep(10_000)));
      const reads: Uint8Array[] = [];
      conn.close();
      world.finish(drain(s.accepted()!, reads));
      const got = reads.map((bytes) => bytes.length);
      expect(got.reduce((sum, n) => sum + n, 0)).toBe(270);
      if (got.join() === sizes.join()) seen.add("whole");
      if (got.includes(270)) seen.add("merged");
      if (got.length > 3 && got.length < 20) seen.add("split");
      if (got.filter((n) => n === 1).length > 40) seen.add("trickle");
    }
    expect([...seen].toSorted()).toEqual(["merged", "split", "trickle", "whole"]);
  });
});

describe("partition", () => {
  test("some connections stall and go on when it heals, others break", () => {
    let stalled = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const s = scene(seed, CALM);
      const { world, net } = s;
      const conn = world.finish(connect(s));
      net.cutLink("server", "client");
      void conn.write(counting(0, 100)).catch(() => {});
      const reads: Uint8Array[] = [];
      const reading = watch(drain(s.accepted()!, reads));
      world.pass(60_000);
      expect(reads).toEqual([]);
      if (reading.outcome === "done") continue;
      stalled++;
      net.healLink("client", "server");
      world.pass(100);
      expect(Buffer.concat(reads)).toEqual(Buffer.from(counting(0, 100)));
    }
    expect(stalled).toBeWithin(8, 33);
  });

  test("a connect over it ends at its deadline, or opens if it heals before", () => {
    const s = scene(1, CALM);
    const { world, net } = s;
    net.cutLink("client", "server");
    const start = world.now;
    const late = watch(connect(s, 700));
    world.run(() => late.outcome !== null);
    expect(late.outcome).toBeInstanceOf(DfsError);
    expect(world.now - start).toBeWithin(699, 702);
    const patient = watch(connect(s, 5000));
    world.pass(1000);
    expect(patient.outcome).toBeNull();
    net.healAll();
    world.pass(1000);
    expect(patient.outcome).toBe("done");
  });

  test("does not touch other links", () => {
    const s = scene(1, CALM);
    const { world, net } = s;
    const third = world.machine("third");
    net.cutLink("client", "server");
    expect(world.finish(net.of(third).connect("server", 1, 100, false)).peer).toBe("server:1");
  });
});

describe("a connect that opens after its deadline", () => {
  test("is closed again", () => {
    const slow = { ...CALM, nearMs: 30, farMs: 30 };
    for (const ms of [20, 40, 50, 70]) {
      const s = scene(1, slow);
      const opening = watch(connect(s, ms));
      s.world.pass(1000);
      if (ms === 70) {
        expect(opening.outcome).toBe("done");
        continue;
      }
      expect(opening.outcome).toBeInstanceOf(DfsError);
      const conn = s.accepted();
      if (conn) expect(s.world.finish(conn.read())).toBeNull();
      expect(s.net.connections).toBe(0);
    }
  });
});

describe("freeze", () => {
  test("connects, mostly; answers nothing until the thaw", () => {
    let opened = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const s = scene(seed, CALM);
      const { world, server } = s;
      world.freeze(server);
      const opening = connect(s, 1000);
      const watched = watch(opening);
      world.pass(900);
      if (watched.outcome !== "done") {
        world.pass(200);
        continue;
      }
      opened++;
      const conn = world.finish(opening);
      world.finish(conn.write(counting(0, 10)));
      world.pass(1000);
      expect(s.accepted()).toBeNull();
      world.thaw(server);
      world.pass(10);
      expect(Buffer.from(world.finish(s.accepted()!.read())!)).toEqual(
        Buffer.from(counting(0, 10)),
      );
    }
    expect(opened).toBeWithin(80, 101);
  });
});

describe("kill", () => {
  test("the peer sees the end, loses what was under way from some point on, and is then refused", () => {
    const lengths = new Set<number>();
    for (let seed = 1; seed <= 60; seed++) {
      const s = scene(seed, { ...CALM, jitterMs: 5 });
      const { world, server } = s;
      const conn = world.finish(connect(s));
      world.run(() => s.accepted() !== null);
      world.finish(s.accepted()!.write(counting(0, 1000)));
      const reads: Uint8Array[] = [];
      world.kill(server);
      world.finish(drain(conn, reads));
      lengths.add(Buffer.concat(reads).length);
      const again = watch(connect(s));
      world.pass(1000);
      expect(again.outcome).toBeInstanceOf(DfsError);
      const restarted = world.machine("server");
      world.finish(s.net.of(restarted).listen("", 1, () => {}, null));
      expect(world.finish(connect(s)).peer).toBe("server:1");
    }
    expect(lengths.size).toBeGreaterThan(20);
  });
});
