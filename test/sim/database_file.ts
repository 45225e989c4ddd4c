/** What a simulated disk holds of a database: its content, what a loss of power may leave of it, and its log (database.ts). */
import type { SimDatabase } from "./database.ts";
import type { Rng } from "./random.ts";

/** What the disk holds of a database. */
export class SimDatabaseFile {
  /**
   * The state as of the last sync (null: empty); out of date while a clean database has it open.
   */
  image: Uint8Array | null = null;
  /** States after it, in order, each of which a crash may leave. */
  later: Uint8Array[] = [];
  opened: SimDatabase | null = null;
  /** Differs between a file and each copy of it. */
  readonly born: string;

  constructor(born: string) {
    this.born = born;
  }

  /** Bytes of its log; and what is left of the database without it: the state at the last checkpoint. */
  logBytes = 0;
  checkpointed: Uint8Array | null = null;

  /** What a process that opens it finds. */
  get latest(): Uint8Array | null {
    return this.later.at(-1) ?? this.image;
  }

  get bytes(): number {
    return this.opened?.bytes ?? this.latest?.length ?? 0;
  }

  /** The content as a process would read it now; null: empty. */
  current(): Uint8Array | null {
    return this.opened ? this.opened.serialize() : this.latest;
  }

  /** What a copy of it holds. */
  copy(): SimDatabaseFile {
    const copy = new SimDatabaseFile(this.born);
    copy.image = this.latest?.slice() ?? null;
    copy.checkpointed = this.checkpointed;
    copy.logBytes = this.logBytes;
    return copy;
  }

  /** Bit rot in the durable content; only while nobody has it open. */
  flip(offset: number, bits: number): void {
    const latest = this.opened ? null : this.latest;
    if (!latest || offset >= latest.length)
      throw new Error(`bug: there is no byte ${offset} to flip`);
    const image = new Uint8Array(latest);
    image[offset] = (image[offset] as number) ^ bits;
    this.image = image;
    this.later = [];
  }

  /** The log is removed; only while nobody has it open. */
  loseLog(): void {
    this.image = this.checkpointed;
    this.later = [];
    this.logBytes = 0;
  }

  /** Power is lost: the last synced state is left, or by chance a later one. */
  crash(rng: Rng): void {
    this.image = this.later[rng.int(this.later.length + 1) - 1] ?? this.image;
    this.later = [];
  }
}
