/** What is held for peers, and who may ask for more. */
import { expect, test } from "bun:test";
import {
  FRAME_BYTES,
  INFLIGHT_BYTES,
  INFLIGHT_BYTES_MAX,
  INFLIGHT_BYTES_PER_CONNECTION,
  KIB,
  ROOM_POLL_MS,
  STALLED_MS,
} from "../../src/limits.ts";
import { ServerLoad, roomOf, ConnectionLoad } from "../../src/server/bounds/load.ts";

const REPLY = 200 * KIB;

/** Adds replies until there is no room; returns how much that is. */
function hog(weight: ConnectionLoad): number {
  const before = weight.held;
  while (weight.hasRoom) weight.add(REPLY);
  return weight.held - before;
}

test("one connection has its limit, and many together have theirs and leave some for the next", () => {
  const load = new ServerLoad();
  const first = hog(new ConnectionLoad(load));
  expect(first).toBeLessThanOrEqual(INFLIGHT_BYTES_PER_CONNECTION);
  for (let i = 0; i < 20; i++) hog(new ConnectionLoad(load));
  expect(load.bytes).toBeLessThan(INFLIGHT_BYTES + 20 * REPLY);
  for (let i = 0; i < 1000; i++) hog(new ConnectionLoad(load));
  expect(load.bytes).toBeLessThan(INFLIGHT_BYTES_MAX + REPLY);
});

test("24 hogs that take nothing leave every other one a request at a time", () => {
  const load = new ServerLoad();
  for (let i = 0; i < 24; i++) hog(new ConnectionLoad(load));
  for (let i = 0; i < 24; i++) expect(hog(new ConnectionLoad(load))).toBeGreaterThanOrEqual(REPLY);
});

test("all connections of one user together leave half to the others", () => {
  const load = new ServerLoad();
  const mallory = Array.from({ length: 100 }, () => new ConnectionLoad(load));
  for (const weight of mallory) weight.setUser("Mallory");
  for (const weight of mallory.slice(0, 5)) hog(weight);
  expect(load.bytes).toBeLessThan(INFLIGHT_BYTES / 2 + 5 * REPLY);
  const alice = new ConnectionLoad(load);
  alice.setUser("Alice");
  expect(hog(alice)).toBeGreaterThan(4 * REPLY);
  // Whose weight is gone has as much room as ever.
  for (const weight of mallory) weight.add(-weight.held);
  for (const weight of mallory) weight.leave();
  alice.add(-alice.held);
  expect(load.bytes).toBe(0);
  expect(hog(alice)).toBeGreaterThan(INFLIGHT_BYTES_PER_CONNECTION / 2);
});

test("where little is left who has stalled for longest goes, as many as it takes", () => {
  const load = new ServerLoad();
  const closed: number[] = [];
  const peer = (n: number, held: number, stalledSince: number | null): void => {
    load.add(held);
    load.join({ held, stalledSince, close: () => closed.push(n) });
  };
  peer(1, FRAME_BYTES / 2, 300);
  peer(2, FRAME_BYTES / 2, 100);
  peer(3, FRAME_BYTES / 2, 200);
  peer(4, 100, null);
  load.relieve(STALLED_MS + 1000);
  expect(closed).toEqual([]);
  load.add(INFLIGHT_BYTES_MAX - load.bytes);
  load.relieve(STALLED_MS + 99);
  expect(closed).toEqual([]);
  load.relieve(STALLED_MS + 99 + ROOM_POLL_MS + 300);
  expect(closed).toEqual([2, 3]);
});

test("where there is far too much nobody has time", () => {
  const load = new ServerLoad();
  let isClosed = false;
  load.add(2 * INFLIGHT_BYTES_MAX);
  load.join({ held: INFLIGHT_BYTES_MAX, stalledSince: 1000, close: () => void (isClosed = true) });
  load.relieve(1001);
  expect(isClosed).toBe(true);
});

test("a frame keeps the buffers that its parts are of", () => {
  const buffer = new Uint8Array(1000);
  const parts = [buffer.subarray(0, 10), buffer.subarray(10, 20), new Uint8Array(50)];
  expect(roomOf(parts)).toBe(1050);
});
