/**
 * The erasure code. It makes M parity pieces of K data pieces, and of any K of these K + M pieces
 * it makes the others (Reed and Solomon, "Polynomial Codes over Certain Finite Fields", 1960).
 * `galois.ts` says which code it is, and `kernel.ts` has the inner loop. Used by the client's
 * send and fetch.
 *
 * A file is coded a stripe at a time: the same range of each of its pieces.
 */
import { assert } from "../../errors.ts";
import { DATA_PIECES_MAX, KIB, MIB, PARITY_PIECES_MAX } from "../../limits.ts";
import type { Cut } from "../split.ts";
import { generator, invert, product, rowOf, type Matrix } from "./galois.ts";
import {
  EXPORT_RUN,
  IMPORT_MEMORY,
  IMPORT_MODULE,
  isPlain,
  moduleBytes,
  tablesBytes,
  tablesOf,
  type Run,
} from "./kernel.ts";

/** The code of one layout. */
export interface Code {
  /**
   * Room for one stripe: data + parity buffers of `bytes` bytes each, at most 16 MiB, in the
   * kernel's own memory. Nobody else has the buffers until they are released. At first they hold
   * what the last stripe left there.
   */
  stripe(bytes: number): Stripe;
}

/** The buffers of one stripe. */
export interface Stripe {
  /**
   * One buffer for each piece: the data pieces, then the parity pieces. Files and sockets can read
   * and write the buffers as they are.
   */
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  /**
   * Makes the first `length` bytes of the `wanted` pieces from those of the pieces in `from`: K
   * other pieces whose buffers are filled, in any order. To encode, `from` has the data pieces and
   * `wanted` the parity pieces. Where data pieces differ in length, the shorter ones must be filled
   * up with zeros before. The wanted buffers get arbitrary bytes behind `length`, up to a multiple
   * of 32.
   */
  make(wanted: readonly number[], from: readonly number[], length: number): void;
  /**
   * Gives the buffers back. They may then be lent to the next stripe, so neither they nor this
   * object may be used any more.
   */
  release(): void;
}

/**
 * A room has a power of two of bytes for each piece, at least this many. So files of all lengths
 * share rooms.
 */
const ROOM_BYTES_MIN = 4096;
/**
 * With more bytes for each piece, the rooms of a memory could exceed the 4 GiB that a memory may
 * have.
 */
const ROOM_BYTES_MAX = 16 * MIB;
/**
 * How many rooms one memory has. JavaScriptCore gives only some 8 memories the address space in
 * which it needs no checks of bounds. The others are slower by 15 to 40 %, and making one of them
 * collects garbage first. Pages that were not touched yet cost nothing.
 */
const ROOMS_IN_MEMORY = 8;
/**
 * The gap between two buffers. If they were a power of two apart, all would compete for the same
 * few lines of the cache.
 */
const GAP_BYTES = 320;
const LINE_BYTES = 64;
const PAGE_BYTES = 64 * KIB;

/** How many plans are kept, of some 2 KiB each. A cluster has few ways to lose pieces at a time. */
const PLANS_MAX = 256;

/** How some pieces are made of others. */
interface Plan {
  readonly module: WebAssembly.Module;
  readonly tables: Uint8Array;
}

const codes = new Map<string, Code>();
const modules = new Map<string, WebAssembly.Module>();

/**
 * The code of the layout with `data` (1 to 16) data pieces and `parity` (1 to 8) parity pieces. It
 * is always the same object.
 */
export function codeOf(data: number, parity: number): Code {
  const key = `${data}+${parity}`;
  const code = codes.get(key) ?? new LayoutCode(data, parity);
  codes.set(key, code);
  return code;
}

/** The code of a version with parity. */
export const codeOfCut = ({ needed, pieces }: Cut): Code => codeOf(needed, pieces - needed);

class LayoutCode implements Code {
  readonly data: number;
  readonly parity: number;
  readonly #rows: Matrix;
  readonly #plans = new Map<string, Plan>();
  readonly #memories = new Map<number, RoomMemory[]>();

  constructor(data: number, parity: number) {
    assert(Number.isInteger(data) && data >= 1 && data <= DATA_PIECES_MAX, "1 to 16 data pieces");
    assert(
      Number.isInteger(parity) && parity >= 1 && parity <= PARITY_PIECES_MAX,
      "1 to 8 parity pieces",
    );
    this.data = data;
    this.parity = parity;
    this.#rows = generator(data, parity);
  }

  stripe(bytes: number): Stripe {
    assert(Number.isInteger(bytes) && bytes >= 0 && bytes <= ROOM_BYTES_MAX, "0 to 16 MiB a piece");
    let roomBytes = ROOM_BYTES_MIN;
    while (roomBytes < bytes) roomBytes *= 2;
    const memories = this.#memories.get(roomBytes) ?? [];
    this.#memories.set(roomBytes, memories);
    const found = memories.find(({ free }) => free.length > 0);
    const memory = found ?? new RoomMemory(this.data, this.parity, roomBytes);
    if (!found) memories.push(memory);
    return new LentRoom(this, memory, bytes);
  }

  /**
   * Drops unused memories. Early ones are filled first, so that late ones become free. One unused
   * memory may stay.
   */
  dropUnused(roomBytes: number): void {
    const memories = this.#memories.get(roomBytes) ?? [];
    while (memories.length > 1 && memories.slice(-2).every(isUnused)) memories.pop();
  }

  planOf(wanted: readonly number[], from: readonly number[]): Plan {
    const key = `${wanted.join()}:${from.join()}`;
    const known = this.#plans.get(key);
    if (known) return known;
    if (this.#plans.size >= PLANS_MAX) this.#plans.clear();
    const plan = this.#newPlan(wanted, from);
    this.#plans.set(key, plan);
    return plan;
  }

  #newPlan(wanted: readonly number[], from: readonly number[]): Plan {
    const pieces = this.data + this.parity;
    const all = [...wanted, ...from];
    assert(from.length === this.data, "as many pieces to make others of as there are data pieces");
    assert(new Set(all).size === all.length, "no piece named twice");
    assert(
      all.every((piece) => Number.isInteger(piece) && piece >= 0 && piece < pieces),
      "pieces of the layout",
    );
    // from = R data, so wanted = W data = (W R^-1) from.
    const toData = invert(from.map((piece) => rowOf(this.#rows, piece)));
    assert(toData, "any so many pieces give the data");
    const rows = product(
      wanted.map((piece) => rowOf(this.#rows, piece)),
      toData,
    );
    return { module: moduleFor(rows), tables: tablesOf(rows) };
  }
}

/** The kernel for these rows. It is compiled once for each shape. */
function moduleFor(rows: Matrix): WebAssembly.Module {
  const shape = { inputs: rowOf(rows, 0).length, plain: rows.map(isPlain) };
  const key = `${shape.inputs}:${shape.plain.join()}`;
  const module = modules.get(key) ?? new WebAssembly.Module(moduleBytes(shape));
  modules.set(key, module);
  return module;
}

/** Where one stripe lies in a memory: its tables, then a buffer for each piece. */
interface Room {
  readonly tables: number;
  readonly pieces: readonly number[];
  /** The plan whose tables are there. */
  loaded?: Plan;
}

/**
 * A memory with rooms for some stripes of one layout. It never grows, since growing would take the
 * buffers away.
 */
class RoomMemory {
  readonly bytes: number;
  /** The rooms that are not lent. */
  readonly free: Room[];
  readonly #memory: WebAssembly.Memory;
  readonly #runs = new Map<WebAssembly.Module, Run>();

  /** `bytes` is the room for each piece, a multiple of the kernel's step. */
  constructor(data: number, parity: number, bytes: number) {
    this.bytes = bytes;
    const tables = Math.ceil(tablesBytes(data, parity) / LINE_BYTES) * LINE_BYTES;
    const apart = bytes + GAP_BYTES;
    const pieces = Array.from({ length: data + parity }, (_, piece) => tables + piece * apart);
    const roomBytes = tables + pieces.length * apart;
    this.free = Array.from({ length: ROOMS_IN_MEMORY }, (_, room) => ({
      tables: room * roomBytes,
      pieces: pieces.map((piece) => room * roomBytes + piece),
    }));
    const pages = Math.ceil((ROOMS_IN_MEMORY * roomBytes) / PAGE_BYTES);
    this.#memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  }

  bufferAt(address: number, bytes: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#memory.buffer, address, bytes);
  }

  run(room: Room, plan: Plan, length: number, addresses: readonly number[]): void {
    if (room.loaded !== plan) this.bufferAt(room.tables, plan.tables.length).set(plan.tables);
    room.loaded = plan;
    this.#runOf(plan.module)(length, room.tables, ...addresses);
  }

  #runOf(module: WebAssembly.Module): Run {
    const known = this.#runs.get(module);
    if (known) return known;
    const imports = { [IMPORT_MODULE]: { [IMPORT_MEMORY]: this.#memory } };
    const run = new WebAssembly.Instance(module, imports).exports[EXPORT_RUN] as Run;
    this.#runs.set(module, run);
    return run;
  }
}

const isUnused = ({ free }: RoomMemory): boolean => free.length === ROOMS_IN_MEMORY;

/**
 * A room while it is lent. A caller that keeps a stripe after its release cannot make pieces in the
 * next one's room.
 */
class LentRoom implements Stripe {
  readonly pieces: readonly Uint8Array<ArrayBuffer>[];
  readonly #code: LayoutCode;
  readonly #memory: RoomMemory;
  readonly #bytes: number;
  #room: Room | undefined;

  constructor(code: LayoutCode, memory: RoomMemory, bytes: number) {
    const room = memory.free.pop();
    assert(room, "a memory with a free room");
    this.#code = code;
    this.#memory = memory;
    this.#room = room;
    this.#bytes = bytes;
    this.pieces = room.pieces.map((address) => memory.bufferAt(address, bytes));
  }

  make(wanted: readonly number[], from: readonly number[], length: number): void {
    const room = this.#room;
    assert(room, "a stripe that is not released");
    assert(Number.isInteger(length) && length >= 0 && length <= this.#bytes, "a length in it");
    if (wanted.length === 0) return;
    const plan = this.#code.planOf(wanted, from);
    if (length === 0) return;
    const addresses = [...from, ...wanted].map((piece) => room.pieces[piece] as number);
    this.#memory.run(room, plan, length, addresses);
  }

  release(): void {
    assert(this.#room, "a stripe is released once");
    this.#memory.free.push(this.#room);
    this.#room = undefined;
    this.#code.dropUnused(this.#memory.bytes);
  }
}
