import { describe, expect, test } from "bun:test";
import { INVALID_LOGIN } from "../../src/errors.ts";
import type { Clock, Random } from "../../src/io/ports.ts";
import {
  LOGIN_ATTEMPTS_PER_CONNECTION,
  LOGIN_DELAY_MAX_MS,
  LOGIN_FAILURES_KEPT,
  LOGIN_FORGET_MS,
  LOGIN_WAITING_PER_HOST,
} from "../../src/limits.ts";
import { Doorkeeper, Login, type UserTable } from "../../src/server/login.ts";
import {
  type Binding,
  checkServerFinal,
  clientFinal,
  clientFirst,
  credentialsOf,
} from "../../src/wire/scram.ts";
import { rejectionOf } from "../thrown.ts";

/** Time that goes on only when the test says so. */
class Hand implements Clock {
  #now = 0;
  #timers: { at: number; fn: () => void }[] = [];
  now = (): number => this.#now;
  wall = (): number => this.#now;
  after(ms: number, fn: () => void): () => void {
    const timer = { at: this.#now + ms, fn };
    this.#timers.push(timer);
    return () => void (this.#timers = this.#timers.filter((other) => other !== timer));
  }
  /** How long until each of those that wait may go on, the last to come last. */
  get waits(): number[] {
    return this.#timers.map(({ at }) => at - this.#now);
  }
  async pass(ms: number): Promise<void> {
    this.#now += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#now);
    this.#timers = this.#timers.filter(({ at }) => at > this.#now);
    for (const { fn } of due) fn();
    await settled();
  }
}

/** Until everything that waits for no timer has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Bytes that differ each time. */
function countingRandom(): Random {
  let count = 0;
  return {
    fraction: () => 0,
    bytes: (n) => Uint8Array.from({ length: n }, (_, i) => (i === 0 ? ++count : i)),
  };
}

const alice = credentialsOf("Alice", "right");
const wrong = credentialsOf("Alice", "wrong");
const nobody = credentialsOf("Nobody", "right");
const bob = credentialsOf("Bob", "right");
const table: UserTable = new Map([
  ["Alice", { verifier: alice, isOperator: true }],
  ["Bob", { verifier: bob, isOperator: false }],
]);

function newDoor(): { clock: Hand; door: Doorkeeper; connect: (peer?: string) => Login } {
  const clock = new Hand();
  const door = new Doorkeeper({ clock, random: countingRandom() });
  return { clock, door, connect: (peer = "10.0.0.1:5000") => new Login(door, peer) };
}

/** Logs in; resolves to whether the server has proved itself too. */
async function logIn(
  login: Login,
  credentials = alice,
  { binding = null, users = table }: { binding?: Binding; users?: UserTable } = {},
): Promise<boolean> {
  const begun = clientFirst(credentials, "clientNonce", binding);
  const challenge = await login.first(begun.message, users, binding);
  const proof = clientFinal(begun.state, challenge);
  return checkServerFinal(proof.state, await login.final(proof.message));
}

describe("a login", () => {
  test.each([
    ["Alice", alice, true],
    ["Bob", bob, false],
  ])("of %s is by the password, bound to TLS or not", async (user, credentials, isOperator) => {
    for (const binding of [null, new Uint8Array(32)]) {
      const login = newDoor().connect();
      expect([login.user, login.isOperator]).toEqual([null, false]);
      expect(await logIn(login, credentials, { binding })).toBe(true);
      expect([login.user, login.isOperator]).toEqual([user, isOperator]);
    }
  });

  test("with another password fails with the line that users know", async () => {
    const login = newDoor().connect();
    expect((await rejectionOf("login", logIn(login, wrong))).message).toBe(INVALID_LOGIN);
    expect([login.user, login.isOperator]).toEqual([null, false]);
    expect(await logIn(login)).toBe(true);
  });

  test("without its binding, or out of turn, is refused", async () => {
    const login = newDoor().connect();
    const begun = clientFirst(alice, "clientNonce", null);
    await rejectionOf("protocol", login.final("c=biws,r=x,p=x"));
    await rejectionOf("protocol", login.first(begun.message, table, new Uint8Array(32)));
    const proof = clientFinal(begun.state, await login.first(begun.message, table, null));
    await login.final(proof.message);
    await rejectionOf("protocol", login.final(proof.message));
    await rejectionOf("protocol", login.first(begun.message, table, null));
    expect(login.user).toBe("Alice");
  });

  test("cannot go on after a failure, nor while it waits", async () => {
    const { clock, connect } = newDoor();
    for (let i = 0; i < 2; i++) await rejectionOf("login", logIn(connect(), wrong));
    const login = connect();
    const begun = clientFirst(wrong, "clientNonce", null);
    const proof = clientFinal(begun.state, await login.first(begun.message, table, null));
    const waiting = rejectionOf("login", login.final(proof.message));
    await settled();
    await rejectionOf("protocol", login.final(proof.message));
    await rejectionOf("protocol", login.first(begun.message, table, null));
    await clock.pass(100);
    await waiting;
    await rejectionOf("protocol", login.final(proof.message));
  });

  test("may be tried only so often on a connection", async () => {
    const login = newDoor().connect();
    const { message } = clientFirst(alice, "clientNonce", null);
    for (let i = 0; i < LOGIN_ATTEMPTS_PER_CONNECTION; i++) await login.first(message, table, null);
    await rejectionOf("protocol", login.first(message, table, null));
  });
});

test("a user that is not known cannot be told from one with a wrong password", async () => {
  const seen = await Promise.all(
    [nobody, credentialsOf("Bob", "wrong")].map(async (credentials) => {
      const { clock, connect } = newDoor();
      const out: unknown[] = [];
      for (let i = 0; i < 4; i++) {
        const login = connect();
        const begun = clientFirst(credentials, "clientNonce", null);
        const challenge = await login.first(begun.message, table, null);
        const proof = clientFinal(begun.state, challenge);
        const failure = rejectionOf("login", login.final(proof.message));
        await settled();
        const [nonce, , iterations] = challenge.split(",");
        out.push(nonce, iterations, challenge.length, clock.waits);
        await clock.pass(LOGIN_DELAY_MAX_MS);
        out.push((await failure).message);
      }
      return out;
    }),
  );
  expect(seen[0]).toEqual(seen[1]);
  const { connect } = newDoor();
  const salts = [connect(), connect()].map(async (login) => {
    const { message } = clientFirst(nobody, "clientNonce", null);
    return (await login.first(message, table, null)).split(",")[1];
  });
  expect(await salts[0]).toBe(await salts[1]);
});

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
    expect(await logIn(door.connect())).toBe(true);
    expect(await fail(door)).toBe(0);
  });

  test("and only so many at once for a host: beyond them not even a right proof is looked at", async () => {
    const door = newDoor();
    for (let i = 0; i < 2; i++) await fail(door);
    const waiting = Array.from({ length: LOGIN_WAITING_PER_HOST }, () =>
      rejectionOf("login", logIn(door.connect(), wrong)),
    );
    await settled();
    expect(door.clock.waits.length).toBe(LOGIN_WAITING_PER_HOST);
    for (const credentials of [wrong, alice]) {
      const { message } = await rejectionOf("login", logIn(door.connect(), credentials));
      expect(message).toBe(
        "too many logins from 10.0.0.1 have failed just now; try again in 5 seconds",
      );
    }
    expect(await logIn(door.connect("10.0.0.2:1"))).toBe(true);
    await door.clock.pass(LOGIN_DELAY_MAX_MS);
    await Promise.all(waiting);
    expect(await logIn(door.connect())).toBe(true);
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
