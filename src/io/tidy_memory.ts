/**
 * What goes through sockets is garbage a moment later, and it lies outside of the heap by whose growth the collector decides when to
 * look. So it is told to, every so many bytes, where much of it lies about: that keeps a busy server small.
 * ("External" has the bytes that sockets and SQLite gave too, which "arrayBuffers" has not.)
 */
import { MIB } from "../limits.ts";

const LOOK_EVERY_BYTES = 12 * MIB;
const LYING_ABOUT_BYTES = 24 * MIB;

let moved = 0;

/** So many bytes came or went. */
export function passed(bytes: number): void {
  moved += bytes;
  if (moved < LOOK_EVERY_BYTES) return;
  moved = 0;
  if (process.memoryUsage().external > LYING_ABOUT_BYTES) Bun.gc(true);
}
