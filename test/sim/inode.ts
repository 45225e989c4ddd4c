/**
 * One simulated file's content: what a reader sees, and what of it would survive a loss of power.
 * Each write since the last sync is kept, lost or torn on its own; bytes that are lost read as what
 * was there before, or as zeros.
 */
import type { Rng } from "./random.ts";

interface Unsynced {
  /** Its place in the order of all that the disk was asked to do. */
  readonly order: number;
  readonly offset: number;
  readonly length: number;
  /** Only for a write over bytes that were there: what it wrote, and what it wrote over. */
  readonly over: { readonly bytes: Uint8Array; readonly before: Uint8Array } | null;
  /**
   * A sync of it failed: the kernel has forgotten that it is not on the disk, and no later sync
   * will put it there.
   */
  doomed: boolean;
}

/** Beyond so many unsynced writes the oldest is written back, as a kernel does after a while. */
const UNSYNCED_MAX = 64;

export class Inode {
  size = 0;
  modified: number;
  /**
   * Whether a folder names it, and how many handles hold it open: with neither, its room is free
   * again.
   */
  linked = true;
  handles = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  #syncedSize = 0;
  #unsynced: Unsynced[] = [];

  constructor(modified: number) {
    this.modified = modified;
  }

  /** A view of the content; valid until the next write. */
  get content(): Uint8Array {
    return this.#bytes.subarray(0, this.size);
  }

  read(into: Uint8Array, offset: number): number {
    const part = this.#bytes.subarray(offset, Math.min(this.size, offset + into.length));
    into.set(part);
    return part.length;
  }

  write(bytes: Uint8Array, offset: number, order: number): void {
    const end = offset + bytes.length;
    const overlaps = offset < this.size;
    const over = overlaps
      ? {
          bytes: new Uint8Array(bytes),
          before: this.#bytes.slice(offset, Math.min(end, this.size)),
        }
      : null;
    this.#reserve(end);
    this.#bytes.set(bytes, offset);
    this.size = Math.max(this.size, end);
    this.#unsynced.push({ order, offset, length: bytes.length, over, doomed: false });
    if (this.#unsynced.length > UNSYNCED_MAX) {
      const oldest = this.#unsynced.shift() as Unsynced;
      this.#syncedSize = Math.max(this.#syncedSize, oldest.offset + oldest.length);
    }
  }

  /** All writes up to `order` are durable now; but for those whose sync failed before. */
  sync(order: number): void {
    this.#unsynced = this.#unsynced.filter((write) => {
      if (write.order > order || write.doomed) return true;
      this.#syncedSize = Math.max(this.#syncedSize, write.offset + write.length);
      return false;
    });
  }

  /** A sync of all writes up to `order` failed. */
  failSync(order: number): void {
    for (const write of this.#unsynced) if (write.order <= order) write.doomed = true;
  }

  /** Puts durable content into place, for a workload that prepares a disk. */
  put(bytes: Uint8Array): void {
    this.#bytes = new Uint8Array(bytes);
    this.size = bytes.length;
    this.#syncedSize = bytes.length;
    this.#unsynced = [];
  }

  flip(offset: number, bits: number): void {
    if (offset >= this.size)
      throw new Error(`bug: there is no byte ${offset} in a file of ${this.size}`);
    this.#bytes[offset] = (this.#bytes[offset] as number) ^ bits;
  }

  /**
   * Power is lost: each unsynced write is kept with probability `keep`. What is left is durable.
   */
  crash(rng: Rng, keep: number): void {
    const writes = this.#unsynced;
    if (writes.length === 0) return;
    const kept = writes.map((write) => survivors(write, rng, keep));
    for (const { over, offset } of writes.toReversed())
      if (over) this.#bytes.set(over.before, offset);
    const bytes = new Uint8Array(this.size);
    bytes.set(this.#bytes.subarray(0, this.#syncedSize));
    let size = this.#syncedSize;
    writes.forEach(({ offset, over, length }, i) => {
      const [from, to] = kept[i] as [number, number];
      if (from === to) return;
      const source = over?.bytes ?? this.#bytes.subarray(offset, offset + length);
      bytes.set(source.subarray(from, to), offset + from);
      size = Math.max(size, offset + to);
    });
    // Some filesystems remember the size before the bytes: then the tail reads as zeros.
    if (rng.chance(0.25)) size = this.size;
    this.#bytes = bytes;
    this.size = size;
    this.#syncedSize = size;
    this.#unsynced = [];
  }

  #reserve(end: number): void {
    if (end <= this.#bytes.length) return;
    const room = this.#bytes.length === 0 ? end : Math.max(end, 2 * this.#bytes.length);
    const grown = new Uint8Array(room);
    grown.set(this.#bytes.subarray(0, this.size));
    this.#bytes = grown;
  }
}

/** Which bytes of a write survive: all, none, or those up to or from some point on. */
function survivors({ length }: Unsynced, rng: Rng, keep: number): [number, number] {
  if (rng.chance(0.2)) {
    const point = rng.int(length + 1);
    return rng.chance(0.7) ? [0, point] : [point, length];
  }
  return rng.chance(keep) ? [0, length] : [0, 0];
}
