/**
 * One piece on its way to several servers, chunk by chunk. Each server gets all of it over one
 * connection: one that was lost meanwhile, and is there again, has dropped what it had. Used by
 * pieces.
 */
import { DfsError, isDfsError } from "../../errors.ts";
import type { StoredName } from "../../file/names.ts";
import type { Cid, Vid } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import type { Peer } from "../connect/peer.ts";

/** Which piece it is, and how long. */
export interface WholePiece {
  readonly name: StoredName;
  readonly vid: Vid;
  readonly cid: Cid;
  readonly piece: number;
  readonly size: number;
}

export class Transfer {
  readonly #cluster: Cluster;
  readonly #whole: WholePiece;
  readonly #onRefused: (slot: number, error: DfsError) => void;
  /** The servers that have taken all so far, each with its connection. */
  readonly #alive: Map<number, Peer | null>;

  /** `onRefused` is called once for each server that does not take the piece. */
  constructor(
    cluster: Cluster,
    whole: WholePiece,
    slots: readonly number[],
    onRefused: (slot: number, error: DfsError) => void,
  ) {
    this.#cluster = cluster;
    this.#whole = whole;
    this.#onRefused = onRefused;
    this.#alive = new Map(slots.map((slot) => [slot, cluster.peer(slot)]));
  }

  get piece(): number {
    return this.#whole.piece;
  }

  /** How many servers have taken all so far. */
  get takers(): number {
    return this.#alive.size;
  }

  /**
   * Sends the next chunk; the last one has the root. Resolves when each server has taken it, or
   * does not take the piece. Until then `data` must not change.
   */
  async send(offset: number, root: Uint8Array | null, data: Uint8Array): Promise<void> {
    const calls = [...this.#alive].map(async ([slot, peer]) => {
      try {
        if (this.#cluster.peer(slot) !== peer)
          throw new DfsError("down", `${this.#cluster.labelOf(slot)} was lost`);
        await this.#cluster.call(slot, "upload", { ...this.#whole, offset, root, data });
      } catch (error) {
        if (!isDfsError(error)) throw error;
        if (this.#alive.delete(slot)) this.#onRefused(slot, error);
      }
    });
    // All have the bytes, or do not need them, before their memory is used again.
    for (const call of await Promise.allSettled(calls))
      if (call.status === "rejected") throw call.reason;
  }
}
