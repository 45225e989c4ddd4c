/** How long a connection may stay: before it is known who asks, with half a frame, and with replies that it does not take. */
import { describe, expect, test } from "bun:test";
import { DfsError } from "../../src/errors.ts";
import type { Clock, Conn } from "../../src/io/ports.ts";
import {
  FRAME_MS,
  FRAME_PACE_BYTES,
  HELLO_MS,
  LOGIN_NONCE_BYTES,
  HELLO_REPLY_MS,
  IDLE_MS,
  LOOK_MS,
} from "../../src/limits.ts";
import { LOGIN_ATTEMPTS_PER_CONNECTION } from "../../src/server/access/login_limits.ts";
import { Doorkeeper } from "../../src/server/access/doorkeeper.ts";
import type { UserTable } from "../../src/server/access/login.ts";
import { ConnectionLimit } from "../../src/server/bounds/connection_limit.ts";
import { Session } from "../../src/server/session.ts";
import { Turns } from "../../src/server/bounds/turns.ts";
import { UploadShares } from "../../src/server/bounds/upload_shares.ts";
import { UnderWay } from "../../src/store/pieces/under_way.ts";
import { ServerLoad } from "../../src/server/bounds/load.ts";
import { HELLO } from "../../src/wire/handshake.ts";
import { requestFrame } from "../../src/wire/frames.ts";
import { credentialsOf } from "../../src/wire/login.ts";
import { alice, table } from "./door.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const HOST = "127/8";
const hello = Buffer.concat(requestFrame("hello", 1, HELLO));
const loginFrame = (credentials = alice): Uint8Array =>
  Buffer.concat(
    requestFrame("login", 2, {
      ...HELLO,
      user: credentials.user,
      nonce: new Uint8Array(LOGIN_NONCE_BYTES),
    }),
  );

/** A session at one end of a connection, and the hand that moves its clock, sends its bytes, and takes its replies or does not. */
function session(users: UserTable | null) {
  let now = 0;
  let timers: { at: number; fn: () => void }[] = [];
  const clock: Clock = {
    now: () => now,
    wall: () => now,
    after(ms, fn) {
      const timer = { at: now + ms, fn };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
  };
  const state = { isClosed: false, takes: true };
  let reader: ((bytes: Uint8Array | null) => void) | null = null;
  const writing: ((error: DfsError) => void)[] = [];
  const conn = {
    peer: "127.0.0.1:5",
    binding: null,
    received: 0,
    sent: 0,
    read: () =>
      state.isClosed ? Promise.resolve(null) : new Promise((resolve) => void (reader = resolve)),
    giveBack() {},
    write(): Promise<void> {
      if (state.isClosed) return Promise.reject(new DfsError("down", "it was closed"));
      if (state.takes) return Promise.resolve();
      return new Promise((_, reject) => void writing.push(reject));
    },
    close() {
      state.isClosed = true;
      reader?.(null);
      for (const reject of writing.splice(0)) reject(new DfsError("down", "it was closed"));
    },
  } satisfies Conn;
  const random = { bytes: (n: number) => new Uint8Array(n), fraction: () => 0 };
  const store = {
    sid: "1".repeat(32),
    floors: { of: () => 0n },
    lives: { now: { life: 1, mark: "1".repeat(16) }, known: [], isUnsettled: false, revision: 0 },
    was: null,
    pieces: { underWay: new UnderWay() },
    membership: { settled: async () => {}, cluster: null, config: null },
    read: () => ({ register: { prom: 0n, acc: null, com: null } }),
  };
  const doorkeeper = new Doorkeeper({ clock, random });
  const load = new ServerLoad();
  void new Session(conn, {
    load,
    connections: new ConnectionLimit(10),
    turns: new Turns(clock),
    shares: new UploadShares(clock, 10),
    store,
    clock,
    release: "",
    users: async () => {
      await turn();
      return users;
    },
    changeVerifier: async () => {},
    doorkeeper,
  } as never).run();
  const pass = async (ms: number): Promise<void> => {
    now += ms;
    const due = timers.filter(({ at }) => at <= now);
    timers = timers.filter(({ at }) => at > now);
    for (const { fn } of due) fn();
    await turn();
  };
  return {
    state,
    conn,
    doorkeeper,
    load,
    send: async (bytes: Uint8Array): Promise<void> => {
      conn.received += bytes.length;
      reader?.(bytes);
      for (let i = 0; i < 4; i++) await turn();
    },
    pass,
    /** The same in small steps, as time passes; ends when the connection is closed. Resolves to how much passed. */
    passUntilClosed: async (ms: number, meanwhile = async (): Promise<void> => {}) => {
      const from = now;
      for (; now - from < ms && !state.isClosed; await meanwhile()) await pass(LOOK_MS / 10);
      return now - from;
    },
  };
}

describe("before it is known who asks", () => {
  test("who drips bytes and never logs in does not keep a connection", async () => {
    const { state, send, pass } = session(new Map());
    for (let i = 0; i < 3; i++) {
      await send(new Uint8Array(1));
      await pass(HELLO_MS / 2);
    }
    expect(state.isClosed).toBe(true);
  });

  test("nor does who asks and takes no reply", async () => {
    const { state, send, passUntilClosed } = session(table);
    state.takes = false;
    await send(loginFrame());
    expect(await passUntilClosed(HELLO_MS)).toBeLessThan(3 * HELLO_REPLY_MS);
    expect(state.isClosed).toBe(true);
  });

  test("nor who asks for more than few things", async () => {
    const { state, send } = session(table);
    for (let i = 0; i < LOGIN_ATTEMPTS_PER_CONNECTION; i++) {
      expect(state.isClosed).toBe(false);
      await send(hello);
    }
    await send(hello);
    expect(state.isClosed).toBe(true);
  });

  test("the time that a failed login is kept waiting is not the peer's", async () => {
    const { state, doorkeeper, send, pass, passUntilClosed } = session(table);
    for (let i = 0; i < 9; i++) void doorkeeper.failed(HOST, "Alice");
    await pass(HELLO_MS / 2);
    await send(loginFrame());
    const proof = { signature: new Uint8Array(64), scram: null };
    await send(Buffer.concat(requestFrame("proof", 3, proof)));
    // 5 s of it were kept waiting.
    expect(await passUntilClosed(2 * HELLO_MS)).toBeGreaterThan(HELLO_MS / 2 + 4000);
    expect(state.isClosed).toBe(true);
  });
});

describe("once it is known", () => {
  async function known() {
    const all = session(null);
    await all.send(hello);
    return all;
  }

  test("who is quiet for a while is not cut off, and who is for long is", async () => {
    const { state, pass, passUntilClosed } = await known();
    await pass(2 * HELLO_MS);
    await pass(2 * HELLO_MS);
    expect(state.isClosed).toBe(false);
    await passUntilClosed(IDLE_MS);
    expect(state.isClosed).toBe(true);
  });

  test("a byte now and then does not keep half a frame alive", async () => {
    const { state, send, passUntilClosed, load } = await known();
    await send(Uint8Array.of(0, 4, 0, 0, 2));
    expect(load.bytes).toBe(5);
    const took = await passUntilClosed(4 * FRAME_MS, () => send(Uint8Array.of(1)));
    expect(state.isClosed).toBe(true);
    expect(took).toBeLessThan(FRAME_MS + 2 * LOOK_MS);
    expect(load.bytes).toBe(0);
  });

  test("a slow line does", async () => {
    const { state, send, passUntilClosed } = await known();
    await send(Uint8Array.of(0, 4, 0, 0, 2));
    const portion = new Uint8Array(Math.ceil((FRAME_PACE_BYTES * LOOK_MS) / 10 / FRAME_MS) + 1);
    await passUntilClosed(4 * FRAME_MS, () => send(portion));
    expect(state.isClosed).toBe(false);
  });

  test("a reply that is not taken ends it, and weighs until then", async () => {
    const { state, send, passUntilClosed, load } = await known();
    expect(load.bytes).toBe(0);
    state.takes = false;
    await send(hello);
    expect(load.bytes).toBeGreaterThan(50);
    const took = await passUntilClosed(4 * FRAME_MS);
    expect(took).toBeGreaterThanOrEqual(FRAME_MS);
    expect(took).toBeLessThan(FRAME_MS + 2 * LOOK_MS);
    expect([state.isClosed, load.bytes]).toEqual([true, 0]);
  });

  test("one that is taken slowly does not", async () => {
    const { state, conn, send, passUntilClosed } = await known();
    state.takes = false;
    await send(hello);
    const portion = (FRAME_PACE_BYTES * LOOK_MS) / 10 / FRAME_MS + 1;
    await passUntilClosed(4 * FRAME_MS, async () => void (conn.sent += portion));
    expect(state.isClosed).toBe(false);
  });
});

test("a login of somebody else's does not make it known", async () => {
  const { state, send, passUntilClosed } = session(table);
  await send(loginFrame(credentialsOf("Nobody", "x")));
  await passUntilClosed(2 * HELLO_MS);
  expect(state.isClosed).toBe(true);
});
