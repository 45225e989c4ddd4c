/**
 * Sends the pieces of a stream while it comes, stripe by stripe. A piece goes to its homes; where
 * one of them is silent or full as the stream begins, to the next live server. A server that is
 * lost later is lost for its pieces, and the others go on: what it had cannot be read again. Used
 * by put_stream, which makes good what is lost.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import { rootOf, SumTable, sumsOf } from "../../file/checksum.ts";
import type { Shape } from "../../file/layout.ts";
import { candidates, handingOrder, homesOf } from "../../file/placement.ts";
import { hasParity, stripeBytes } from "../../file/split.ts";
import { BLOCK_BYTES, CHUNKS_PER_PLACE } from "../../limits.ts";
import type { Cluster } from "../connect/cluster.ts";
import { hearsMore } from "../connect/silent.ts";
import type { OrderedReader } from "./byte_stream.ts";
import { nextServers } from "./copies.ts";
import type { Target } from "./deliver.ts";
import { shortageOf } from "./shortage.ts";
import { partsOf } from "./stripes.ts";

/** A piece while it is sent. */
interface Sending {
  readonly piece: number;
  readonly sums: SumTable;
  bytes: number;
  /** The slots that it was sent to, and those that have all of it so far. */
  readonly tried: Set<number>;
  readonly alive: Set<number>;
}

const NOTHING = new Uint8Array();

export class StreamPieces {
  readonly #cluster: Cluster;
  readonly #target: Target;
  readonly #shape: Shape;
  readonly #ring: number[];
  readonly #progress: (bytes: number) => void;
  readonly #pieces: Sending[];
  /** Buffers of one stripe that nothing is in just now. */
  readonly #free: Uint8Array[] = [];
  /** Why servers did not take a piece, by slot. */
  readonly #refused = new Map<number, DfsError>();
  /** How many bytes came. */
  size = 0;
  /** The root of each piece, once all is sent. */
  roots: Uint8Array[] = [];

  /** The vid of the target is the id of the content too. */
  constructor(
    cluster: Cluster,
    target: Target,
    shape: Shape,
    ring: number[],
    progress: (bytes: number) => void,
  ) {
    this.#cluster = cluster;
    this.#target = target;
    this.#shape = shape;
    this.#ring = ring;
    this.#progress = progress;
    this.#pieces = Array.from({ length: shape.pieces }, (_, piece) => ({
      piece,
      sums: new SumTable(),
      bytes: 0,
      tried: new Set(),
      alive: new Set(),
    }));
  }

  /** For each piece, the slots that have all of it. */
  get holders(): number[][] {
    return this.#pieces.map(({ alive }) => [...alive]);
  }

  /**
   * Reads the stream to its end, and sends it. Throws DfsError("putFailed") for want of copies, and
   * what the stream throws. Servers then drop what they were sent.
   */
  async send(stream: OrderedReader): Promise<void> {
    const underWay = new Set<Promise<void>>();
    try {
      for (let isOver = false; !isOver;) {
        const buffer = this.#free.pop() ?? new Uint8Array(stripeBytes(this.#shape));
        // No place of the window is taken meanwhile: others need not wait for the stream.
        const length = await stream.readInto(buffer);
        isOver = length < buffer.length;
        if (length === 0) break;
        const { parts, release } = await this.#cut(buffer, length);
        const sending = this.#sendStripe(parts, length).finally(release);
        underWay.add(sending);
        sending.then(
          () => underWay.delete(sending),
          () => {},
        );
        // The first stripe finds the servers that the others go to.
        if (this.size === 0) await sending;
        this.size += length;
        this.#checkHeld();
      }
      await Promise.all(underWay);
      await this.#finish();
      this.#checkHeld();
    } catch (error) {
      await Promise.allSettled(underWay);
      this.giveUp();
      throw error;
    }
  }

  /** The parts of a stripe, once there is room in the window. `release` gives back all of it. */
  async #cut(
    buffer: Uint8Array,
    length: number,
  ): Promise<{ parts: readonly Uint8Array[]; release: () => void }> {
    const cut = { ...this.#shape, size: length };
    const leave = await this.#cluster.window.enter(Math.ceil(cut.pieces / CHUNKS_PER_PLACE));
    const giveBack = (): void => {
      this.#free.push(buffer);
      leave();
    };
    try {
      const { parts, release } = await partsOf(buffer.subarray(0, length), cut);
      const releaseAll = (): void => {
        release();
        giveBack();
      };
      return { parts, release: releaseAll };
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  /**
   * Sends a part to each piece. All is under way once this returns, so that stripes keep their
   * order.
   */
  async #sendStripe(parts: readonly Uint8Array[], length: number): Promise<void> {
    const { vid } = this.#target;
    const portions = this.#pieces.map((sending) => {
      const data = parts[sending.piece] ?? NOTHING;
      const offset = sending.bytes;
      sending.sums.add(sumsOf(vid, sending.piece, offset / BLOCK_BYTES, data));
      sending.bytes += data.length;
      return { sending, offset, data };
    });
    if (this.size === 0) await this.#begin(parts);
    else
      await Promise.all(
        portions.flatMap(({ sending, offset, data }) =>
          data.length === 0
            ? []
            : [...sending.alive].map((slot) => this.#sendTo(sending, slot, offset, data, null)),
        ),
      );
    this.#progress(length);
  }

  /** Finds servers for all pieces, and sends them the parts of the first stripe. */
  async #begin(parts: readonly Uint8Array[]): Promise<void> {
    for (let tries = 0; ; tries++) {
      const { arrivals } = this.#cluster;
      const targets = this.#nextTargets();
      await Promise.all(
        targets.map(({ sending, slot }) => {
          sending.tried.add(slot);
          sending.alive.add(slot);
          return this.#sendTo(sending, slot, 0, parts[sending.piece] ?? NOTHING, null);
        }),
      );
      if (this.#pieces.every(({ alive }) => alive.size >= this.#shape.copies)) return;
      if (targets.length > 0) continue;
      // A server that was silent until now may take what the others do not.
      if (await hearsMore(this.#cluster, arrivals, tries)) continue;
      // With parity not every piece must find a server.
      if (hasParity(this.#shape)) return;
      throw new DfsError("putFailed", `${await this.#shortage()}; nothing was changed`);
    }
  }

  /** The servers to try next, for each copy that a piece lacks. */
  #nextTargets(): { readonly sending: Sending; readonly slot: number }[] {
    const { config } = this.#cluster.view;
    const version = { ...this.#shape, ring: this.#ring, cid: this.#target.vid };
    const homes = homesOf(version, config);
    const order = handingOrder(version, config);
    const chosen = this.#pieces.map(({ tried }) => new Set(tried));
    const piecesOf = (slot: number): number => chosen.filter((slots) => slots.has(slot)).length;
    return this.#pieces.flatMap((sending) => {
      const { piece, alive } = sending;
      const slots = nextServers(
        this.#cluster,
        candidates(homes, piece, order),
        this.#shape.copies - alive.size,
        (slot) => chosen[piece]?.has(slot) === true,
        hasParity(this.#shape) ? piecesOf : null,
      );
      for (const slot of slots) chosen[piece]?.add(slot);
      return slots.map((slot) => ({ sending, slot }));
    });
  }

  /** Tells all servers that their pieces are whole. Resolves once the pieces are durable. */
  async #finish(): Promise<void> {
    this.roots = this.#pieces.map(({ piece, bytes, sums }) =>
      rootOf(this.#target.vid, piece, bytes, sums.table),
    );
    await Promise.all(
      this.#pieces.flatMap((sending) =>
        [...sending.alive].map((slot) =>
          this.#sendTo(sending, slot, sending.bytes, NOTHING, this.roots[sending.piece] ?? null),
        ),
      ),
    );
  }

  /** Sends a portion of a piece. A server that does not take it is lost for the piece. */
  async #sendTo(
    { piece, alive }: Sending,
    slot: number,
    offset: number,
    data: Uint8Array,
    root: Uint8Array | null,
  ): Promise<void> {
    const { name, vid } = this.#target;
    const about = { name, vid, cid: vid, piece, size: root ? offset : null };
    try {
      await this.#cluster.call(slot, "upload", { ...about, offset, root, data });
    } catch (error) {
      if (!isDfsError(error)) throw error;
      // A portion behind the one that failed fails only because of that one.
      if (!alive.delete(slot)) return;
      // A full disk is normal while others have room; else `#refused` explains the failure.
      if (error.code !== "noRoom") this.#cluster.reportError(slot, error);
      this.#refused.set(slot, error);
    }
  }

  /** Throws DfsError("putFailed") where too few servers are left to have all bytes from. */
  #checkHeld(): void {
    const lost = this.#pieces.filter(({ alive }) => alive.size === 0);
    if (lost.length <= this.#shape.pieces - this.#shape.needed) return;
    const pieces = lost.map(({ piece }) => piece + 1).join(", ");
    const reasons = [...this.#refused].map(
      ([slot, { message }]) => `${this.#cluster.labelOf(slot)}: ${message}`,
    );
    throw new DfsError(
      "putFailed",
      `no server is left that has all of piece ${pieces} so far (${reasons.join(", ")}); nothing was changed`,
    );
  }

  #shortage(): Promise<string> {
    return shortageOf(this.#cluster, this.#shape, this.#refused, []);
  }

  /** Tells servers that no more of this version comes. Waits for nothing. */
  giveUp(): void {
    const { name, vid } = this.#target;
    for (const { piece, alive } of this.#pieces)
      for (const slot of alive)
        this.#cluster.giveUpUpload(slot, { name, vid, cid: vid, piece, size: null });
  }
}
