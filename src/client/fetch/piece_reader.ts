/**
 * Reads bytes of pieces from servers and believes none of them: every block is checked against the
 * manifest. Used by fetcher, and by those who mend pieces.
 */
import type { StoredName } from "../../file/names.ts";
import { assert, DfsError } from "../../errors.ts";
import { BlockSums, rootOf, sumsOf, tableBytes } from "../../file/checksum.ts";
import { rootsOf } from "../../file/manifest.ts";
import { pieceBytes } from "../../file/split.ts";
import { BLOCK_BYTES, CHUNK_BYTES } from "../../limits.ts";
import { type Cid, contentOf, type Version } from "../../version.ts";
import type { Taker } from "../../wire/arriving_data.ts";
import type { BodyOf, ReplyOf } from "../../wire/messages.ts";
import type { SentPiece } from "../../wire/values.ts";

/** Where pieces are read from: a cluster. */
export interface PieceServers {
  /** Asks the server in a slot for a part of the table of a piece. */
  call(slot: number, kind: "sums", part: BodyOf<"sums">): Promise<ReplyOf<"sums">>;
  /**
   * Fetches bytes of a piece from the server in a slot. `take` gets whatever comes, as it comes.
   */
  fetch(slot: number, part: BodyOf<"fetch">, take: Taker): Promise<void>;
}

/**
 * Puts bytes where they belong, `at` bytes behind the first one that was asked for. They are lent
 * for the time of the call, and not verified.
 */
export type Put = (part: Uint8Array, at: number) => void;

export class PieceReader {
  readonly #servers: PieceServers;
  readonly #version: Version;
  readonly #cid: Cid;
  readonly #roots: readonly Uint8Array[];
  /** The table of block sums of each piece, once it was checked against the root. */
  readonly #tables = new Map<number, Promise<Uint8Array>>();
  /** Whole pieces that came along with a record, and verify. */
  readonly #offered = new Map<number, Uint8Array>();

  /** Throws as `rootsOf`. */
  constructor(servers: PieceServers, name: StoredName, version: Version) {
    this.#servers = servers;
    this.#cid = contentOf(version);
    this.#version = version;
    this.#roots = rootsOf(name, version);
  }

  /**
   * Keeps those of these whole pieces that verify. A damaged one is fetched like any other, so its
   * server learns of the damage.
   */
  offer(pieces: readonly SentPiece[]): void {
    for (const { piece, data } of pieces) {
      if (piece >= this.#version.pieces) continue;
      const whole = pieceBytes(this.#version, piece);
      const sums = sumsOf(this.#cid, piece, 0, data);
      if (data.length === whole && this.#isTable(piece, whole, sums))
        this.#offered.set(piece, data);
    }
  }

  /** A piece that is here already, or undefined. */
  offered(piece: number): Uint8Array | undefined {
    return this.#offered.get(piece);
  }

  /**
   * Reads up to a chunk of a piece, from the start of a block on, from the server in this slot.
   * `put` gets the bytes as they come. Only when this resolves all of them are verified: throws the
   * error that the server answered with, and DfsError("badPiece") when bytes do not verify.
   */
  async read(slot: number, piece: number, offset: number, length: number, put: Put): Promise<void> {
    const cid = this.#cid;
    const whole = pieceBytes(this.#version, piece);
    // A piece of one chunk is read whole, so its table can be computed from it.
    const table = length === whole ? null : await this.#tableOf(slot, piece, whole);
    const what = { cid, piece, offset, length };
    const arrived = new BlockSums(cid, piece, offset / BLOCK_BYTES, length);
    let have = 0;
    await this.#servers.fetch(slot, what, (part) => {
      const at = have;
      have += part.length;
      // More than was asked for will not verify.
      if (have > length) return;
      arrived.add(part);
      put(part, at);
    });
    const sums = have === length ? arrived.table : null;
    const known = table?.subarray(tableBytes(offset), tableBytes(offset + length));
    const isGood =
      sums && (known ? Buffer.compare(sums, known) === 0 : this.#isTable(piece, whole, sums));
    if (!isGood) throw new DfsError("badPiece", `piece ${piece + 1} arrived damaged`);
  }

  /** The table of a piece: the one that is here, or else from this server. */
  #tableOf(slot: number, piece: number, whole: number): Promise<Uint8Array> {
    const known = this.#tables.get(piece);
    if (known) return known.catch(() => this.#fetchTable(slot, piece, whole));
    const table = this.#fetchTable(slot, piece, whole);
    this.#tables.set(piece, table);
    table.catch(() => this.#tables.get(piece) === table && this.#tables.delete(piece));
    return table;
  }

  async #fetchTable(slot: number, piece: number, whole: number): Promise<Uint8Array> {
    const table = new Uint8Array(tableBytes(whole));
    for (let offset = 0; offset < table.length; offset += CHUNK_BYTES) {
      const length = Math.min(CHUNK_BYTES, table.length - offset);
      const part = { cid: this.#cid, piece, offset, length };
      const { data } = await this.#servers.call(slot, "sums", part);
      if (data.length !== length)
        throw new DfsError("badPiece", `the sums of piece ${piece + 1} are cut off`);
      table.set(data, offset);
    }
    if (!this.#isTable(piece, whole, table))
      throw new DfsError("badPiece", `the sums of piece ${piece + 1} are damaged`);
    return table;
  }

  #isTable(piece: number, whole: number, table: Uint8Array): boolean {
    const root = this.#roots[piece];
    assert(root, "the manifest has a root for each piece");
    return Buffer.compare(rootOf(this.#cid, piece, whole, table), root) === 0;
  }
}
