/** A store over simulated servers, and streams of bytes, for the tests of the library. */
import { Store } from "../../src/api/store.ts";
import { PAIRS } from "../../src/file/layout.ts";
import type { Stage } from "../sim/levels_stage.ts";

/** What a program does with a store of four servers. */
export const using = <T>(stage: Stage, work: (store: Store) => Promise<T>): T =>
  stage.run((cluster) =>
    work(new Store(cluster, { layout: PAIRS, placement: "name" }, () => cluster.close())),
  );

export async function* inParts(bytes: Uint8Array, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

/** A stream of these bytes; with `isStuck` it never ends. `cancelled` is told when nobody wants more. */
export function streamOf(
  bytes: Uint8Array,
  { isStuck = false, cancelled = () => {} } = {},
): ReadableStream<Uint8Array> {
  const parts = inParts(bytes, 100_000);
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (value) controller.enqueue(value);
      if (done && isStuck) await new Promise<void>(() => {});
      if (done) controller.close();
    },
    cancel: cancelled,
  });
}

export async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

export const isSame = (one: Uint8Array, other: Uint8Array): boolean =>
  Buffer.compare(one, other) === 0;

export async function contentIn(store: Store, name: string): Promise<Uint8Array> {
  const reader = await store.open(name);
  const bytes = await bytesOf(reader.stream());
  reader.close();
  return bytes;
}
