/** The simulated world itself: time, order, death, and that a seed decides everything. */
import { describe, expect, test } from "bun:test";
import type { Machine } from "./machine.ts";
import { SimDisk } from "./disk.ts";
import { SimNet } from "./net.ts";
import { Rng, simRandom } from "./random.ts";
import { World } from "./world.ts";

/**
 * A small history that uses every port: clients send random bytes to a server, which stores them
 * and answers.
 */
function history(seed: number, options: { trace?: boolean; rounds?: number } = {}): World {
  const world = new World(seed, options);
  const net = new SimNet(world);
  const server = world.machine("server");
  const disk = new SimDisk(world, "server").of(server);
  const serve = async (): Promise<void> => {
    await net.of(server).listen(
      "0.0.0.0",
      10001,
      (conn) => {
        void (async () => {
          for (let bytes = await conn.read(); bytes; bytes = await conn.read()) {
            const file = await disk.open(`f${world.events}`, "create");
            await file.write(bytes, 0);
            await file.sync();
            await file.close();
            await conn.write(Uint8Array.of(bytes.length & 0xff));
          }
        })().catch(() => conn.close());
      },
      null,
    );
  };
  const talk = async (client: Machine): Promise<void> => {
    const random = simRandom(world.rng.fork(client.name));
    const conn = await net.of(client).connect("server", 10001, 10_000, false);
    for (let i = 0; i < (options.rounds ?? 10); i++) {
      await conn.write(random.bytes(50));
      await conn.read();
    }
    conn.close();
  };
  const clients = ["a", "b", "c"].map((name) => world.machine(name));
  world.finish(serve().then(() => Promise.all(clients.map(talk))));
  return world;
}

/** The message of what this throws. */
function thrownBy(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return "nothing was thrown";
}

describe("a seed decides everything", () => {
  test("the same seed gives the same trace, another seed another one", () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= 50; seed++) {
      const [first, second] = [history(seed), history(seed)];
      expect(first.hash).toBe(second.hash);
      expect(first.now).toBe(second.now);
      hashes.add(first.hash);
    }
    expect(hashes.size).toBe(50);
  });

  test("tracing changes nothing, and tells what happened", () => {
    const [quiet, told] = [history(7), history(7, { trace: true })];
    expect(quiet.trace).toEqual([]);
    expect(told.hash).toBe(quiet.hash);
    expect(told.trace.length).toBeGreaterThan(100);
    expect(told.trace.join("\n")).toContain("server: accept");
  });

  test("a note that differs is seen in the hash", () => {
    const [a, b, c] = [new World(1), new World(1), new World(1)];
    a.note("read", "v1");
    b.note("read", "v2");
    c.note("read", "v1");
    expect(a.hash).not.toBe(b.hash);
    expect(a.hash).toBe(c.hash);
  });
});

describe("random", () => {
  test("is even, within bounds, and repeatable", () => {
    const rng = new Rng(42);
    const buckets = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 160_000; i++) buckets[rng.int(16)]!++;
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(500);
    for (let i = 0; i < 1000; i++) expect(rng.between(3, 5)).toBeWithin(3, 6);
    expect(rng.int(2 ** 50)).toBeLessThan(2 ** 50);
    expect(rng.bytes(5)).toHaveLength(5);
    expect([rng.chance(0), rng.chance(1)]).toEqual([false, true]);
    expect(new Rng(5).bytes(100)).toEqual(new Rng(5).bytes(100));
    expect(new Rng(5).u32()).not.toBe(new Rng(5 + 2 ** 32).u32());
  });

  test("forks are independent of what was drawn, of each other, and of forks with their name", () => {
    const [one, two] = [new Rng(1), new Rng(1)];
    for (let i = 0; i < 10; i++) two.u32();
    const first = one.fork("x");
    expect(first.u32()).toBe(two.fork("x").u32());
    const others = [one.fork("x"), one.fork("y"), new Rng(2).fork("x"), first.fork("x")];
    const draws = others.map((rng) => rng.u32());
    expect(new Set([...draws, new Rng(1).fork("x").u32()]).size).toBe(5);
  });
});

describe("time", () => {
  test("a deadline is never early by a rounding error", () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const world = new World(seed);
      const clock = seed % 2 === 0 ? world.clock(world.machine("m")) : world.clock();
      world.pass(world.rng.fraction() * 1000);
      const until = clock.now() + world.rng.fraction() * 2000;
      world.pass(world.rng.fraction());
      let at = 0;
      clock.after(until - clock.now(), () => (at = clock.now()));
      world.run(() => at > 0);
      expect(at).toBeGreaterThanOrEqual(until);
      expect(at).toBeLessThan(until + 1);
    }
  });

  test("machines disagree about the time", () => {
    const world = new World(1);
    const [a, b] = [world.clock(world.machine("a")), world.clock(world.machine("b"))];
    expect(a.now()).not.toBe(b.now());
    expect(a.wall()).not.toBe(b.wall());
  });

  test("nothing that will ever happen, and too many events, are said with the seed", () => {
    const world = new World(77);
    const stuck = world.machine("stuck");
    world.clock(stuck).after(5, () => {});
    world.freeze(stuck);
    expect(thrownBy(() => world.finish(new Promise(() => {})))).toMatch(
      /seed 77: deadlock.*stuck is frozen and holds 1/,
    );
    world.thaw(stuck);
    const clock = world.clock();
    const again = (): void => void clock.after(1, again);
    again();
    expect(thrownBy(() => world.run(() => false, 100))).toMatch(
      /seed 77: not done after 100 events/,
    );
  });

  test("code that leaves the ports hangs, and is seen to", () => {
    const world = new World(1);
    expect(thrownBy(() => world.finish(Bun.sleep(1)))).toContain("deadlock");
    expect(thrownBy(() => world.finish(Bun.file("/etc/hostname").text()))).toContain("deadlock");
  });

  test("a promise's error, and one thrown in an event, come out", () => {
    const world = new World(1);
    expect(thrownBy(() => world.finish(Promise.reject(new Error("oh"))))).toBe("oh");
    world.clock().after(1, () => {
      throw new Error("in an event");
    });
    expect(thrownBy(() => world.finish(world.sleep(5)))).toBe("in an event");
    expect(world.finish(world.sleep(5).then(() => "on"))).toBe("on");
  });

  test("a sweep of cancelled timers leaves the order of the others", () => {
    const world = new World(3);
    const fired: number[] = [];
    for (let round = 0; round < 20; round++) {
      const events = Array.from({ length: 200 }, () => {
        const ms = world.rng.int(1000);
        return world.after(ms, null, "t", () => fired.push(world.now));
      });
      for (const event of events) if (world.rng.chance(0.9)) world.cancel(event);
    }
    world.pass(2000);
    expect(fired.length).toBeWithin(300, 500);
    expect(fired).toEqual(fired.toSorted((a, b) => a - b));
  });
});

describe("machines", () => {
  test("a killed one never goes on: not its timers, its files, its connections, nor what awaits them", () => {
    for (let seed = 1; seed <= 50; seed++) {
      const world = new World(seed);
      const net = new SimNet(world);
      const disk = new SimDisk(world, "m");
      const [machine, other] = [world.machine("m"), world.machine("other")];
      const steps: string[] = [];
      let dead = false;
      const step = (what: string): void => {
        if (dead) throw new Error(`${what} went on after the kill`);
        steps.push(what);
      };
      const busy = async (): Promise<void> => {
        const port = disk.of(machine);
        for (let i = 0; ; i++) {
          const file = await port.open(`f${i}`, "create");
          step("open");
          await file.write(new Uint8Array(10), 0);
          step("write");
          await new Promise<void>((resolve) => void world.clock(machine).after(1, resolve));
          step("timer");
        }
      };
      const listen = async (): Promise<void> => {
        const listener = await net.of(machine).listen(
          "",
          1,
          (conn) => {
            void (async () => {
              while (await conn.read()) step("read");
              step("end");
            })();
          },
          null,
        );
        step(`listen ${listener.port}`);
      };
      const chat = async (): Promise<void> => {
        const conn = await net.of(other).connect("m", 1, 30_000, false);
        while (true) {
          await conn.write(new Uint8Array(10));
          await world.sleep(1);
        }
      };
      void busy();
      void listen()
        .then(chat)
        .catch(() => {});
      world.pass(world.rng.int(300));
      world.kill(machine);
      dead = true;
      const before = disk.files();
      const late = disk.of(machine);
      void late.open("late", "create").then(() => step("open"));
      world.clock(machine).after(1, () => step("timer"));
      void net
        .of(machine)
        .connect("other", 1, 10, false)
        .catch(() => step("connect"));
      world.pass(5000);
      expect(disk.files()).toEqual(before);
      expect(net.connections).toBe(0);
    }
  });

  test("a restarted one is another one, and may not start before the old one died", () => {
    const world = new World(1);
    const first = world.machine("m");
    expect(() => world.machine("m")).toThrow("running already");
    world.kill(first);
    const second = world.machine("m");
    expect(second.id).not.toBe(first.id);
    let fired = 0;
    world.clock(second).after(1, () => fired++);
    world.kill(first);
    world.pass(10);
    expect(fired).toBe(1);
  });

  test("a frozen one stands still, and does all that came due when it thaws, in order", () => {
    const world = new World(1);
    const machine = world.machine("m");
    const clock = world.clock(machine);
    const fired: string[] = [];
    for (const ms of [30, 10, 20, 500]) clock.after(ms, () => fired.push(`${ms} at ${world.now}`));
    const cancel = clock.after(15, () => fired.push("cancelled"));
    world.pass(5);
    world.freeze(machine);
    world.pass(95);
    expect(fired).toEqual([]);
    cancel();
    world.thaw(machine);
    world.pass(1000);
    expect(fired).toEqual(["10 at 100", "20 at 100", "30 at 100", "500 at 500"]);
  });

  test("one that is killed while frozen stays dead", () => {
    const world = new World(1);
    const machine = world.machine("m");
    let fired = 0;
    world.clock(machine).after(1, () => fired++);
    world.freeze(machine);
    world.pass(10);
    world.kill(machine);
    world.thaw(machine);
    world.pass(10);
    expect(fired).toBe(0);
  });
});
