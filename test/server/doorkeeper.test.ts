/** Guessing is slow, and keeps nobody out. */
import { describe, expect, test } from "bun:test";
import {
  LOGIN_DELAY_MAX_MS,
  LOGIN_FAILURES_KEPT,
  LOGIN_FORGET_MS,
  LOGIN_LOOK_MS,
  LOGIN_QUEUE,
  LOGIN_WAITING,
  PASSWD_MS,
} from "../../src/server/access/login_limits.ts";
import { rejectionOf } from "../harness/thrown.ts";
import { alice, bob, logIn, newDoor, nobody, settled, wrong } from "./door.ts";

describe("failures wait", () => {
  /** Fails once; returns how long it had to wait. */
  async function fail(
    { clock, connect }: ReturnType<typeof newDoor>,
    credentials = wrong,
    peer = "10.0.0.1:5000",
  ): Promise<number> {
    const failure = rejectionOf("login", logIn(connect(peer), credentials));
    await settled();
    const wait = clock.waits.at(-1) ?? 0;
    await clock.pass(wait);
    await failure;
    return wait;
  }

  test("longer each time, the first two not at all", async () => {
    const door = newDoor();
    const waits: number[] = [];
    for (let i = 0; i < 10; i++) waits.push(await fail(door, wrong, `10.0.0.1:${5000 + i}`));
    expect(waits).toEqual([0, 0, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  test("each user and each host for itself", async () => {
    const door = newDoor();
    for (let i = 0; i < 4; i++) await fail(door);
    expect(await fail(door, nobody)).toBe(0);
    expect(await fail(door, wrong, "[fe80::1]:5000")).toBe(0);
    expect(await fail(door)).toBe(400);
  });

  test("until they are forgotten, in time or by a login", async () => {
    const door = newDoor();
    for (let i = 0; i < 4; i++) await fail(door);
    // It is counted from the failure on, whose reply waited for 200 of them.
    await door.clock.pass(LOGIN_FORGET_MS - 201);
    expect(await fail(door)).toBe(400);
    await door.clock.pass(LOGIN_FORGET_MS);
    expect(await fail(door)).toBe(0);
    for (let i = 0; i < 3; i++) await fail(door);
    expect(await logIn(door.connect())).toBe("signature");
    expect(await fail(door)).toBe(0);
  });

  /** So many wrong proofs of Alice's from 10.0.0.1 that all wait to be told. */
  async function flood(door: ReturnType<typeof newDoor>): Promise<Promise<unknown>[]> {
    for (let i = 0; i < 2; i++) await fail(door);
    const waiting = Array.from({ length: LOGIN_WAITING }, () =>
      rejectionOf("login", logIn(door.connect(), wrong)),
    );
    await settled();
    expect(door.clock.waits.length).toBe(LOGIN_WAITING);
    return waiting;
  }

  test("and only so many at once of a user from a host: beyond them proofs are looked at one after the other, the right ones too", async () => {
    const door = newDoor();
    const waiting = await flood(door);
    const outcomes: string[] = [];
    const tries = [wrong, wrong, alice].map((credentials) =>
      logIn(door.connect(), credentials).then(
        () => void outcomes.push("in"),
        () => {},
      ),
    );
    await settled();
    for (const want of [[], [], ["in"]]) {
      await door.clock.pass(LOGIN_LOOK_MS);
      expect(outcomes).toEqual(want);
    }
    await door.clock.pass(LOGIN_DELAY_MAX_MS);
    await Promise.all([...waiting, ...tries]);
    // Nobody waits any more.
    expect(await logIn(door.connect())).toBe("signature");
  });

  test("and neither other users nor other hosts wait for them; all of this machine is one host, and a network of IPv6", async () => {
    const door = newDoor();
    const waiting = await flood(door);
    expect(await logIn(door.connect("10.0.0.2:1"))).not.toBeNull();
    expect(await logIn(door.connect(), bob)).not.toBeNull();
    for (const [one, other] of [
      ["127.0.0.1:1", "127.9.8.7:2"],
      ["[2001:db8::1]:1", "[2001:db8:0:0:9::2]:2"],
    ] as const) {
      const another = newDoor();
      for (let i = 0; i < 3; i++) await fail(another, wrong, one);
      expect(await fail(another, wrong, other)).toBe(200);
    }
    await door.clock.pass(LOGIN_DELAY_MAX_MS);
    await Promise.all(waiting);
  });

  test("and those who wait for their turn are few: who has left has no place among them", async () => {
    const door = newDoor();
    const waiting = await flood(door);
    const queued = Array.from({ length: LOGIN_QUEUE }, () => door.connect());
    for (const login of queued) void logIn(login, wrong).catch(() => {});
    await settled();
    const { message } = await rejectionOf("login", logIn(door.connect()));
    expect(message).toBe("too many logins have failed just now; try again in a while");
    for (const login of queued) login.leave();
    let isIn = false;
    void logIn(door.connect()).then((proved) => (isIn = proved !== null));
    await settled();
    await door.clock.pass(LOGIN_LOOK_MS);
    expect(isIn).toBe(true);
    await door.clock.pass(LOGIN_DELAY_MAX_MS);
    await Promise.all(waiting);
  });

  test("of a user from many hosts, for a while that is bounded", async () => {
    const door = newDoor();
    const waits: number[] = [];
    for (let i = 0; i < 30; i++) waits.push(await fail(door, wrong, `10.0.1.${i}:1`));
    expect(waits.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 0));
    expect(waits.slice(20)).toEqual([100, 200, 400, 800, ...Array.from({ length: 6 }, () => 1000)]);
    // Who knows the password waits for none of them.
    expect(await logIn(door.connect("10.0.2.1:1"))).not.toBeNull();
  });

  test("and as many are remembered as there is room for", async () => {
    const { clock, door } = newDoor();
    const failing = async (user: string): Promise<number> => {
      const failure = door.failed("10.0.0.1", user);
      const wait = clock.waits.at(-1) ?? 0;
      await clock.pass(wait);
      await failure;
      return wait;
    };
    for (let i = 0; i < 3; i++) for (const user of ["old", "new"]) await failing(user);
    for (let i = 0; i < LOGIN_FAILURES_KEPT - 1; i++) await door.failed("10.0.0.1", `user ${i}`);
    expect(await failing("new")).toBe(200);
    expect(await failing("old")).toBe(0);
  });
});

test("a password is changed at most once a second, and others' passwords meanwhile", async () => {
  const { clock, door } = newDoor();
  const done: string[] = [];
  for (const user of ["Alice", "Alice", "Bob"])
    void door.mayChange(user).then(() => done.push(user));
  await settled();
  expect(done).toEqual(["Alice", "Bob"]);
  await clock.pass(PASSWD_MS);
  expect(done).toEqual(["Alice", "Bob", "Alice"]);
  for (let i = 0; i < 3; i++) void door.mayChange("Alice");
  await rejectionOf("conflict", door.mayChange("Alice"));
});
