/** When a server counts as down: what is progress, and what is not. */
import { expect, test } from "bun:test";
import { Pulse } from "../../src/client/connect/pulse.ts";
import type { Conn } from "../../src/io/ports.ts";
import { ANSWER_MS, FRAME_MS, PROGRESS_BYTES, PROGRESS_MS } from "../../src/limits.ts";
import { World } from "../sim/world.ts";

const STEP_MS = 1000;
const HOURS = 3600 * 1000;

/** A connection of which only the counters move. */
class Counters implements Conn {
  readonly peer = "counters";
  readonly binding = null;
  received = 0;
  sent = 0;
  read(): Promise<null> {
    return Promise.resolve(null);
  }
  giveBack(): void {}
  write(): Promise<void> {
    return Promise.resolve();
  }
  close(): void {}
}

/** How long something that is asked is waited for, while this happens each second; null: for hours. */
function waited(each: (pulse: Pulse, conn: Counters, second: number) => void): number | null {
  const world = new World(1);
  const conn = new Counters();
  let downAt: number | null = null;
  const pulse = new Pulse(world.clock(), conn, () => (downAt ??= world.now));
  pulse.asked(1);
  for (let second = 1; world.now < HOURS && downAt === null; second++) {
    world.pass(STEP_MS);
    each(pulse, conn, second);
  }
  pulse.stop();
  return downAt;
}

const within = (ms: number) => (at: number | null) => at !== null && at <= ms + STEP_MS;

test("who says nothing is down after some seconds", () => {
  expect(waited(() => {})).toBe(PROGRESS_MS);
});

test("a byte a second is nothing", () => {
  const at = waited((pulse, conn) => {
    conn.received++;
    pulse.received(0, true);
  });
  expect(at).toBe(PROGRESS_MS);
});

test("an answer that comes at a rate is waited for, but not without an end", () => {
  const at = waited((pulse, conn) => {
    conn.received += PROGRESS_BYTES;
    pulse.received(0, true);
  });
  expect(within(FRAME_MS)(at)).toBe(true);
});

test("answers to other questions are signs, but the first one must come as well", () => {
  const at = waited((pulse, _, second) => {
    pulse.asked(second + 1);
    pulse.answered(second + 1);
    pulse.received(1, false);
  });
  expect(within(ANSWER_MS)(at)).toBe(true);
});

test("what a connection takes at once tells nothing of the server", () => {
  const at = waited((pulse, conn, second) => {
    conn.sent += PROGRESS_BYTES;
    pulse.asked(second + 1);
    pulse.writing(PROGRESS_BYTES, Promise.resolve());
  });
  expect(at).toBe(PROGRESS_MS);
});

test("a long write that gets on is a sign, and one that drips is none", () => {
  const writing = (bytes: number) =>
    waited((pulse, conn, second) => {
      if (second === 1) pulse.writing(Infinity, new Promise(() => {}));
      conn.sent += bytes;
    });
  expect(within(ANSWER_MS)(writing(PROGRESS_BYTES))).toBe(true);
  expect(within(2 * PROGRESS_MS)(writing(PROGRESS_BYTES))).toBe(false);
  expect(writing(1)).toBe(PROGRESS_MS);
});

test("who answers all is never down", () => {
  const at = waited((pulse, _, second) => {
    pulse.answered(second);
    pulse.received(1, false);
    pulse.asked(second + 1);
  });
  expect(at).toBeNull();
});
