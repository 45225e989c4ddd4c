/** The pieces that one connection is sending. Their bytes come in order; what is not finished goes with the connection. */
import { DfsError } from "../errors.ts";
import { UPLOADS_PER_CONNECTION } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Upload } from "../store/upload.ts";
import type { Vid } from "../version.ts";

interface Portion {
  readonly space: string;
  readonly name: string;
  readonly vid: Vid;
  readonly piece: number;
  readonly size: number;
  readonly offset: number;
  readonly root: Uint8Array | null;
  readonly data: Uint8Array;
}

interface Incoming {
  readonly upload: Promise<Upload>;
  /** Settles when the portions that have come so far are written. */
  tail: Promise<void>;
}

export class Uploads {
  readonly #store: Store;
  readonly #open = new Map<string, Incoming>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Takes one portion; the last one has the root, and resolves when the piece is durable. Throws DfsError. */
  take(portion: Portion): Promise<void> {
    const { space, name, vid, piece, size, root } = portion;
    const key = `${vid}.${piece}`;
    const incoming = this.#open.get(key) ?? this.#begin(key, portion);
    incoming.tail = incoming.tail.then(async () => {
      const upload = await incoming.upload;
      if (portion.data.length > 0) await upload.append(portion.offset, portion.data);
      if (root) await this.#store.pieces.received(upload, { space, name, vid, piece }, size, root);
    });
    const forget = (): boolean => this.#open.get(key) === incoming && this.#open.delete(key);
    incoming.tail.then(
      () => root && forget(),
      () => forget() && void abort(incoming),
    );
    return incoming.tail;
  }

  #begin(key: string, { space, name, vid, piece, size, offset }: Portion): Incoming {
    if (offset !== 0)
      throw new DfsError("protocol", `piece ${piece + 1} does not begin at its beginning`);
    if (this.#open.size >= UPLOADS_PER_CONNECTION)
      throw new DfsError("protocol", "too many pieces at once");
    const upload = this.#store.pieces.receive({ space, name, vid, piece }, size);
    upload.catch(() => {});
    const incoming = { upload, tail: Promise.resolve() };
    this.#open.set(key, incoming);
    return incoming;
  }

  /** Ends what is unfinished. */
  async close(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(open.map(abort));
  }
}

async function abort(incoming: Incoming): Promise<void> {
  await incoming.tail.catch(() => {});
  const upload = await incoming.upload.catch(() => null);
  await upload?.abort().catch(() => {});
}
