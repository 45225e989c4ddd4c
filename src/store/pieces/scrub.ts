/** Reads back what is held, a little at a time: first what never was, then what was read longest ago; and the catalog, row by row. */
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
import type { Due } from "../catalog/piece_table.ts";
import type { PieceId, PieceStore } from "./pieces.ts";
import { type Short, shortOf } from "./room.ts";

/** What a server tells of itself. */
export interface Health {
  /** Bytes of its disk that pieces may still take, and of all of it; null where its file system does not tell. */
  readonly free: number | null;
  readonly total: number | null;
  /** What it has too few of for more pieces; "" nothing. */
  readonly short: Short | "";
  readonly pieces: number;
  readonly bad: number;
  /** Pieces that were never read back. */
  readonly unread: number;
  /** Seconds since the piece was read back that was so longest ago; null where none was. */
  readonly oldest: number | null;
  /** Seconds since the first of those came that were never read back; null where all were. */
  readonly unreadFor: number | null;
  /** Which disk it is on: the same for all servers on one disk. "" where that is not known. */
  readonly disk: string;
}

export class Scrub {
  readonly #catalog: Catalog;
  readonly #pieces: PieceStore;
  readonly #clock: Clock;
  /** The piece at hand, and how far it was read. */
  #at: { readonly due: Due; offset: number } | null = null;
  #queue: Due[] = [];
  /** Read back, which the catalog does not know yet. */
  #good: Due[] = [];
  /** When the catalog is looked at again. */
  #checkAt = 0;
  /** How far pieces were verified on demand. */
  readonly #verified = new Map<string, number>();

  constructor({ clock }: { clock: Clock }, catalog: Catalog, pieces: PieceStore) {
    this.#catalog = catalog;
    this.#pieces = pieces;
    this.#clock = clock;
  }

  async health(): Promise<Health> {
    const { oldest, unreadSince, ...counts } = this.#catalog.pieces.summary();
    const spare = await this.#pieces.room.look();
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
   * Reads back about `bytes` bytes of pieces that were not for `intervalMs`. Returns whether there is more to do.
   * Pieces that do not verify are bad from then on.
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
        // The others have their turn before it is tried again.
        this.#at = null;
        throw error;
      });
      // A small piece takes its time too: to begin one costs as much as a chunk.
      left -= at.offset === 0 ? CHUNK_BYTES : length;
      at.offset += length;
      if (isGood && at.offset < at.due.bytes) continue;
      if (isGood) this.#good.push(at.due);
      this.#at = null;
    }
    await this.#note();
    return true;
  }

  /** A few rows of the catalog, unless all were looked at a while ago. Returns whether there are more. Throws DfsError("folder"). */
  #checkCatalog(): boolean {
    const { check } = this.#catalog;
    if (!check.isUrgent && this.#clock.now() < this.#checkAt) return false;
    const isMore = check.step(CHECK_ROWS);
    if (!isMore) this.#checkAt = this.#clock.now() + CHECK_INTERVAL_MS;
    return isMore;
  }

  /**
   * Reads back a part of a piece, from a block's begin on; parts that follow one another to its end make it checked.
   * Throws DfsError("noPiece", "badPiece").
   */
  async verify(id: PieceId, offset: number, length: number): Promise<void> {
    for (let done = 0; done === 0 || done < length; done += CHUNK_BYTES)
      await this.#pieces.fetch(id, offset + done, Math.min(CHUNK_BYTES, length - done));
    const key = `${id.vid}.${id.piece}`;
    if (offset !== (this.#verified.get(key) ?? 0)) return;
    this.#verified.delete(key);
    const due = this.#catalog.pieces.get(id.vid, id.piece);
    if (due && offset + length < due.bytes) {
      if (this.#verified.size >= SCRUB_DUE_MAX) this.#verified.clear();
      this.#verified.set(key, offset + length);
    } else if (due) {
      this.#good.push(due);
      await this.#note();
    }
  }

  async #next(intervalMs: number): Promise<{ due: Due; offset: number } | null> {
    if (this.#queue.length === 0) {
      // Or they would be due once more.
      await this.#note();
      const before = this.#clock.wall() - intervalMs;
      this.#queue = this.#catalog.pieces.due(before, SCRUB_DUE_MAX);
    }
    const due = this.#queue.shift();
    return due ? { due, offset: 0 } : null;
  }

  async #read(due: Due, offset: number, length: number): Promise<boolean> {
    try {
      await this.#pieces.fetch(due, offset, length);
      return true;
    } catch (error) {
      // It is marked as bad by now, or gone.
      if (isDfsError(error, "badPiece", "noPiece")) return false;
      throw error;
    }
  }

  /** That they are good need not survive a crash: then they are read once more. */
  async #note(): Promise<void> {
    const good = this.#good;
    this.#good = [];
    if (good.length === 0) return;
    const wall = this.#clock.wall();
    await this.#catalog.write(false, () => {
      for (const due of good) this.#catalog.pieces.setChecked(due, wall);
    });
  }
}
