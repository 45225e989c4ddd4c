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
import { Doorkeeper, type KnownUser, Login, type UserTable } from "../../src/server/login.ts";
import {
  type Binding,
  type Credentials,
  credentialsOf,
  type Exchange,
  type Proof,
  proofOf,
  provedBy,
  type Verifier,
  verifierOf,
} from "../../src/wire/login.ts";
import { scramVerifierOf } from "../../src/wire/scram.ts";
import { errorOf, rejectionOf } from "../thrown.ts";

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
const SID = "5".repeat(32);
/** Alice is known by a verifier of the newer kind, Bob by one of the older. */
const table: UserTable = new Map<string, KnownUser>([
  ["Alice", { verifier: verifierOf("Alice", "right"), isOperator: true }],
  ["Bob", { verifier: scramVerifierOf("Bob", "right"), isOperator: false }],
]);

function newDoor(): { clock: Hand; door: Doorkeeper; connect: (peer?: string) => Login } {
  const clock = new Hand();
  const door = new Doorkeeper({ clock, random: countingRandom() });
  return { clock, door, connect: (peer = "10.0.0.1:5000") => new Login(door, peer) };
}

/** Begins a login; resolves to what both have said then. */
function begin(
  login: Login,
  { user }: Credentials = alice,
  binding: Binding = null,
  users = table,
): Exchange {
  const said = { user, clientNonce: new Uint8Array(32).fill(3), sid: SID, binding };
  return { ...said, serverNonce: login.begin(said, users) };
}

/** Logs in; resolves to how the server has proved itself too. */
async function logIn(
  login: Login,
  credentials = alice,
  { binding = null, users = table }: { binding?: Binding; users?: UserTable } = {},
): Promise<Verifier["is"] | null> {
  const exchange = begin(login, credentials, binding, users);
  const proof = proofOf(credentials, exchange, true);
  return provedBy(credentials, exchange, proof, await login.final(proof));
}

const NO_PROOF: Proof = { signature: new Uint8Array(64), scram: new Uint8Array(32) };

describe("a login", () => {
  test.each([
    ["Alice", "signature", alice, true],
    ["Bob", "scram", bob, false],
  ] as const)("of %s is by %s, bound to TLS or not", async (user, is, credentials, isOperator) => {
    for (const binding of [null, new Uint8Array(32)]) {
      const login = newDoor().connect();
      expect([login.user, login.isOperator]).toEqual([null, false]);
      expect(await logIn(login, credentials, { binding })).toBe(is);
      expect([login.user, login.isOperator]).toEqual([user, isOperator]);
    }
  });

  test("with another password fails with the line that users know", async () => {
    const login = newDoor().connect();
    expect((await rejectionOf("login", logIn(login, wrong))).message).toBe(INVALID_LOGIN);
    expect([login.user, login.isOperator]).toEqual([null, false]);
    expect(await logIn(login)).toBe("signature");
  });

  test("without its binding is no login", async () => {
    const login = newDoor().connect();
    const exchange = begin(login, alice, new Uint8Array(32));
    const unbound = proofOf(alice, { ...exchange, binding: null }, true);
    await rejectionOf("login", login.final(unbound));
    expect(login.user).toBeNull();
  });

  test("out of turn is refused", async () => {
    const login = newDoor().connect();
    await rejectionOf("protocol", login.final(NO_PROOF));
    const proof = proofOf(alice, begin(login), true);
    await login.final(proof);
    await rejectionOf("protocol", login.final(proof));
    errorOf("protocol", () => begin(login));
    expect(login.user).toBe("Alice");
  });

  test("cannot go on after a failure, nor while it waits", async () => {
    const { clock, connect } = newDoor();
    for (let i = 0; i < 2; i++) await rejectionOf("login", logIn(connect(), wrong));
    const login = connect();
    const proof = proofOf(wrong, begin(login, wrong), true);
    const waiting = rejectionOf("login", login.final(proof));
    await settled();
    await rejectionOf("protocol", login.final(proof));
    errorOf("protocol", () => begin(login));
    await clock.pass(100);
    await waiting;
    await rejectionOf("protocol", login.final(proof));
  });

  test("may be tried only so often on a connection", () => {
    const login = newDoor().connect();
    for (let i = 0; i < LOGIN_ATTEMPTS_PER_CONNECTION; i++) begin(login);
    errorOf("protocol", () => begin(login));
  });
});

test("a user that is not known cannot be told from one with a wrong password, of either kind", async () => {
  const seen = await Promise.all(
    [nobody, wrong, credentialsOf("Bob", "wrong")].map(async (credentials) => {
      const { clock, connect } = newDoor();
      const out: unknown[] = [];
      for (let i = 0; i < 4; i++) {
        const login = connect();
        const exchange = begin(login, credentials);
        const failure = rejectionOf("login", login.final(proofOf(credentials, exchange, i < 3)));
        await settled();
        out.push(exchange.serverNonce, clock.waits);
        await clock.pass(LOGIN_DELAY_MAX_MS);
        out.push((await failure).message);
      }
      return out;
    }),
  );
  expect(seen[0]).toEqual(seen[1]);
  expect(seen[0]).toEqual(seen[2]);
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
    expect(await logIn(door.connect())).toBe("signature");
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
    expect(await logIn(door.connect("10.0.0.2:1"))).toBe("signature");
    await door.clock.pass(LOGIN_DELAY_MAX_MS);
    await Promise.all(waiting);
    expect(await logIn(door.connect())).toBe("signature");
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
