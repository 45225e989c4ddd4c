/**
 * The floors of a server, one for each space. For a name without a row, no ballot up to the floor
 * of its space counts. Floors only rise. A store of an older format has one floor for all spaces;
 * that one still counts in each. Used by catalog.ts and membership.ts.
 */
import type { Database } from "bun:sqlite";
import { decode, encode } from "../../bytes.ts";
import { type Ballot, ballotCodec, highest, NO_BALLOT } from "../../version.ts";
import { brokenCatalog } from "./group_commit.ts";

export const FLOOR_SCHEMA = [
  "CREATE TABLE IF NOT EXISTS floor (space TEXT PRIMARY KEY, floor BLOB NOT NULL, sum BLOB NOT NULL) STRICT, WITHOUT ROWID",
];

/** The floor of one space. */
export interface Floor {
  readonly space: string;
  readonly floor: Ballot;
}

interface StoredFloor {
  readonly space: string;
  readonly floor: Uint8Array;
  readonly sum: Uint8Array;
}

/** Computes the sum that guards a row: see row_sum.ts. */
type Sum = (space: string, floor: Uint8Array) => Uint8Array;

/** The facts of the catalog. */
interface Facts {
  fact(key: string): Uint8Array | null;
  setFact(key: string, value: Uint8Array): void;
}

const EVERYWHERE = "floor";
const SPACES_KNOWN = 1000;

export class Floors {
  readonly #facts: Facts;
  readonly #sum: Sum;
  readonly #get;
  readonly #put;
  readonly #after;
  #everywhere: Ballot = NO_BALLOT;
  /** A cache of floors, since each request asks for the floor of one space. */
  readonly #known = new Map<string, Ballot>();

  /** Throws DfsError("folder") where a floor is damaged. */
  constructor(db: Database, facts: Facts, sum: Sum) {
    this.#facts = facts;
    this.#sum = sum;
    this.#get = db.query<StoredFloor, [string]>("SELECT * FROM floor WHERE space = ?");
    this.#put = db.query("INSERT OR REPLACE INTO floor (space, floor, sum) VALUES (?, ?, ?)");
    this.#after = db.query<StoredFloor, [string, number]>(
      "SELECT * FROM floor WHERE space > ? ORDER BY space LIMIT ?",
    );
    const all = db.query<StoredFloor, []>("SELECT * FROM floor");
    for (const stored of all.iterate()) this.#read(stored);
    this.recall();
  }

  /** Forgets what is cached. To be called after a transaction was undone. */
  recall(): void {
    this.#known.clear();
    const fact = this.#facts.fact(EVERYWHERE);
    this.#everywhere = fact ? decode(ballotCodec, fact) : NO_BALLOT;
  }

  /** The floor that counts in every space. */
  get everywhere(): Ballot {
    return this.#everywhere;
  }

  of(space: string): Ballot {
    return highest([this.#everywhere, this.#ownOf(space)]);
  }

  /** To be called in a transaction. */
  raise(space: string, to: Ballot): void {
    // rule: floor-per-space
    if (to <= this.of(space)) return;
    const floor = encode(ballotCodec, to);
    this.#put.run(space, floor, this.#sum(space, floor));
    this.#known.delete(space);
  }

  /** Raises the floor of every space. To be called in a transaction. */
  raiseEverywhere(to: Ballot): void {
    if (to <= this.#everywhere) return;
    this.#everywhere = to;
    this.#facts.setFact(EVERYWHERE, encode(ballotCodec, to));
  }

  /**
   * The spaces that have a floor of their own, in byte order: up to `limit` after `after`. With
   * null, from the first one.
   */
  page(after: string | null, limit: number): Floor[] {
    // The configuration's space is the empty string, and so the first.
    const first = after === null && limit > 0 ? this.#get.get("") : null;
    const rows = [...(first ? [first] : []), ...this.#after.all(after ?? "", limit)];
    return rows
      .slice(0, limit)
      .map((stored) => ({ space: stored.space, floor: this.#read(stored) }));
  }

  #ownOf(space: string): Ballot {
    const known = this.#known.get(space);
    if (known !== undefined) return known;
    const stored = this.#get.get(space);
    const floor = stored ? this.#read(stored) : NO_BALLOT;
    if (this.#known.size >= SPACES_KNOWN) this.#known.clear();
    this.#known.set(space, floor);
    return floor;
  }

  #read({ space, floor, sum }: StoredFloor): Ballot {
    if (Buffer.compare(this.#sum(space, floor), sum) !== 0)
      throw brokenCatalog(`a floor in it does not verify`);
    return decode(ballotCodec, floor);
  }
}
