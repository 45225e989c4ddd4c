/** A server's folder on the real disk, for one test: opened as often as need be, and removed in the end. */
import { expect } from "bun:test";
import { Database } from "bun:sqlite";
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DfsError } from "../../src/errors.ts";
import { tableAndRoot } from "../../src/file/checksum.ts";
import { bunClock, bunRandom } from "../../src/io/bun.ts";
import { bunDisk } from "../../src/io/bun_disk.ts";
import type { Disk } from "../../src/io/ports.ts";
import { CHUNK_BYTES, INLINE_BYTES } from "../../src/limits.ts";
import type { Arrival, SmallPiece } from "../../src/store/pieces/piece_id.ts";
import { Store, type StoreOptions } from "../../src/store/store.ts";
import type { Vid } from "../../src/version.ts";
import { inStore } from "./named.ts";

/** The space that all tests are in. */
export const SPACE = "u:";

export class Folder {
  readonly path: string;
  /** How far the server's clock on the wall is ahead. */
  aheadMs = 0;
  /** What a server said when it gave up. */
  readonly deaths: DfsError[] = [];
  readonly #open: Store[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** Opens it; `disk` is the real one with something put in its place. */
  async open(options: Partial<StoreOptions> = {}, disk: Partial<Disk> = {}): Promise<Store> {
    const all = {
      folder: this.path,
      catalogFolder: this.path,
      inlineBytes: INLINE_BYTES,
      trashGraceMs: 60_000,
      ...options,
    };
    const clock = { ...bunClock, wall: () => bunClock.wall() + this.aheadMs };
    const ports = { clock, random: bunRandom, disk: { ...bunDisk, ...disk } };
    const store = await Store.open(ports, all, (error) => this.deaths.push(error));
    this.#open.push(store);
    return store;
  }

  close(): void {
    for (const store of this.#open.splice(0)) store.close();
  }

  /** Ends the server and starts it again. */
  reopen(options: Partial<StoreOptions> = {}): Promise<Store> {
    this.close();
    return this.open(options);
  }

  file(vid: Vid, piece: number): string {
    return join(this.path, "pieces", vid.slice(0, 2), `${vid}.${piece}`);
  }

  /** Changes something in the catalog of a closed server. */
  catalog(sql: string, ...values: (string | number | Uint8Array)[]): void {
    this.close();
    const db = new Database(join(this.path, "catalog.sqlite"), { strict: true });
    try {
      db.query(sql).run(...values);
    } finally {
      db.close();
    }
  }
}

/** Runs a test in a folder of its own. */
export async function inFolder(body: (folder: Folder) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), "dfs-store-"));
  const folder = new Folder(path);
  try {
    await body(folder);
    expect(folder.deaths).toEqual([]);
  } finally {
    folder.close();
    await rm(path, { recursive: true, force: true });
  }
}

/** Bytes that differ from block to block. */
export const pattern = (n: number, salt = 0): Uint8Array =>
  new Uint8Array(n).map((_, i) => (i * 7 + (i >>> 8) + 13 * (i >>> 16) + salt) & 0xff);

export const smallPiece = (vid: Vid, piece: number, data: Uint8Array): SmallPiece => ({
  piece,
  root: tableAndRoot(vid, piece, data).root,
  data,
});

export const idOf = (vid: Vid, piece: number, name = "a"): Arrival => ({
  space: SPACE,
  name: inStore(name),
  vid,
  cid: vid,
  piece,
});

/** Sends a piece as UPLOAD does, chunk by chunk. */
export async function upload(store: Store, id: Arrival, data: Uint8Array): Promise<void> {
  const incoming = await store.pieces.receive(id, data.length);
  for (let at = 0; at < data.length; at += CHUNK_BYTES)
    await incoming.append(at, data.subarray(at, at + CHUNK_BYTES));
  await store.pieces.received(incoming, id, data.length, tableAndRoot(id.cid, id.piece, data).root);
}

/** The pieces of a version that the server says it holds, and would serve. */
export const heldOf = (store: Store, vid: Vid, name = "a"): number[] =>
  store.read(SPACE, inStore(name)).held.find((held) => held.cid === vid)?.pieces ?? [];

export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Flips a bit of a file; `offset` counts from its end where it is below 0. */
export function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  const at = offset < 0 ? bytes.length + offset : offset;
  bytes[at]! ^= 1;
  writeFileSync(path, bytes);
}

/** Cuts so many bytes off a file's end. */
export const cut = (path: string, bytes: number): void =>
  truncateSync(path, readFileSync(path).length - bytes);

/** What a server was told of its cluster. */
export const toldOf = ({ membership: { cluster, config } }: Store) => ({ cluster, config });
