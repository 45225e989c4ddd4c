/**
 * What servers keep and messages carry in the model of content by reference (docs/consistency.md section 15): versions that name a list of
 * contents by one id, entries, and the requests. Used by all files of this folder.
 */

/** An ancestor as the history tells it: `keep` is how long it was to stay once it was replaced. */
export interface Ancestor {
  readonly vid: number;
  readonly list: number;
  readonly put: number;
  readonly keep: number;
}

export interface Version {
  readonly name: string;
  readonly vid: number;
  readonly parent: Version | null;
  readonly seq: number;
  readonly birthFloor: number;
  readonly deleted: boolean;
  /** The id of its list of contents; of one content its cid; 0: none. */
  readonly list: number;
  /** Where the ring begins, for all its contents. */
  readonly x: number;
  readonly history: readonly Ancestor[];
  readonly put: number;
  /** The longest keep that was ever said in this life. */
  readonly keepMax: number;
}

export interface Accepted {
  readonly ballot: number;
  readonly version: Version;
}

export interface Register {
  readonly prom: number;
  readonly acc: Accepted | null;
  readonly com: Accepted | null;
}

/** What a server keeps of a version beside the register. */
export interface Entry {
  readonly vid: number;
  readonly state: "pending" | "kept" | "expunged";
  readonly list: number;
  /** Of a pending one: the contents that were uploaded or linked for it. */
  readonly cids: readonly number[];
  /** Of a kept one; null: only its list is known. */
  readonly record: Accepted | null;
  /** By the server's own clock. */
  readonly until: number;
  readonly replaced: number;
  /** Is `replaced` known, or only a bound? */
  readonly isCertain: boolean;
  /** Its pieces went because room was short. */
  readonly isBare: boolean;
}

/** An entry as READ tells it: for how long it stays, since clocks differ. */
export interface ToldEntry extends Entry {
  readonly left: number;
}

export type Request =
  | { readonly is: "read"; readonly name: string }
  | { readonly is: "fetch"; readonly cid: number; readonly piece: number }
  | {
      readonly is: "upload";
      readonly name: string;
      readonly vid: number;
      readonly cid: number;
      readonly pieces: readonly number[];
    }
  | { readonly is: "link"; readonly name: string; readonly vid: number; readonly link: Link }
  | {
      readonly is: "prepare";
      readonly name: string;
      readonly ballot: number;
      readonly vid: number;
      readonly link: Link | null;
    }
  | { readonly is: "accept"; readonly ballot: number; readonly version: Version }
  | {
      readonly is: "commit";
      readonly ballot: number;
      readonly version: Version;
      readonly sync: boolean;
      /** Of a version with several contents, to a server that lacks the list. */
      readonly cids?: readonly number[] | undefined;
    }
  | { readonly is: "forget"; readonly name: string; readonly ballot: number }
  | {
      readonly is: "collect";
      readonly name: string;
      readonly vid: number;
      readonly ballot: number;
      /** The lists of known versions that share a content with it. */
      readonly spare: readonly number[];
    }
  | { readonly is: "drop"; readonly name: string; readonly cid: number; readonly piece: number }
  | {
      readonly is: "keep";
      readonly name: string;
      readonly record: Accepted;
      readonly cids: readonly number[] | undefined;
      readonly left: number;
      readonly replaced: number;
      readonly isCertain: boolean;
      /** The expunge count that this server told. */
      readonly expunges: number;
      /** The ballot of the current value that the client read. */
      readonly current: number;
    }
  | {
      readonly is: "expunge";
      readonly name: string;
      readonly vid: number;
      readonly current: number;
    }
  | { readonly is: "clear"; readonly name: string; readonly vid: number };

export type Of<K extends Request["is"]> = Extract<Request, { readonly is: K }>;

/** What a version is to hold: the id of its list, and the list. */
export interface Link {
  readonly list: number;
  readonly cids: readonly number[];
}

/** A server always tells all that it knows of the name: the model has no use for less. */
export interface Answer extends Register {
  readonly ok: boolean;
  readonly floor: number;
  /** The latest put time that it knows of. */
  readonly last: number;
  /** By cid: the pieces that the name holds here. */
  readonly held: ReadonlyMap<number, ReadonlySet<number>>;
  readonly entries: readonly ToldEntry[];
  /** By id: the lists that the name has here. */
  readonly lists: ReadonlyMap<number, readonly number[]>;
  readonly expunges: number;
}

/** Short, so that histories are too short to tell; ballots: n x 64 + the client's number. */
export const HISTORY_LENGTH = 3;
export const BALLOT_CLIENTS = 64;
export const FOREVER = 1e9;
export const NEVER = -1e9;

/** A content of a server: its cid and the number of the piece. */
export const pieceKey = (cid: number, piece: number): number => cid * 8 + piece;

const LISTS_FROM = 1_000_000;

/** Does this id name a list of several contents? The version, and the history of a later one, say so beside the id. */
export const isList = (id: number): boolean => id >= LISTS_FROM;

/** Which list has which id: in truth a hash. For the judge, and for clients, who read it in the manifest; servers know what they were told. */
export class Lists {
  readonly #ids = new Map<string, number>();
  readonly #lists: (readonly number[])[] = [];

  idOf(cids: readonly number[]): number {
    if (cids.length < 2) return cids[0] ?? 0;
    const key = cids.join();
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = LISTS_FROM + this.#lists.length;
    this.#ids.set(key, id);
    this.#lists.push(cids);
    return id;
  }

  cidsOf(id: number): readonly number[] {
    if (isList(id)) return this.#lists[id - LISTS_FROM]!;
    return id === 0 ? [] : [id];
  }
}
