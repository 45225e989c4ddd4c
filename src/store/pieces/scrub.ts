/**
 * Reads back the pieces held, a little at a time: first those that never were, then those read
 * longest ago. It also checks the catalog, row by row. The server runs it in the background, and
 * reports the health that it finds. Used through store.ts.
 */
import { isDfsError } from "../../errors.ts";
import type { Clock } from "../../io/ports.ts";
import {
  CHECK_INTERVAL_MS,
  CHECK_ROWS,
  CHUNK_BYTES,
  SCARCE_BYTES,
  SCRUB_DUE_MAX,
} from "../../limits.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { DuePiece } from "../catalog/contents.ts";
import type { PieceId } from "./piece_id.ts";
import type { PieceStore } from "./pieces.ts";
import { type Shortage, shortOf } from "./room.ts";

/** What a server tells of its own state. */
export interface Health {
  /**
   * Bytes of its disk that pieces may still take, and bytes of the whole disk; null where its file
   * system does not tell.
   */
  readonly free: number | null;
  readonly total: number | null;
  /** What the disk has too little of for more pieces; "" if nothing. */
  readonly short: Shortage | "";
  readonly pieces: number;
  readonly bad: number;
  /** Pieces that were never read back. */
  readonly unread: number;
  /** Seconds since the piece was read back that was so longest ago; null if none was. */
  readonly oldest: number | null;
  /** Seconds since the first of the pieces came that were never read back; null if all were. */
  readonly unreadFor: number | null;
  /** Which disk it is on: the same for all servers on one disk. "" if that is not known. */
  readonly disk: string;
}

export class Scrub {
  readonly #catalog: Catalog;
  readonly #pieces: PieceStore;
  readonly #clock: Clock;
  /** The piece that is being read back, and how far it was read. */
  #at: { readonly due: DuePiece; offset: number } | null = null;
  #queue: DuePiece[] = [];
  /** Pieces that were read back and are good, which the catalog does not know yet. */
  #good: DuePiece[] = [];
  /** When the next check of the catalog begins. */
  #checkAt = 0;
  /** How far pieces were verified on a client's request. */
  readonly #verified = new Map<string, number>();

  constructor({ clock }: { clock: Clock }, catalog: Catalog, pieces: PieceStore) {
    this.#catalog = catalog;
    this.#pieces = pieces;
    this.#clock = clock;
  }

  async health(): Promise<Health> {
    const { oldest, unreadSince, ...counts } = this.#catalog.contents.summary();
    const spare = await this.#pieces.room.measure();
    const free = spare.bytes && Math.max(0, spare.bytes);
    return {
      free,
      total: spare.total,
      short: shortOf(spare, SCARCE_BYTES) ?? "",
      ...counts,
      oldest: this.#secondsSince(oldest),
      unreadFor: this.#secondsSince(unreadSince),
      disk: spare.disk,
    };
  }

  #secondsSince(wall: number | null): number | null {
    return wall === null ? null : Math.floor(Math.max(0, this.#clock.wall() - wall) / 1000);
  }

  /**
   * Reads back about `bytes` bytes of pieces that were not read back for `intervalMs`. Pieces that
   * do not verify are marked bad. Returns whether there is more to do.
   */
  async run(bytes: number, intervalMs: number): Promise<boolean> {
    const isMore = this.#checkCatalog();
    let left = bytes;
    while (left > 0) {
      this.#at ??= await this.#next(intervalMs);
      const at = this.#at;
      if (!at) return isMore;
      const length = Math.min(CHUNK_BYTES, at.due.bytes - at.offset);
      const isGood = await this.#read(at.due, at.offset, length).catch((error: unknown) => {
        // The other pieces have their turn before this one is tried again.
        this.#at = null;
        throw error;
      });
      // A small piece counts as a whole chunk, for to begin a piece takes as long.
      left -= at.offset === 0 ? CHUNK_BYTES : length;
      at.offset += length;
      if (isGood && at.offset < at.due.bytes) continue;
      if (isGood) this.#good.push(at.due);
      this.#at = null;
    }
    await this.#note();
    return true;
  }

  /**
   * Checks a few rows of the catalog, unless the last pass over all rows is recent. Returns whether
   * there are more. Throws DfsError("folder").
   */
  #checkCatalog(): boolean {
    const { check } = this.#catalog;
    if (!check.isUrgent && this.#clock.now() < this.#checkAt) return false;
    const isMore = check.step(CHECK_ROWS);
    if (!isMore) this.#checkAt = this.#clock.now() + CHECK_INTERVAL_MS;
    return isMore;
  }

  /**
   * Reads back a part of a piece, from the start of a block on. Once consecutive parts have reached
   * the end, the piece counts as checked. Throws DfsError("noPiece", "badPiece").
   */
  async verify(id: PieceId, offset: number, length: number): Promise<void> {
    for (let done = 0; done === 0 || done < length; done += CHUNK_BYTES)
      await this.#pieces.fetch(id, offset + done, Math.min(CHUNK_BYTES, length - done));
    const key = `${id.cid}.${id.piece}`;
    if (offset !== (this.#verified.get(key) ?? 0)) return;
    this.#verified.delete(key);
    const due = this.#catalog.contents.get(id.cid, id.piece);
    if (due && offset + length < due.bytes) {
      if (this.#verified.size >= SCRUB_DUE_MAX) this.#verified.clear();
      this.#verified.set(key, offset + length);
    } else if (due) {
      this.#good.push(due);
      await this.#note();
    }
  }

  async #next(intervalMs: number): Promise<{ due: DuePiece; offset: number } | null> {
    if (this.#queue.length === 0) {
      // Without this they would be due once more.
      await this.#note();
      const before = this.#clock.wall() - intervalMs;
      this.#queue = this.#catalog.contents.due(before, SCRUB_DUE_MAX);
    }
    const due = this.#queue.shift();
    return due ? { due, offset: 0 } : null;
  }

  async #read(due: DuePiece, offset: number, length: number): Promise<boolean> {
    try {
      await this.#pieces.fetch(due, offset, length);
      return true;
    } catch (error) {
      // The piece is marked as bad by now, or gone.
      if (isDfsError(error, "badPiece", "noPiece")) return false;
      throw error;
    }
  }

  /** Writes down the good pieces. It need not survive a crash: then they are read once more. */
  async #note(): Promise<void> {
    const good = this.#good;
    this.#good = [];
    if (good.length === 0) return;
    const wall = this.#clock.wall();
    await this.#catalog.write(false, () => {
      for (const due of good) this.#catalog.contents.setChecked(due, wall);
    });
  }
}
