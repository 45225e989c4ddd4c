/**
 * The catalog of one server in the model of content by reference: registers, entries, holdings, lists and contents, and the one rule that
 * ties them: a holding stays while anything of its name has the content (docs/consistency.md section 15). Used by server.ts and aging.ts.
 */
import { type Entry, isList, pieceKey, type Register } from "./records.ts";
import type { LinkRule } from "./rules.ts";

/** What the register and the entries of a name have. */
export interface Named {
  readonly ids: Set<number>;
  readonly cids: Set<number>;
  /** Is there a list among them that is not known here? */
  readonly isLacking: boolean;
}

const PENDING: Omit<Entry, "vid"> = {
  state: "pending",
  list: 0,
  cids: [],
  record: null,
  until: Infinity,
  replaced: 0,
  isCertain: false,
  isBare: false,
};

function of<K, V>(map: Map<K, V>, key: K, blank: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = blank();
  map.set(key, made);
  return made;
}

export class Catalog {
  readonly broken: LinkRule | null;
  floor = 0;
  registers = new Map<string, Register>();
  readonly #entries = new Map<string, Map<number, Entry>>();
  readonly #holdings = new Map<string, Map<number, Set<number>>>();
  readonly #lists = new Map<string, Map<number, readonly number[]>>();
  contents = new Set<number>();
  expunges = new Map<string, number>();

  constructor(broken: LinkRule | null) {
    this.broken = broken;
  }

  copy(): Catalog {
    const copy = new Catalog(this.broken);
    copy.floor = this.floor;
    copy.registers = new Map(this.registers);
    copy.contents = new Set(this.contents);
    copy.expunges = new Map(this.expunges);
    for (const [name, entries] of this.#entries) copy.#entries.set(name, new Map(entries));
    for (const [name, lists] of this.#lists) copy.#lists.set(name, new Map(lists));
    for (const [name] of this.#holdings) copy.#holdings.set(name, this.heldCopy(name));
    return copy;
  }

  get names(): string[] {
    return [...new Set([...this.registers, ...this.#entries, ...this.#holdings].map(([n]) => n))];
  }

  register(name: string): Register {
    return this.registers.get(name) ?? { prom: this.floor, acc: null, com: null };
  }

  entries(name: string): Map<number, Entry> {
    return of(this.#entries, name, () => new Map());
  }

  held(name: string): Map<number, Set<number>> {
    return of(this.#holdings, name, () => new Map());
  }

  heldCopy(name: string): Map<number, Set<number>> {
    return new Map([...this.held(name)].map(([cid, pieces]) => [cid, new Set(pieces)]));
  }

  lists(name: string): Map<number, readonly number[]> {
    return of(this.#lists, name, () => new Map());
  }

  /** The contents that an id names; null: a list that is not known here. */
  cidsOf(name: string, id: number): readonly number[] | null {
    if (isList(id)) return this.lists(name).get(id) ?? null;
    return id === 0 ? [] : [id];
  }

  hold(name: string, cid: number, pieces: readonly number[]): void {
    if (pieces.length === 0) return;
    const held = of(this.held(name), cid, () => new Set<number>());
    for (const piece of pieces) held.add(piece);
  }

  /** The pieces of a content that are here, whoever holds them. */
  here(cid: number, count: number): number[] {
    const pieces: number[] = [];
    for (let piece = 0; piece < count; piece++)
      if (this.contents.has(pieceKey(cid, piece))) pieces.push(piece);
    return pieces;
  }

  /** What a name has here; `but`: this version is passed over. */
  named(name: string, but = 0): Named {
    const ids = new Set<number>();
    const cids = new Set<number>();
    let isLacking = false;
    const add = (id: number): void => {
      if (id === 0 || ids.has(id)) return;
      ids.add(id);
      const known = this.cidsOf(name, id);
      if (known === null) isLacking = true;
      for (const cid of known ?? []) cids.add(cid);
    };
    const { acc, com } = this.register(name);
    for (const one of [acc, com]) if (one && one.version.vid !== but) add(one.version.list);
    for (const entry of this.entries(name).values()) {
      if (entry.vid === but || entry.state === "expunged" || entry.isBare) continue;
      add(entry.list);
      for (const cid of entry.cids) cids.add(cid);
    }
    return { ids, cids, isLacking };
  }

  /** What nothing of the name has any more is let go. Returns what it was. */
  release(name: string): number[] {
    const { ids, cids, isLacking } = this.named(name);
    if (isLacking && this.broken !== "unknown lists hold all") return [];
    for (const id of this.lists(name).keys()) if (!ids.has(id)) this.lists(name).delete(id);
    const gone: number[] = [];
    for (const [cid, pieces] of this.held(name)) {
      if (cids.has(cid)) continue;
      this.held(name).delete(cid);
      for (const piece of pieces) gone.push(pieceKey(cid, piece));
    }
    return gone;
  }

  /** Is it the register's, or kept? Then it needs no pending entry. */
  knows(name: string, vid: number): boolean {
    const { acc, com } = this.register(name);
    if (this.broken === "pending outlasts accept" && acc?.version.vid === vid) return true;
    const entry = this.entries(name).get(vid);
    return com?.version.vid === vid || (entry !== undefined && entry.state !== "pending");
  }

  /** These contents are for a version that may yet be chosen. */
  expect(name: string, vid: number, cids: readonly number[], list = 0): void {
    if (this.knows(name, vid)) return;
    const old = this.entries(name).get(vid) ?? { ...PENDING, vid };
    const isReplaced = this.broken === "upload adds" && list === 0;
    const all = isReplaced ? cids : [...new Set([...old.cids, ...cids])];
    this.entries(name).set(vid, { ...old, list: isReplaced ? 0 : list || old.list, cids: all });
  }
}
