/** How long a connection may stay before it is known who asks. */
import { expect, test } from "bun:test";
import type { Clock, Conn } from "../../src/io/ports.ts";
import { HELLO_MS } from "../../src/limits.ts";
import { Doorkeeper } from "../../src/server/doorkeeper.ts";
import type { UserTable } from "../../src/server/login.ts";
import { Places } from "../../src/server/places.ts";
import { Session } from "../../src/server/session.ts";
import { Turns } from "../../src/server/turns.ts";
import { UploadShares } from "../../src/server/upload_shares.ts";
import { Load } from "../../src/server/weight.ts";
import { HELLO } from "../../src/wire/handshake.ts";
import { requestFrame } from "../../src/wire/frames.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A session at one end of a connection, and the hand that moves its clock and sends its bytes. */
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
  const state = { isClosed: false };
  let reader: ((bytes: Uint8Array | null) => void) | null = null;
  const conn: Conn = {
    peer: "127.0.0.1:5",
    binding: null,
    received: 0,
    sent: 0,
    read: () =>
      state.isClosed ? Promise.resolve(null) : new Promise((resolve) => void (reader = resolve)),
    write: async () => {},
    close() {
      state.isClosed = true;
      reader?.(null);
    },
  };
  const random = { bytes: (n: number) => new Uint8Array(n), fraction: () => 0 };
  const store = {
    sid: "1".repeat(32),
    floor: 0n,
    membership: { settled: async () => {}, cluster: null, config: null },
    read: () => ({ register: { prom: 0n, acc: null, com: null } }),
  };
  void new Session(conn, {
    load: new Load(),
    places: new Places(10),
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
    doorkeeper: new Doorkeeper({ clock, random }),
  } as never).run();
  return {
    state,
    send: async (bytes: Uint8Array): Promise<void> => {
      reader?.(bytes);
      for (let i = 0; i < 4; i++) await turn();
    },
    pass: async (ms: number): Promise<void> => {
      now += ms;
      for (const { fn } of timers.filter(({ at }) => at <= now)) fn();
      timers = timers.filter(({ at }) => at > now);
      await turn();
    },
  };
}

test("who drips bytes and never logs in does not keep a connection", async () => {
  const { state, send, pass } = session(new Map());
  for (let i = 0; i < 3; i++) {
    await send(new Uint8Array(1));
    await pass(HELLO_MS / 2);
  }
  expect(state.isClosed).toBe(true);
});

test("who has said hello and is quiet for a while is not cut off", async () => {
  const { state, send, pass } = session(null);
  await send(Buffer.concat(requestFrame("hello", 1, HELLO)));
  await pass(2 * HELLO_MS);
  await pass(2 * HELLO_MS);
  expect(state.isClosed).toBe(false);
});
