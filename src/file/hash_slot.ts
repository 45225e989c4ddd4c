/**
 * The hash slot of a name: one of 65,536 groups of names, for ever. A server notes it with each
 * content, so that its contents can be told apart by it. Used by the store.
 */
import { createHash } from "node:crypto";

/** The first 16 bits of SHA-256(space, a zero byte, name). `name` is the one that servers know. */
export const hashSlotOf = (space: string, name: string): number =>
  createHash("sha256").update(`${space}\0${name}`).digest().readUInt16BE(0);
