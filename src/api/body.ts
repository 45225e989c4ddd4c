/**
 * What can be put: bytes, text, what can be read at any offset, and streams. Used by store.ts.
 */
import { orInterrupted } from "../client/connect/living/interruption.ts";
import { inMemory, type Source } from "../client/send/source.ts";
import { DfsError } from "../errors.ts";
import type { Attributes } from "../file/attributes.ts";

/** What can be read at any offset, more than once; a Reader is one. */
export interface Seekable {
  /** In bytes. */
  readonly size: number;
  /** Fills `into` with the bytes from `offset` on, and returns how many these are. */
  read(into: Uint8Array, offset: number): Promise<number>;
}

/** Bytes that come one after the other, once. */
export type ByteParts = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

export type Body = string | Uint8Array | Blob | Seekable | ByteParts;

/** The body as a source; null where it is a stream. */
export function sourceOf(body: Body, attributes: Attributes): Source | null {
  if (typeof body === "string") return inMemory(Buffer.from(body), attributes);
  if (body instanceof Uint8Array) return inMemory(body, attributes);
  if (body instanceof Blob) return sourceFrom(ofBlob(body), attributes);
  return "read" in body ? sourceFrom(body, attributes) : null;
}

const ofBlob = (blob: Blob): Seekable => ({
  size: blob.size,
  async read(into, offset) {
    const part = await blob.slice(offset, offset + into.length).bytes();
    into.set(part);
    return part.length;
  },
});

const sourceFrom = (body: Seekable, attributes: Attributes): Source => ({
  bytes: body.size,
  attributes,
  async read(into, offset) {
    for (let filled = 0; filled < into.length;) {
      const length = await body.read(into.subarray(filled), offset + filled);
      if (length === 0) throw ofOtherSize(offset + filled, body.size);
      filled += length;
    }
  },
});

const ofOtherSize = (is: number, promised: number): DfsError =>
  new DfsError("putFailed", `the body has ${is} bytes, and not ${promised} as it was said to have`);

/**
 * The parts of a stream. They end once the signal is aborted, also while the stream gives nothing.
 * Throws DfsError("interrupted") then, and ("putFailed") where it has not `size` bytes. A stream
 * that is not read to its end is cancelled.
 */
export async function* partsOf(
  stream: ByteParts,
  size: number | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const { next, cancel } = openParts(stream);
  let bytes = 0;
  let isOver = false;
  try {
    for (;;) {
      const { done, value } = await orInterrupted(next(), signal ?? null);
      isOver = done === true;
      if (isOver || !value) break;
      bytes += value.length;
      if (bytes > (size ?? Infinity)) throw ofOtherSize(bytes, size ?? 0);
      yield value;
    }
    if (bytes !== (size ?? bytes)) throw ofOtherSize(bytes, size ?? 0);
  } finally {
    // It is not waited for: a stream that gives nothing may not answer either.
    if (!isOver) cancel().catch(() => {});
  }
}

/** What takes the next part of a stream, and what cancels it, even while a part is waited for. */
function openParts(stream: ByteParts): {
  readonly next: () => Promise<{
    readonly done?: boolean;
    readonly value?: Uint8Array | undefined;
  }>;
  readonly cancel: () => Promise<unknown>;
} {
  if (stream instanceof ReadableStream) {
    const reader = stream.getReader();
    return { next: () => reader.read(), cancel: () => reader.cancel() };
  }
  const parts = stream[Symbol.asyncIterator]();
  return {
    next: () => parts.next(),
    cancel: async () => parts.return?.(),
  };
}
