/**
 * One machine's simulated disk. It outlives the machine's restarts; each life gets a Disk port of
 * its own by `of`. What was not synced is at risk when the power is lost (`crash`), and only then:
 * a killed process loses nothing it wrote.
 */
import type { Disk, OpenFile } from "../../src/io/ports.ts";
import type { SimDatabase } from "./database.ts";
import { Inode } from "./inode.ts";
import type { Rng } from "./random.ts";
import { type Backup, backupOf, restore } from "./backup.ts";
import { failed, Volume } from "./volume.ts";
import { never, type Machine } from "./machine.ts";
import type { World } from "./world.ts";

/**
 * How often an operation takes effect when it is asked for, not when it completes: a kill may come
 * in between.
 */
const EARLY_CHANCE = 0.3;
const SLOW_CHANCE = 0.01;
const SLOW_FACTOR = 20;

/** What one life of a machine has open. */
interface Life {
  readonly machine: Machine;
  readonly handles: Set<{ readonly inode: Inode }>;
  readonly databases: Set<SimDatabase>;
}

export class SimDisk {
  readonly #world: World;
  readonly #rng: Rng;
  readonly #volume: Volume;
  readonly #lives = new Set<Life>();
  readonly #quickMs: number;
  readonly #syncMs: number;

  constructor(world: World, name: string) {
    this.#world = world;
    this.#rng = world.rng.fork(`disk ${name}`);
    this.#volume = new Volume(name);
    this.#quickMs = this.#rng.pick([0.01, 0.05, 0.5]);
    this.#syncMs = this.#rng.pick([0.3, 2, 20]);
  }

  /** The Disk port of one life of this disk's machine. */
  of(machine: Machine): Disk {
    const life: Life = { machine, handles: new Set(), databases: new Set() };
    this.#lives.add(life);
    machine.lastWords.push(() => this.#end(life));
    const volume = this.#volume;
    const quick = <T>(label: string, effect: () => T): Promise<T> =>
      this.#io(machine, this.#quickMs, label, effect);
    return {
      open: (path, mode) =>
        quick("open", () => {
          const wallMs = this.#world.clock(machine).wall();
          const inode = mode === "read" ? volume.open(path) : volume.create(path, wallMs);
          return this.#handle(life, path, inode, mode === "create");
        }),
      rename: (from, to) => quick("rename", () => volume.rename(from, to)),
      remove: (path) => quick("remove", () => volume.remove(path)),
      makeFolder: (path) => quick("make folder", () => volume.makeFolder(path)),
      list: (path) => quick("list", () => volume.list(path)),
      syncFolder: (path) => {
        const order = volume.order;
        return this.#io(machine, this.#syncMs, "sync folder", () => volume.syncFolder(path, order));
      },
      stat: (path) => quick("stat", () => volume.stat(path)),
      space: () => quick("space", () => volume.space),
      database: (path) => {
        const database = volume.openDatabase(path);
        life.databases.add(database);
        return database;
      },
    };
  }

  /**
   * The power is lost, and comes back: what was not synced is kept or lost by chance. Kill the
   * machine first.
   */
  crash(): void {
    for (const { machine } of this.#lives)
      throw new Error(`bug: ${machine.name} lives; kill it, then crash its disk`);
    this.#world.note("crash");
    this.#volume.crash(this.#rng);
  }

  /**
   * The size of the disk; beyond it a write throws DfsError("noRoom"), and a database SQLITE_FULL.
   */
  get capacityBytes(): number {
    return this.#volume.capacityBytes;
  }

  set capacityBytes(bytes: number) {
    this.#volume.capacityBytes = bytes;
  }

  /** The files and folders that it can hold; beyond that a new one throws DfsError("noRoom"). */
  get capacityFiles(): number {
    return this.#volume.capacityFiles;
  }

  set capacityFiles(files: number) {
    this.#volume.capacityFiles = files;
  }

  get usedFiles(): number {
    return this.#volume.usedFiles;
  }

  get usedBytes(): number {
    return this.#volume.usedBytes;
  }

  /**
   * The next sync of a file, a folder or a database fails, as on a dying disk; what it should have
   * synced is lost.
   */
  get failNextSync(): boolean {
    return this.#volume.failNextSync;
  }

  set failNextSync(fails: boolean) {
    this.#volume.failNextSync = fails;
  }

  /** So many of the next opens of files and folders fail, as where a process has too many open. */
  get failNextOpens(): number {
    return this.#volume.failNextOpens;
  }

  set failNextOpens(count: number) {
    this.#volume.failNextOpens = count;
  }

  /** Bit rot: flips bits of one byte of a file, or of a database that nobody has open. */
  flip(path: string, offset: number, bits = 1): void {
    this.#volume.flip(path, offset, bits);
  }

  /**
   * All files with their content as a process would read it now: views, valid until the next write.
   */
  files(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    for (const [path, node] of this.#volume.nodes())
      if (node instanceof Inode) files.set(path, node.content);
    return files;
  }

  /** The database a machine has open there, for checkers, and for damage in its rows. */
  openDatabase(path: string): SimDatabase | null {
    return this.#volume.database(path)?.opened ?? null;
  }

  /** A database's content as a process would read it now; null where it is empty or not there. */
  databaseImage(path: string): Uint8Array | null {
    return this.#volume.database(path)?.current() ?? null;
  }

  /** Puts a durable file there, and the folders above it. */
  put(path: string, bytes: Uint8Array): void {
    this.#volume.put(path, bytes, this.#world.clock().wall());
  }

  /** Puts a durable database there, for example one that was prepared once for many histories. */
  putDatabase(path: string, image: Uint8Array): void {
    this.#volume.putDatabase(path, image);
  }

  /** A copy of all its files; only while no machine uses them, as for the two after it. */
  backup(): Backup {
    return backupOf(this.#volume);
  }

  /** Has a backup in the place of what was there, in the same files, or in new ones of another folder. */
  restore(backup: Backup, moved: { from: string; to: string } | null = null): void {
    restore(this.#volume, backup, moved, this.#world.clock().wall());
  }

  /** Somebody removes a database's log. */
  loseLog(path: string): void {
    this.#volume.database(path)?.loseLog();
  }

  #end(life: Life): void {
    this.#lives.delete(life);
    for (const { inode } of life.handles) this.#volume.release(inode);
    if (life.databases.size === 0) return;
    for (const database of life.databases) database.abandon();
    this.#world.after(0, null, "databases freed", () =>
      life.databases.forEach((database) => database.dispose()),
    );
  }

  #io<T>(machine: Machine, usualMs: number, label: string, effect: () => T): Promise<T> {
    if (!machine.alive) return never();
    const rng = this.#rng;
    const ms = usualMs * (0.5 + rng.fraction()) * (rng.chance(SLOW_CHANCE) ? SLOW_FACTOR : 1);
    if (!rng.chance(EARLY_CHANCE)) return this.#world.operation(machine, ms, label, effect);
    let outcome: () => T;
    try {
      const value = effect();
      outcome = () => value;
    } catch (error) {
      outcome = () => {
        throw error;
      };
    }
    return this.#world.operation(machine, ms, label, outcome);
  }

  #handle(life: Life, path: string, inode: Inode, writable: boolean): OpenFile {
    const volume = this.#volume;
    const { machine, handles } = life;
    const handle = { inode };
    handles.add(handle);
    const io = <T>(ms: number, label: string, effect: () => T): Promise<T> =>
      this.#io(machine, ms, label, () => {
        if (!handles.has(handle)) throw failed(path, "the file is closed");
        return effect();
      });
    return {
      read: (into, offset) => io(this.#quickMs, "read", () => inode.read(into, offset)),
      write: (bytes, offset) =>
        io(this.#quickMs, "write", () => {
          if (!writable) throw failed(path, "the file is open for reading only");
          inode.modified = this.#world.clock(machine).wall();
          volume.write(path, inode, bytes, offset);
        }),
      sync: () => {
        const order = volume.order;
        return io(this.#syncMs, "sync", () => volume.sync(path, inode, order));
      },
      close: () =>
        this.#io(machine, 0, "close", () => {
          if (handles.delete(handle)) volume.release(inode);
        }),
    };
  }
}
