/**
 * Sends the pieces of one new version to their homes. Where a home is silent or full, a piece is
 * handed off to the next live server, so that it has its copies all the same. Used by put.
 */
import { assert, DfsError } from "../../errors.ts";
import { candidates, handingOrder, homesOf } from "../../file/placement.ts";
import type { Shape } from "../../file/layout.ts";
import type { StoredName } from "../../file/names.ts";
import { chunkBytes, chunkOffset, hasParity, parityPieces, pieceBytes } from "../../file/split.ts";
import { CHUNK_BYTES, CHUNKS_PER_PIECE, INLINE_BYTES } from "../../limits.ts";
import type { Cid, Version, Vid } from "../../version.ts";
import type { InlinePiece } from "../../wire/values.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { Supply } from "../agree/rounds.ts";
import { PieceRoots } from "./piece_roots.ts";
import {
  type CutInCopies,
  type HeldBySlot,
  isCoveredIn,
  isWholeIn,
  lacksIn,
  nextServers,
} from "./copies.ts";
import { shortageOf } from "./shortage.ts";
import { hearsMore } from "../connect/silent.ts";
import { Sendings } from "./sendings.ts";
import { Transfer, type WholePiece } from "./transfer.ts";
import { smallPieces } from "./small_pieces.ts";
import type { Source } from "./source.ts";
import { stripeInRoom } from "./stripes.ts";
import { inParallel } from "../connect/window.ts";

export class Pieces implements Supply {
  readonly #cluster: Cluster;
  readonly #name: StoredName;
  /** The content is new: it has the id of its version. */
  readonly cid: Cid;
  readonly #version: Pick<Version, "cid" | "ring"> & CutInCopies;
  readonly #source: Source;
  readonly #progress: (bytes: number) => void;
  readonly #roots: PieceRoots;
  /** The slots that each piece was sent to: they have it, or will have it with the next PREPARE. */
  readonly #sent: Set<number>[];
  readonly #small: InlinePiece[] = [];
  /** Why servers did not take a piece, by slot. */
  readonly #refused = new Map<number, DfsError>();

  constructor(
    cluster: Cluster,
    name: StoredName,
    vid: Vid,
    source: Source,
    shape: Shape,
    ring: number[],
    progress: (bytes: number) => void,
  ) {
    this.#cluster = cluster;
    this.#name = name;
    this.cid = vid;
    this.#version = { ...shape, cid: vid, ring, size: source.bytes };
    this.#roots = new PieceRoots(vid);
    this.#source = source;
    this.#progress = progress;
    this.#sent = Array.from({ length: shape.pieces }, () => new Set());
  }

  /** The root of each piece, once all pieces are sent. */
  get roots(): Uint8Array[] {
    return this.#roots.known.map((root) => {
      assert(root, "a root is known once its piece is sent");
      return root;
    });
  }

  /** Reads small pieces, which ride with PREPARE; sends large ones. Throws for want of copies. */
  async send(): Promise<void> {
    if (pieceBytes(this.#version, 0) <= INLINE_BYTES) await this.#readSmall();
    if (!(await this.#supply(new Map())))
      throw new DfsError("putFailed", await this.shortage(new Map()));
  }

  /** Tells servers that no more of this version comes. Waits for nothing. */
  giveUp(): void {
    for (const [piece, slots] of this.#small.length > 0 ? [] : this.#sent.entries())
      for (const slot of slots) this.#cluster.giveUpUpload(slot, this.#whole(piece));
  }

  shortage(held: HeldBySlot): Promise<string> {
    // A server that promised does not say that it had no room. It only reports no such pieces.
    const full = [...held].flatMap(([slot, pieces]) =>
      this.inlineFor(slot).some(({ piece }) => !pieces.includes(piece)) ? [slot] : [],
    );
    return shortageOf(this.#cluster, this.#version, this.#refused, full);
  }

  inlineFor(slot: number): InlinePiece[] {
    return this.#small.filter(({ piece }) => this.#sent[piece]?.has(slot));
  }

  isWhole(held: HeldBySlot): boolean {
    return isWholeIn(this.#cluster, held, this.#version);
  }

  isCovered(held: HeldBySlot): boolean {
    return isCoveredIn(this.#cluster, held, this.#version);
  }

  cover(held: HeldBySlot): Promise<boolean> {
    // A server that promised may have lost a piece that was collected as an orphan. It may get the
    // piece again. Small pieces came with the promise itself: a server without them has no room.
    for (const [slot, pieces] of this.#small.length > 0 ? [] : held)
      for (const [piece, slots] of this.#sent.entries())
        if (!pieces.includes(piece)) slots.delete(slot);
    return this.#supply(held);
  }

  /** Sends pieces until each has its copies, `held` included. False if servers run out. */
  async #supply(held: HeldBySlot): Promise<boolean> {
    const lacks = lacksIn(this.#cluster, held, this.#version);
    const missing = new Map([...lacks.entries()].filter(([, count]) => count > 0));
    let sent = 0;
    for (let tries = 0; ; tries++) {
      const { arrivals } = this.#cluster;
      const { config } = this.#cluster.view;
      const homes = homesOf(this.#version, config);
      const order = handingOrder(this.#version, config);
      const targets = new Map<number, number[]>();
      let isShort = false;
      for (const [piece, count] of missing) {
        const slots = this.#nextServers(piece, count, candidates(homes, piece, order));
        if (slots.length < count) isShort = true;
        if (slots.length > 0) targets.set(piece, slots);
        for (const slot of slots) this.#sent[piece]?.add(slot);
      }
      // With parity not every piece must find a server. The promises tell whether enough have.
      if (isShort && (targets.size === 0 || !hasParity(this.#version))) {
        // A server that was silent until now may take what the others do not.
        if (await hearsMore(this.#cluster, arrivals, tries)) {
          for (const [piece, slots] of targets)
            for (const slot of slots) this.#sent[piece]?.delete(slot);
          continue;
        }
        if (!hasParity(this.#version)) return false;
      }
      if (targets.size === 0) return !isShort || sent > 0;
      sent += targets.size;
      if (this.#small.length > 0) return true;
      for (const [piece, taken] of await this.#stream(targets))
        missing.set(piece, (missing.get(piece) ?? 0) - taken);
    }
  }

  #nextServers(piece: number, count: number, among: readonly number[]): number[] {
    const pieces = (slot: number): number => this.#sent.filter((slots) => slots.has(slot)).length;
    return nextServers(
      this.#cluster,
      among,
      count,
      (slot) => this.#sent[piece]?.has(slot) === true,
      hasParity(this.#version) ? pieces : null,
    );
  }

  /** Streams pieces to these servers. Returns for each piece how many servers have it durably. */
  async #stream(targets: ReadonlyMap<number, readonly number[]>): Promise<Map<number, number>> {
    if (hasParity(this.#version)) return this.#sendStripes(targets);
    const taken = new Map<number, number>();
    await inParallel(targets, Math.max(1, targets.size), async ([piece, slots]) => {
      taken.set(piece, await this.#sendTo(piece, slots));
    });
    return taken;
  }

  /** Streams pieces side by side, since parity is made of all of them. */
  async #sendStripes(
    targets: ReadonlyMap<number, readonly number[]>,
  ): Promise<Map<number, number>> {
    const cut = this.#version;
    const transfers = [...targets].map(([piece, slots]) => ({
      transfer: this.#transferOf(piece, slots),
      sum: this.#roots.reading(piece, pieceBytes(cut, piece)),
    }));
    const parity = parityPieces(cut).filter((piece) => targets.has(piece));
    const underWay = new Sendings(this.#cluster.signal);
    try {
      for (let offset = 0; offset < pieceBytes(cut, 0); offset += CHUNK_BYTES) {
        if (transfers.every(({ transfer }) => transfer.takers === 0)) break;
        const { window } = this.#cluster;
        const { stripe, release } = await stripeInRoom(window, this.#source, cut, offset, parity);
        try {
          // All are summed before any leaves the stripe's memory, so that a changed file is found.
          const chunks = transfers.flatMap(({ transfer, sum }) => {
            const { piece } = transfer;
            const data = stripe.pieces[piece]?.subarray(0, chunkBytes(cut, piece, offset));
            if (!data || data.length === 0) return [];
            return [{ transfer, data, root: sum(data) }];
          });
          const sending = chunks.map(
            ({ transfer, data, root }) =>
              this.#sendChunk(transfer, offset, root, data).acknowledged,
          );
          underWay.add(Promise.all(sending).finally(release));
        } catch (error) {
          release();
          throw error;
        }
      }
    } finally {
      await underWay.ended();
    }
    return new Map(transfers.map(({ transfer }) => [transfer.piece, transfer.takers]));
  }

  /** Streams one piece to these servers. Returns how many of them have it durably. */
  async #sendTo(piece: number, targets: readonly number[]): Promise<number> {
    const size = pieceBytes(this.#version, piece);
    const sum = this.#roots.reading(piece, size);
    const transfer = this.#transferOf(piece, targets);
    const underWay = new Sendings(this.#cluster.signal);
    try {
      for (let offset = 0; offset < size && transfer.takers > 0; offset += CHUNK_BYTES) {
        await underWay.fewerThan(CHUNKS_PER_PIECE);
        const buffer = await this.#cluster.window.take();
        const data = buffer.subarray(0, chunkBytes(this.#version, piece, offset));
        const chunk = this.#source
          .read(data, chunkOffset(this.#version, piece, offset))
          .then(() => {
            return this.#sendChunk(transfer, offset, sum(data), data);
          });
        // The next chunk is read only after this one was read and its sending has begun.
        const sending = chunk.then(({ acknowledged }) => acknowledged);
        underWay.add(sending.finally(() => this.#cluster.window.giveBack(buffer)));
        await chunk;
      }
    } finally {
      await underWay.ended();
    }
    return transfer.takers;
  }

  #whole(piece: number): WholePiece {
    const size = pieceBytes(this.#version, piece);
    return { name: this.#name, vid: this.cid, cid: this.cid, piece, size };
  }

  #transferOf(piece: number, slots: readonly number[]): Transfer {
    return new Transfer(this.#cluster, this.#whole(piece), slots, (slot, error) => {
      // A full disk is normal while others have room; else `#refused` explains the failure.
      if (error.code !== "noRoom") this.#cluster.reportError(slot, error);
      this.#refused.set(slot, error);
    });
  }

  #sendChunk(transfer: Transfer, offset: number, root: Uint8Array | null, data: Uint8Array) {
    const progress = transfer.piece < this.#version.needed ? data.length : 0;
    return { acknowledged: transfer.send(offset, root, data).then(() => this.#progress(progress)) };
  }

  /** Reads a small file, and makes all its pieces. */
  async #readSmall(): Promise<void> {
    for (const small of await smallPieces(this.#source, this.#version, this.cid)) {
      this.#roots.known[small.piece] = small.root;
      this.#small.push(small);
      if (small.piece < this.#version.needed) this.#progress(small.data.length);
    }
  }
}
