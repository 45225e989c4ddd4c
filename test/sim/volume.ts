/**
 * What a simulated disk holds: names, files, databases, and the room they take. All at once and
 * without time; `disk.ts` gives it to machines as a port. It knows what a loss of power may take.
 */
import { DfsError } from "../../src/errors.ts";
import type { FileInfo, Space } from "../../src/io/ports.ts";
import { databaseLocked, SimDatabase } from "./database.ts";
import { SimDatabaseFile } from "./database_file.ts";
import { Inode } from "./inode.ts";
import { FOLDER, folderOf, Namespace, normal } from "./namespace.ts";
import type { Rng } from "./random.ts";

/** A disk this large counts as endless. */
export const ENDLESS_BYTES = 2 ** 40;
export const ENDLESS_FILES = 2 ** 32;

export const failed = (path: string, why: string): DfsError =>
  new DfsError("failed", `${path}: ${why}`);

export class Volume {
  capacityBytes = ENDLESS_BYTES;
  /** Inodes: one for each file, folder and database. */
  capacityFiles = ENDLESS_FILES;
  /** The next sync of a file, a folder or a database fails, as on a dying disk; what it should have synced is lost. */
  failNextSync = false;
  /** So many of the next opens of files and folders fail, as where a process has too many open. */
  failNextOpens = 0;
  /** Counts all changes, so that a sync covers what was done before it was asked for and nothing later. */
  order = 0;
  readonly #label: string;
  #files = 0;
  #names = new Namespace();
  readonly #databases = new Set<SimDatabaseFile>();
  #fileBytes = 0;

  /** `label` is no other volume's. */
  constructor(label: string) {
    this.#label = label;
  }

  /** Bytes in use, those of removed files that are still open among them. */
  get usedBytes(): number {
    let bytes = this.#fileBytes;
    for (const database of this.#databases) bytes += database.bytes;
    return bytes;
  }

  get freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes);
  }

  /** Those that somebody still has open after they were removed do not count: nobody here waits for that. */
  get usedFiles(): number {
    return [...this.#names.all()].length;
  }

  get space(): Space {
    const total = this.capacityFiles;
    const files = { free: Math.max(0, total - this.usedFiles), total };
    const bytes = { free: this.freeBytes, total: this.capacityBytes };
    return { bytes, files: total < ENDLESS_FILES ? files : null, disk: this.#label };
  }

  #needInode(path: string): void {
    if (this.capacityFiles < ENDLESS_FILES && this.usedFiles >= this.capacityFiles)
      throw new DfsError("noRoom", `${path}: the disk is full`);
  }

  /** An existing file; its reader must `release` it. */
  open(path: string): Inode {
    this.#takeDescriptor(path);
    const node = this.#names.get(normal(path));
    if (node instanceof Inode) {
      node.handles++;
      return node;
    }
    if (node === FOLDER) throw failed(path, "it is a folder");
    throw failed(path, node ? "it is a database" : "no such file or folder");
  }

  /** A new file; its writer must `release` it. */
  create(given: string, wallMs: number): Inode {
    const path = normal(given);
    if (this.#names.get(path) !== undefined) throw failed(given, "it is there already");
    this.#needFolderOf(path);
    this.#needInode(given);
    this.#takeDescriptor(given);
    const inode = new Inode(wallMs);
    inode.handles = 1;
    this.#names.add(path, inode, ++this.order);
    return inode;
  }

  release(inode: Inode): void {
    inode.handles--;
    if (inode.handles === 0 && !inode.linked) this.#fileBytes -= inode.size;
  }

  /** Writes what fits; throws DfsError("noRoom") if that is not all. */
  write(path: string, inode: Inode, bytes: Uint8Array, offset: number): void {
    const room = this.capacityBytes < ENDLESS_BYTES ? this.freeBytes : Number.POSITIVE_INFINITY;
    const fits = Math.min(bytes.length, Math.max(0, inode.size + room - offset));
    const before = inode.size;
    if (fits > 0) inode.write(bytes.subarray(0, fits), offset, ++this.order);
    this.#fileBytes += inode.size - before;
    if (fits < bytes.length) throw new DfsError("noRoom", `${path}: the disk is full`);
  }

  /** Makes the file's writes up to `order` durable. */
  sync(path: string, inode: Inode, order: number): void {
    if (!this.#takeSyncFailure()) return inode.sync(order);
    inode.failSync(order);
    throw new DfsError("unsynced", `${path}: the disk reports an error`);
  }

  /** Makes the folder's changes up to `order` durable. */
  syncFolder(path: string, order: number): void {
    if (this.#names.get(normal(path)) !== FOLDER) throw failed(path, "no such file or folder");
    this.#takeDescriptor(path);
    if (this.#takeSyncFailure())
      throw new DfsError("unsynced", `${path}: the disk reports an error`);
    this.#names.sync(normal(path), order);
  }

  rename(givenFrom: string, givenTo: string): void {
    const [from, to] = [normal(givenFrom), normal(givenTo)];
    const node = this.#names.get(from);
    if (node === undefined) throw failed(to, "no such file or folder");
    this.#needFolderOf(to);
    const old = this.#names.get(to);
    if (node === FOLDER || old === FOLDER) throw failed(to, "it is a folder");
    if (node === old) return;
    if (old) this.#unlink(old);
    this.#names.rename(from, to, ++this.order);
  }

  remove(given: string): void {
    const path = normal(given);
    const node = this.#names.get(path);
    if (node === undefined) return;
    if (node === FOLDER) throw failed(path, "it is a folder");
    this.#unlink(node);
    this.#names.remove(path, ++this.order);
  }

  makeFolder(given: string): void {
    const path = normal(given);
    const node = this.#names.get(path);
    if (node === FOLDER) return;
    if (node !== undefined) throw failed(path, "it is there already");
    this.makeFolder(folderOf(path));
    this.#needInode(given);
    this.#names.add(path, FOLDER, ++this.order);
  }

  list(given: string): string[] {
    const node = this.#names.get(normal(given));
    if (node !== undefined && node !== FOLDER)
      throw failed(given, "a part of the path is not a folder");
    return this.#names.names(normal(given));
  }

  stat(given: string): FileInfo | null {
    const path = normal(given);
    const log = path.endsWith("-wal") ? this.database(path.slice(0, -"-wal".length)) : null;
    if (log) return { bytes: log.logBytes, isFolder: false, modified: 0, born: null };
    const node = this.#names.get(path);
    if (node === undefined) return null;
    if (node === FOLDER) return { bytes: 0, isFolder: true, modified: 0, born: null };
    if (node instanceof SimDatabaseFile)
      return { bytes: node.bytes, isFolder: false, modified: 0, born: node.born };
    return { bytes: node.size, isFolder: false, modified: node.modified, born: null };
  }

  openDatabase(given: string): SimDatabase {
    const path = normal(given);
    let node = this.#names.get(path);
    if (node instanceof SimDatabaseFile && node.opened) throw databaseLocked();
    if (node === undefined) {
      this.#needFolderOf(path);
      node = this.#newDatabase();
      this.#databases.add(node);
      this.#names.add(path, node, ++this.order);
    }
    if (!(node instanceof SimDatabaseFile)) throw failed(path, "it is no database");
    let named = false;
    return new SimDatabase(node, {
      willSyncFail: () => this.failNextSync,
      takeSyncFailure: () => this.#takeSyncFailure(),
      freeBytes: () => (this.capacityBytes < ENDLESS_BYTES ? this.freeBytes : null),
      synced: () => {
        if (!named) this.#names.sync(folderOf(path), this.order);
        named = true;
      },
    });
  }

  /** The power is lost, and comes back: what was not synced is kept or lost by chance. Nobody may have a file open. */
  crash(rng: Rng): void {
    const keep = rng.pick([0, 0.1, 0.5, 0.9, 1]);
    this.#names.crash(rng, keep);
    this.#fileBytes = 0;
    this.#databases.clear();
    for (const [, node] of this.#names.all()) {
      if (node === FOLDER) continue;
      if (node instanceof SimDatabaseFile) {
        node.crash(rng);
        this.#databases.add(node);
      } else {
        node.linked = true;
        node.crash(rng, keep);
        this.#fileBytes += node.size;
      }
    }
  }

  /** Bit rot in a byte of a file, or of a database that nobody has open. */
  flip(path: string, offset: number, bits: number): void {
    const node = this.#names.get(normal(path));
    if (node instanceof Inode) return node.flip(offset, bits);
    if (node instanceof SimDatabaseFile) return node.flip(offset, bits);
    throw new Error(`bug: there is no ${path} to flip bits in`);
  }

  database(path: string): SimDatabaseFile | null {
    const node = this.#names.get(normal(path));
    return node instanceof SimDatabaseFile ? node : null;
  }

  /** Puts a durable file there, and the folders above it. */
  put(path: string, bytes: Uint8Array, wallMs: number): void {
    const inode = new Inode(wallMs);
    inode.put(bytes);
    this.#replace(path);
    this.#fileBytes += bytes.length;
    this.#names.put(normal(path), inode);
  }

  /** Puts a durable database there, and the folders above it. */
  putDatabase(path: string, image: Uint8Array | null, born?: string): SimDatabaseFile {
    const file = this.#newDatabase(born);
    file.image = image;
    this.#replace(path);
    this.#databases.add(file);
    this.#names.put(normal(path), file);
    return file;
  }

  /** All files and databases. */
  *nodes(): Generator<[path: string, node: Inode | SimDatabaseFile]> {
    for (const [path, node] of this.#names.all()) if (node !== FOLDER) yield [path, node];
  }

  /** Nothing is left. */
  clear(): void {
    this.#names = new Namespace();
    this.#databases.clear();
    this.#fileBytes = 0;
  }

  #newDatabase(born = `${this.#label} ${String(++this.#files).padStart(6, "0")}`): SimDatabaseFile {
    return new SimDatabaseFile(born);
  }

  #replace(path: string): void {
    const old = this.#names.get(normal(path));
    if (old === FOLDER) throw new Error(`bug: ${path} is a folder`);
    if (old) this.#unlink(old);
  }

  #unlink(node: Inode | SimDatabaseFile): void {
    if (node instanceof SimDatabaseFile) return void this.#databases.delete(node);
    node.linked = false;
    if (node.handles === 0) this.#fileBytes -= node.size;
  }

  #needFolderOf(path: string): void {
    const parent = this.#names.get(folderOf(path));
    if (parent === FOLDER) return;
    throw failed(path, parent ? "a part of the path is not a folder" : "no such file or folder");
  }

  #takeDescriptor(path: string): void {
    if (this.failNextOpens === 0) return;
    this.failNextOpens--;
    throw failed(path, "too many open files");
  }

  #takeSyncFailure(): boolean {
    const fails = this.failNextSync;
    this.failNextSync = false;
    return fails;
  }
}
