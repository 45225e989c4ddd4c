/**
 * The real Conn: one connection on Bun's sockets, with TLS or without. Used by bun.ts and
 * bun_tls.ts.
 */
import { concat } from "../bytes.ts";
import { free } from "../cursor.ts";
import { assert, DfsError } from "../errors.ts";
import { BATCH_BYTES, INBOX_BYTES } from "../limits.ts";
import type { Conn } from "./ports.ts";

interface Pending {
  readonly part: Uint8Array;
  taken: number;
  readonly done: { resolve: () => void; reject: (error: DfsError) => void } | null;
}

/** The small writes of one turn of the event loop, and one promise for all of them. */
interface Batch {
  readonly parts: Uint8Array[];
  bytes: number;
  readonly sent: PromiseWithResolvers<void>;
}

/** One connection. Bun's write() passes on only what the kernel takes; the rest is queued here. */
export class BunConn implements Conn {
  received = 0;
  sent = 0;
  peer = "?";
  binding: Uint8Array | null = null;
  #socket: Bun.Socket<BunConn> | null = null;
  #inbox: Uint8Array[] = [];
  #inboxBytes = 0;
  #paused = false;
  #ended = false;
  #reader: ((bytes: Uint8Array | null) => void) | null = null;
  #queue: Pending[] = [];
  #batch: Batch | null = null;
  readonly #onBytes: (bytes: number) => void;

  /** `onBytes` hears how many bytes came, or are to go. */
  constructor(onBytes: (bytes: number) => void) {
    this.#onBytes = onBytes;
  }

  /** Called when the connection is open, with its TLS if there is any. */
  onOpen(socket: Bun.Socket<BunConn>, peer: string, binding: Uint8Array | null): void {
    this.#socket = socket;
    this.peer = peer;
    this.binding = binding;
  }

  onData(bytes: Uint8Array): void {
    this.received += bytes.length;
    this.#onBytes(bytes.length);
    const reader = this.#reader;
    this.#reader = null;
    if (reader) return reader(bytes);
    this.#inbox.push(bytes);
    this.#inboxBytes += bytes.length;
    if (this.#inboxBytes >= INBOX_BYTES && !this.#paused) {
      this.#paused = true;
      this.#socket?.pause();
    }
  }

  onDrain(): void {
    while (this.#queue.length > 0) {
      const head = this.#queue[0];
      assert(head, "the queue has a head");
      if (!this.#push(head)) return;
      this.#queue.shift();
      head.done?.resolve();
    }
  }

  onEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader?.(null);
    this.#reader = null;
    for (const { done } of this.#queue) done?.reject(this.#broken());
    this.#queue = [];
  }

  read(): Promise<Uint8Array | null> {
    assert(this.#reader === null, "one read at a time");
    const bytes = this.#inbox.shift();
    if (bytes) {
      this.#inboxBytes -= bytes.length;
      if (this.#paused && this.#inbox.length === 0) {
        this.#paused = false;
        this.#socket?.resume();
      }
      return Promise.resolve(bytes);
    }
    if (this.#ended) return Promise.resolve(null);
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  giveBack(bytes: Uint8Array): void {
    free(bytes);
  }

  write(...parts: Uint8Array[]): Promise<void> {
    if (this.#ended) return Promise.reject(this.#broken());
    const bytes = parts.reduce((sum, { length }) => sum + length, 0);
    this.#onBytes(bytes);
    if (bytes >= BATCH_BYTES) {
      this.#flush();
      return this.#send(parts);
    }
    const batch = (this.#batch ??= this.#newBatch());
    for (const part of parts) batch.parts.push(part);
    batch.bytes += bytes;
    if (batch.bytes >= BATCH_BYTES) this.#flush();
    return batch.sent.promise;
  }

  close(): void {
    const socket = this.#socket;
    this.#flush();
    this.#inbox = [];
    this.#inboxBytes = 0;
    this.onEnd();
    socket?.end();
  }

  #newBatch(): Batch {
    setImmediate(() => this.#flush());
    const sent = Promise.withResolvers<void>();
    // Not every caller awaits its write.
    sent.promise.catch(() => {});
    return { parts: [], bytes: 0, sent };
  }

  /**
   * Sends the small writes of one turn together, for each system call costs as much as some
   * kilobytes.
   */
  #flush(): void {
    const batch = this.#batch;
    this.#batch = null;
    if (batch) this.#send([concat(batch.parts)]).then(batch.sent.resolve, batch.sent.reject);
  }

  /** Gives the kernel what it takes now. The rest waits in the queue. */
  #send(parts: Uint8Array[]): Promise<void> {
    if (this.#ended) return Promise.reject(this.#broken());
    let i = 0;
    if (this.#queue.length === 0) {
      for (; i < parts.length; i++) {
        const entry: Pending = { part: parts[i] as Uint8Array, taken: 0, done: null };
        if (!this.#push(entry)) {
          parts[i] = entry.part.subarray(entry.taken);
          break;
        }
      }
      if (i === parts.length) return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      for (; i < parts.length; i++) {
        const done = i === parts.length - 1 ? { resolve, reject } : null;
        this.#queue.push({ part: parts[i] as Uint8Array, taken: 0, done });
      }
      if (this.#ended) this.onEnd();
    });
  }

  /** Gives the kernel what it takes of this part. Returns whether that was all of it. */
  #push(entry: Pending): boolean {
    const left = entry.part.length - entry.taken;
    if (left === 0) return true;
    const n = this.#socket?.write(entry.part, entry.taken, left) ?? -1;
    if (n > 0) {
      this.sent += n;
      entry.taken += n;
    }
    return entry.taken === entry.part.length;
  }

  #broken(): DfsError {
    return new DfsError("down", `${this.peer}: the connection broke`);
  }
}
