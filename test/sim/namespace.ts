/**
 * A simulated disk's folders: what names there are, and which of them would survive a loss of
 * power. Each creation, rename and removal that is not synced yet is kept or undone on its own,
 * whole, but never without what it rests on: an earlier change of the same name or file, or the
 * folder it is in. That is what a journalling filesystem may show. Syncing a folder makes it
 * durable itself, as ext4 and XFS do; syncing a file does not make its name durable.
 */
import { posix } from "node:path";
import type { SimDatabaseFile } from "./database_file.ts";
import { Inode } from "./inode.ts";
import type { Rng } from "./random.ts";

export const FOLDER = "folder";
export type Node = Inode | SimDatabaseFile | typeof FOLDER;

interface Change {
  readonly order: number;
  /** Whose sync makes it durable. */
  readonly folder: string;
  readonly path: string;
  /** For a rename, its target. */
  readonly to: string | null;
  /** null: a removal. */
  readonly node: Node | null;
}

/**
 * Beyond so many unsynced changes the oldest half is written back, as a journal does every few
 * seconds.
 */
const CHANGES_MAX = 64;

/** A path in one spelling, so that equal places are equal texts. */
export const normal = (path: string): string =>
  /\/\/|\/$|\.\/|\/\./.test(path) ? tidy(path) : path;

function tidy(path: string): string {
  const text = posix.normalize(path);
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
}

export const folderOf = (path: string): string => posix.dirname(path);

const isRoot = (path: string): boolean => path === "/" || path === ".";

/** Does the later change rest on the earlier one? */
const restsOn = (later: Change, earlier: Change): boolean =>
  later.path === earlier.path ||
  later.path === earlier.to ||
  (later.to !== null && (later.to === earlier.path || later.to === earlier.to)) ||
  (earlier.node === FOLDER &&
    (folderOf(later.path) === earlier.path || later.folder === earlier.path));

export class Namespace {
  #folders = new Map<string, Map<string, Node>>();
  readonly #durable = new Map<string, Node>();
  #changes: Change[] = [];

  get(path: string): Node | undefined {
    if (isRoot(path)) return FOLDER;
    return this.#folders.get(folderOf(path))?.get(posix.basename(path));
  }

  names(folder: string): string[] {
    return [...(this.#folders.get(folder)?.keys() ?? [])].toSorted();
  }

  *all(): Generator<[path: string, node: Node]> {
    for (const [folder, names] of this.#folders) {
      for (const [name, node] of names) yield [posix.join(folder, name), node];
    }
  }

  add(path: string, node: Node, order: number): void {
    this.#change({ order, folder: folderOf(path), path, to: null, node });
  }

  /** Removes the name; the node is the caller's to free. */
  remove(path: string, order: number): void {
    this.#change({ order, folder: folderOf(path), path, to: null, node: null });
  }

  rename(from: string, to: string, order: number): void {
    const node = this.get(from) as Node;
    this.#change({ order, folder: folderOf(to), path: from, to, node });
  }

  /**
   * The changes of this folder's names, up to `order`, are durable now, and with them what they
   * rest on.
   */
  sync(folder: string, order: number): void {
    const wanted = new Set<Change>();
    for (const change of this.#changes.toReversed()) {
      const named =
        change.order <= order &&
        (change.folder === folder || (change.node === FOLDER && change.path === folder));
      if (named || [...wanted].some((later) => restsOn(later, change))) wanted.add(change);
    }
    this.#settle((change) => wanted.has(change));
  }

  /** Puts a durable entry into place, and the folders above it. */
  put(path: string, node: Node): void {
    for (let at = folderOf(path); !isRoot(at) && !this.#durable.has(at); at = folderOf(at))
      this.put(at, FOLDER);
    this.#durable.set(path, node);
    this.#show(path, node);
  }

  /**
   * Power is lost: each unsynced change is kept with probability `keep`. What is left is durable.
   */
  crash(rng: Rng, keep: number): void {
    if (this.#changes.length === 0) return;
    const undone: Change[] = [];
    const kept = new Set<Change>();
    for (const change of this.#changes) {
      const possible = !undone.some((earlier) => restsOn(change, earlier));
      if (rng.chance(keep) && possible) kept.add(change);
      else undone.push(change);
    }
    this.#settle((change) => kept.has(change));
    this.#changes = [];
    this.#folders = new Map();
    for (const [path, node] of this.#durable) this.#show(path, node);
  }

  #change(change: Change): void {
    this.#changes.push(change);
    const { path, to, node } = change;
    if (to !== null || node === null)
      this.#folders.get(folderOf(path))?.delete(posix.basename(path));
    if (node !== null) this.#show(to ?? path, node);
    if (this.#changes.length <= CHANGES_MAX) return;
    const newest = (this.#changes[CHANGES_MAX >> 1] as Change).order;
    this.#settle(({ order }) => order <= newest);
  }

  /** Moves changes into the durable names, in their order. */
  #settle(which: (change: Change) => boolean): void {
    this.#changes = this.#changes.filter((change) => {
      if (!which(change)) return true;
      const { path, to, node } = change;
      if (to !== null || node === null) this.#durable.delete(path);
      if (node !== null) this.#durable.set(to ?? path, node);
      return false;
    });
  }

  #show(path: string, node: Node): void {
    const folder = folderOf(path);
    let names = this.#folders.get(folder);
    if (!names) this.#folders.set(folder, (names = new Map()));
    names.set(posix.basename(path), node);
  }
}
