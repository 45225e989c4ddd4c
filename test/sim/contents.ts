/** What simulated clients put, and where what they get goes. */
import type { Found, Sink } from "../../src/client/fetch/sink.ts";
import type { Source } from "../../src/client/send/source.ts";
import { Violation } from "./invariants.ts";

const SEED_BYTES = 16;

/** The bytes of a content: its number and length in front, as far as they fit, then a pattern that both make. */
export function contentOf(value: number, bytes: number): Uint8Array {
  const data = new Uint8Array(bytes).fill(value * 31 + 7);
  const head = new TextEncoder().encode(`${value}:${bytes}|`.padEnd(SEED_BYTES, "."));
  data.set(head.subarray(0, bytes));
  for (let i = SEED_BYTES; i < bytes; i += 997) data[i] = (value + i) & 0xff;
  return data;
}

export const sourceOf = (data: Uint8Array): Source => ({
  bytes: data.length,
  modified: 0,
  mode: 0o644,
  read: async (into, offset) => into.set(data.subarray(offset, offset + into.length)),
});

export function memorySink(inOrder: boolean): Sink & { data: Uint8Array } {
  let next = 0;
  const sink = {
    inOrder,
    data: new Uint8Array(),
    async open(found: Found) {
      sink.data = new Uint8Array(found.bytes);
      next = 0;
    },
    async write(bytes: Uint8Array, offset: number) {
      if (inOrder && offset !== next) throw new Violation("a stream was written out of order");
      next = offset + bytes.length;
      sink.data.set(bytes, offset);
    },
    ...(!inOrder && {
      draft: (bytes: Uint8Array, offset: number) => sink.data.set(bytes, offset),
    }),
  };
  return sink;
}
