/**
 * The versions whose pieces came over a connection that is still open. Whoever puts such a version
 * may go on, however long it takes; so the server tells repair that the version is new. Used by
 * pieces.ts and the server's uploads.
 */
import { SENT_PER_CONNECTION } from "../../limits.ts";
import type { Vid } from "../../version.ts";

export class UnderWay {
  /** How many connections bring each version. */
  readonly #senders = new Map<Vid, number>();

  has(vid: Vid): boolean {
    return this.#senders.has(vid);
  }

  /** Notes the versions that come over one connection, until it is closed. */
  sender(): Sender {
    return new Sender((vid, more) => {
      const count = (this.#senders.get(vid) ?? 0) + more;
      if (count > 0) this.#senders.set(vid, count);
      else this.#senders.delete(vid);
    });
  }
}

class Sender {
  readonly #change: (vid: Vid, more: 1 | -1) => void;
  /** The newest versions of the connection, the oldest of them first. */
  readonly #vids = new Set<Vid>();

  constructor(change: (vid: Vid, more: 1 | -1) => void) {
    this.#change = change;
  }

  /** A piece of this version has begun to come. */
  sends(vid: Vid): void {
    if (this.#vids.has(vid)) return;
    this.#vids.add(vid);
    this.#change(vid, 1);
    const [oldest] = this.#vids;
    if (this.#vids.size > SENT_PER_CONNECTION && oldest !== undefined) this.#leave(oldest);
  }

  /** This version is given up: no more of it comes. */
  givesUp(vid: Vid): void {
    if (this.#vids.has(vid)) this.#leave(vid);
  }

  /** The connection is closed. */
  close(): void {
    for (const vid of this.#vids) this.#leave(vid);
  }

  #leave(vid: Vid): void {
    this.#vids.delete(vid);
    this.#change(vid, -1);
  }
}

export type { Sender };
