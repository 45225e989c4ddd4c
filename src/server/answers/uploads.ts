/**
 * The pieces that one connection is sending. The bytes of each come in order. Unfinished pieces are
 * dropped when the connection ends. Used by answer.ts and session.ts.
 */
import { DfsError } from "../../errors.ts";
import { UPLOADS_PER_CONNECTION } from "../../limits.ts";
import type { Arrival } from "../../store/pieces/piece_id.ts";
import type { Store } from "../../store/store.ts";
import type { Sender } from "../../store/pieces/under_way.ts";
import type { Upload } from "../../store/pieces/upload.ts";
import type { Share, UploadShares } from "../bounds/upload_shares.ts";

interface Portion extends Arrival {
  /** null: the portion belongs to a stream that goes on. */
  readonly size: number | null;
  readonly offset: number;
  readonly root: Uint8Array | null;
  readonly data: Uint8Array;
}

interface Incoming {
  readonly upload: Promise<Upload>;
  /** What the first portion says that the piece is. */
  readonly id: Arrival;
  readonly size: number | null;
  readonly share: Share;
  /** Settles when all portions so far are written. */
  tail: Promise<void>;
}

export class Uploads {
  readonly #store: Store;
  readonly #shares: UploadShares;
  readonly #holder: () => string;
  readonly #open = new Map<string, Incoming>();
  readonly #sender: Sender;

  /** `holder` returns to whose share of all pieces under way these belong. */
  constructor(store: Store, shares: UploadShares, holder: () => string) {
    this.#store = store;
    this.#shares = shares;
    this.#holder = holder;
    this.#sender = store.pieces.underWay.sender();
  }

  /**
   * Takes one portion. The last one has the root, and resolves when the piece is durable. A portion
   * of nothing, without a root, drops what came of the piece, whose version is given up. Throws
   * DfsError.
   */
  take(portion: Portion): Promise<void> {
    const { root, size } = portion;
    if (root && size === null)
      throw new DfsError("protocol", `piece ${portion.piece + 1} ends, and nothing says where`);
    const key = keyOf(portion);
    if (!root && portion.data.length === 0) return this.#giveUp(key, portion);
    const incoming = this.#open.get(key) ?? this.#begin(key, portion);
    checkSame(incoming, portion);
    incoming.tail = incoming.tail.then(async () => {
      const upload = await incoming.upload;
      if (portion.data.length > 0) await upload.append(portion.offset, portion.data);
      if (portion.data.length > 0) incoming.share.touch();
      if (root && size !== null) await this.#store.pieces.received(upload, incoming.id, size, root);
    });
    const forget = (): boolean => this.#forget(key, incoming);
    incoming.tail.then(
      () => root && forget(),
      () => forget() && void abort(incoming),
    );
    return incoming.tail;
  }

  async #giveUp(key: string, portion: Portion): Promise<void> {
    this.#sender.givesUp(portion.vid);
    const incoming = this.#open.get(key);
    if (!incoming) return;
    checkSame(incoming, portion);
    this.#forget(key, incoming);
    await abort(incoming);
  }

  #begin(key: string, portion: Portion): Incoming {
    const { space, name, vid, cid, piece, size, offset } = portion;
    if (offset !== 0)
      throw new DfsError("protocol", `piece ${piece + 1} does not begin at its beginning`);
    if (this.#open.size >= UPLOADS_PER_CONNECTION)
      throw new DfsError("protocol", "too many pieces at once");
    const share = this.#shares.enter(this.#holder(), () => {
      if (this.#forget(key, incoming)) void abort(incoming);
    });
    const id = { space, name, vid, cid, piece };
    this.#sender.sends(vid);
    const upload = this.#store.pieces.receive(id, size);
    upload.catch(() => {});
    const incoming: Incoming = { upload, id, size, share, tail: Promise.resolve() };
    this.#open.set(key, incoming);
    return incoming;
  }

  #forget(key: string, incoming: Incoming): boolean {
    if (this.#open.get(key) !== incoming) return false;
    this.#open.delete(key);
    incoming.share.leave();
    return true;
  }

  /** Drops all unfinished pieces. */
  async close(): Promise<void> {
    this.#sender.close();
    const open = [...this.#open];
    for (const [key, incoming] of open) this.#forget(key, incoming);
    await Promise.all(open.map(([, incoming]) => abort(incoming)));
  }
}

const keyOf = ({ vid, cid, piece }: Arrival): string => `${vid}.${cid}.${piece}`;

function checkSame({ id, size }: Incoming, portion: Portion): void {
  const { space, name, piece } = portion;
  const isSize = portion.size === size || (size === null && portion.root !== null);
  if (space === id.space && name === id.name && isSize) return;
  throw new DfsError("protocol", `piece ${piece + 1} is another one than it was`);
}

async function abort(incoming: Incoming): Promise<void> {
  await incoming.tail.catch(() => {});
  const upload = await incoming.upload.catch(() => null);
  await upload?.abort().catch(() => {});
}
