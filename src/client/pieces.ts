/**
 * The pieces of one new version on their way to servers. Each piece goes to its homes; where one of them is silent or full,
 * to the next live server round the ring (handoff), so that it has its copies all the same.
 */
import { assert, DfsError, isDfsError } from "../errors.ts";
import { rootOf, sealOf, sumsOf } from "../file/checksum.ts";
import { candidates } from "../file/placement.ts";
import { pieceBytes, pieceOffset } from "../file/split.ts";
import { concat } from "../bytes.ts";
import { BLOCK_BYTES, CHUNK_BYTES, CHUNKS_PER_PIECE, INLINE_BYTES } from "../limits.ts";
import type { Vid } from "../version.ts";
import type { InlinePiece } from "../wire/messages.ts";
import type { Cluster } from "./cluster.ts";
import type { Supply } from "./rounds.ts";
import { inParallel } from "./window.ts";

/** What is put: bytes that can be read at any offset, more than once. */
export interface Source {
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly modified: number;
  /** Permission bits. */
  readonly mode: number;
  /** Fills `into` from `offset` on; throws when there are fewer bytes than were promised. */
  read(into: Uint8Array, offset: number): Promise<void>;
}

export interface Shape {
  readonly pieces: number;
  readonly copies: number;
  readonly x: number;
}

export class Pieces implements Supply {
  readonly #cluster: Cluster;
  readonly #name: string;
  readonly #vid: Vid;
  readonly #source: Source;
  readonly #shape: Shape;
  readonly #progress: (bytes: number) => void;
  readonly #roots: (Uint8Array | undefined)[] = [];
  /** Slots that a piece was sent to: those that have it, or will have it with the next PREPARE. */
  readonly #sent: Set<number>[];
  readonly #small: InlinePiece[] = [];

  constructor(
    cluster: Cluster,
    name: string,
    vid: Vid,
    source: Source,
    shape: Shape,
    progress: (bytes: number) => void,
  ) {
    this.#cluster = cluster;
    this.#name = name;
    this.#vid = vid;
    this.#source = source;
    this.#shape = shape;
    this.#progress = progress;
    this.#sent = Array.from({ length: shape.pieces }, () => new Set());
  }

  /** The root of each piece, once all are sent. */
  get roots(): Uint8Array[] {
    return this.#roots.map((root) => {
      assert(root, "a root is known once its piece is sent");
      return root;
    });
  }

  /** Small pieces are read now and ride with PREPARE; large ones are sent. Throws when copies cannot be had. */
  async send(): Promise<void> {
    const all = Array.from({ length: this.#shape.pieces }, (_, piece) => piece);
    const isSmall = pieceBytes(this.#source.bytes, this.#shape.pieces, 0) <= INLINE_BYTES;
    if (isSmall) for (const piece of all) this.#small.push(await this.#readSmall(piece));
    const holders = new Map<number, number[]>();
    if (!(await this.#supply(all, holders)))
      throw new DfsError(
        "putFailed",
        `not enough servers take its pieces: ${this.#cluster.live.length} answer`,
      );
  }

  inlineFor(slot: number): InlinePiece[] {
    return this.#small.filter(({ piece }) => this.#sent[piece]?.has(slot));
  }

  isCovered(held: ReadonlyMap<number, readonly number[]>): boolean {
    return this.#sent.every((_, piece) => this.#copiesIn(held, piece) >= this.#shape.copies);
  }

  cover(held: ReadonlyMap<number, readonly number[]>): Promise<boolean> {
    // A server that promised and has a piece no more, because somebody collected it as an orphan, may get it again.
    for (const [slot, pieces] of held)
      for (const [piece, slots] of this.#sent.entries())
        if (!pieces.includes(piece)) slots.delete(slot);
    const lacking = [...this.#sent.keys()].filter(
      (piece) => this.#copiesIn(held, piece) < this.#shape.copies,
    );
    return this.#supply(lacking, held);
  }

  #copiesIn(held: ReadonlyMap<number, readonly number[]>, piece: number): number {
    return [...held.values()].filter((pieces) => pieces.includes(piece)).length;
  }

  /** Brings each of these pieces to its copies, those in `held` counted; false when servers run out. */
  async #supply(
    pieces: readonly number[],
    held: ReadonlyMap<number, readonly number[]>,
  ): Promise<boolean> {
    let done = true;
    await inParallel(pieces, Math.max(1, pieces.length), async (piece) => {
      const missing = this.#shape.copies - this.#copiesIn(held, piece);
      done = (await this.#bring(piece, missing)) && done;
    });
    return done;
  }

  /** Sends one piece to `count` more servers; false when there are not that many. */
  async #bring(piece: number, count: number): Promise<boolean> {
    for (let missing = count; missing > 0;) {
      const targets = this.#nextFor(piece, missing);
      if (targets.length < missing) return false;
      for (const slot of targets) this.#sent[piece]?.add(slot);
      missing = this.#small.length > 0 ? 0 : missing - (await this.#sendTo(piece, targets));
    }
    return true;
  }

  #nextFor(piece: number, count: number): number[] {
    const fresh = candidates(this.#shape.x, piece, this.#cluster.size).filter(
      (slot) => this.#cluster.peer(slot) && !this.#sent[piece]?.has(slot),
    );
    return fresh.slice(0, count);
  }

  /** Streams one piece to these servers; returns how many of them have it durably. */
  async #sendTo(piece: number, targets: readonly number[]): Promise<number> {
    const { bytes } = this.#source;
    const size = pieceBytes(bytes, this.#shape.pieces, piece);
    const start = pieceOffset(bytes, this.#shape.pieces, piece);
    const sums: Uint8Array[] = [];
    const alive = new Set(targets);
    const onTheWay: Promise<void>[] = [];
    try {
      for (let offset = 0; offset < size && alive.size > 0; offset += CHUNK_BYTES) {
        await onTheWay.at(-CHUNKS_PER_PIECE);
        const buffer = await this.#cluster.window.take();
        const data = buffer.subarray(0, Math.min(CHUNK_BYTES, size - offset));
        const chunk = this.#source.read(data, start + offset).then(() => {
          sums.push(sumsOf(this.#vid, piece, offset / BLOCK_BYTES, data));
          const isLast = offset + data.length === size;
          const root = isLast ? this.#settleRoot(piece, size, concat(sums)) : null;
          return this.#sendChunk(piece, size, offset, root, data, alive);
        });
        // A chunk is sent once it is read, so the next is read only then.
        const sending = chunk.then(({ acknowledged }) => acknowledged);
        onTheWay.push(sending.finally(() => this.#cluster.window.giveBack(buffer)));
        await chunk;
      }
    } finally {
      await Promise.allSettled(onTheWay);
    }
    return alive.size;
  }

  /** Puts one chunk on the way to all that are alive; those that do not take it are alive no more. */
  #sendChunk(
    piece: number,
    size: number,
    offset: number,
    root: Uint8Array | null,
    data: Uint8Array,
    alive: Set<number>,
  ) {
    const calls = [...alive].map(async (slot) => {
      try {
        const to = { name: this.#name, vid: this.#vid, piece, size, offset, root, data };
        await this.#cluster.call(slot, "upload", to);
      } catch (error) {
        if (!isDfsError(error)) throw error;
        if (alive.delete(slot)) this.#cluster.mention(slot, error);
      }
    });
    const acknowledged = Promise.all(calls).then(() => this.#progress(data.length));
    return { acknowledged };
  }

  async #readSmall(piece: number): Promise<InlinePiece> {
    const { bytes } = this.#source;
    const data = new Uint8Array(pieceBytes(bytes, this.#shape.pieces, piece));
    if (data.length > 0)
      await this.#source.read(data, pieceOffset(bytes, this.#shape.pieces, piece));
    const { root } = sealOf(this.#vid, piece, data);
    this.#roots[piece] = root;
    this.#progress(data.length);
    return { piece, root, data };
  }

  #settleRoot(piece: number, size: number, table: Uint8Array): Uint8Array {
    const root = rootOf(this.#vid, piece, size, table);
    const known = this.#roots[piece];
    if (known && Buffer.compare(known, root) !== 0)
      throw new DfsError("putFailed", `${this.#name} changed while it was read`);
    this.#roots[piece] = root;
    return root;
  }
}
