/**
 * Keeps a server under a flood small, by asking the garbage collector to run. Bytes that pass
 * through sockets are garbage a moment later; but they are outside of the heap, and the collector
 * decides by the heap's growth when to run. So it is told to run after every so many bytes, if much
 * such memory is in use. Pieces that are read add little to it: they are freed once they are sent.
 * Used by the command that serves.
 * ("External" counts the bytes that sockets and SQLite gave too; "arrayBuffers" does not.)
 */
import { MIB } from "../../limits.ts";

const CHECK_EVERY_BYTES = 12 * MIB;
const GARBAGE_BYTES = 24 * MIB;

let moved = 0;

/** Counts bytes that were received or sent. */
export function countBytes(bytes: number): void {
  moved += bytes;
  if (moved < CHECK_EVERY_BYTES) return;
  moved = 0;
  if (process.memoryUsage().external > GARBAGE_BYTES) Bun.gc(true);
}
