/**
 * What no server knows, and must hold, in the model of content by reference: which versions of each name were chosen, what was promised to
 * be kept, and that the copies, records and lists of both are there (docs/consistency.md section 15). Used by world.ts and versions.ts.
 */
import { Violation } from "../simulator.ts";
import { type Accepted, isList, type Lists, pieceKey, type Version } from "./records.ts";
import type { LinkServer } from "./server.ts";

/** Kept until then, at least; 0: no longer. */
interface Promised {
  readonly version: Version;
  readonly until: number;
}

class NameTruth {
  readonly chosen: Accepted[] = [];
  /** All that was ever current, and its ancestors, in order. */
  order: Version[] = [];
  readonly promised = new Map<number, Promised>();
  readonly votes = new Map<string, Set<number>>();
}

function* lineOf(version: Version): Generator<Version> {
  for (let at: Version | null = version; at; at = at.parent) yield at;
}

const descends = (version: Version, from: Version): boolean =>
  [...lineOf(version)].some(({ vid }) => vid === from.vid);

/** How many servers choose a value, how many copies a piece has, and how many pieces a content. */
interface Counts {
  readonly count: number;
  readonly accept: number;
  readonly copies: number;
}

export class Truth {
  readonly #counts: Counts;
  readonly #lists: Lists;
  readonly #names = new Map<string, NameTruth>();
  /** Versions that somebody asked to expunge, and when that was done. */
  readonly asked = new Set<number>();
  readonly expunged = new Map<number, number>();
  /** Room was short somewhere: pieces of kept versions are not promised any more. */
  isRoomShort = false;

  constructor(counts: Counts, lists: Lists) {
    this.#counts = counts;
    this.#lists = lists;
  }

  of(name: string): NameTruth {
    const known = this.#names.get(name) ?? new NameTruth();
    this.#names.set(name, known);
    return known;
  }

  current(name: string): Version | null {
    return this.of(name).chosen.at(-1)?.version ?? null;
  }

  vote(server: number, accepted: Accepted, now: number): void {
    const { version, ballot } = accepted;
    const truth = this.of(version.name);
    const key = `${ballot}/${version.vid}`;
    const votes = truth.votes.get(key) ?? new Set();
    truth.votes.set(key, votes.add(server));
    if (votes.size !== this.#counts.accept) return;
    truth.chosen.push(accepted);
    truth.chosen.sort((a, b) => a.ballot - b.ballot);
    this.#checkChain(truth);
    const seen = new Set<number>();
    truth.order = truth.chosen.flatMap(({ version: one }) => {
      const line = [...lineOf(one)].filter(({ vid }) => !seen.has(vid));
      for (const { vid } of line) seen.add(vid);
      return line.toReversed();
    });
    for (const { parent, history } of lineOf(version))
      if (parent && !parent.deleted && !truth.promised.has(parent.vid))
        truth.promised.set(parent.vid, { version: parent, until: now + history[0]!.keep });
  }

  #checkChain({ chosen }: NameTruth): void {
    for (const [i, { version }] of chosen.entries()) {
      const before = chosen[i - 1]?.version;
      if (!before || descends(version, before)) continue;
      const isOver = chosen.some(({ version: one }) => one.deleted && descends(one, before));
      if (!isOver) throw new Violation("a chosen value does not descend from the one before");
    }
  }

  /** Throws Violation. `up`: the servers that run. */
  check(servers: readonly LinkServer[], up: readonly boolean[], now: number): void {
    for (const [name, truth] of this.#names) {
      const current = this.current(name);
      if (current) {
        this.#checkCopies(servers, current, "the current version");
        this.#checkList(servers, current, "the current version");
      }
      for (const [vid, { version, until }] of truth.promised) {
        if (until === 0 || this.asked.has(vid)) continue;
        if (until <= now) {
          truth.promised.set(vid, { version, until: 0 });
          continue;
        }
        const records = servers.filter((one) => hasRecord(one, version)).length;
        if (records < this.#counts.accept)
          throw new Violation(`a kept version has ${records} records`);
        if (this.isRoomShort) continue;
        this.#checkList(servers, version, "a kept version");
        this.#checkCopies(servers, version, "a kept version");
      }
    }
    for (const { index, catalog, files } of servers)
      for (const name of up[index] ? catalog.names : [])
        for (const [cid, pieces] of catalog.held(name))
          for (const piece of pieces)
            if (!files.has(pieceKey(cid, piece)))
              throw new Violation("a content is held without its file");
  }

  #checkCopies(servers: readonly LinkServer[], { name, list }: Version, what: string): void {
    for (const cid of this.#lists.cidsOf(list))
      for (let piece = 0; piece < this.#counts.count; piece++) {
        const copies = servers.filter(
          ({ catalog, files }) =>
            files.has(pieceKey(cid, piece)) && catalog.held(name).get(cid)?.has(piece),
        ).length;
        if (copies < this.#counts.copies) throw new Violation(`${what} is short of copies`);
      }
  }

  /** As many know its list as have chosen it. */
  #checkList(servers: readonly LinkServer[], { name, list }: Version, what: string): void {
    if (!isList(list)) return;
    const knowing = servers.filter(({ catalog }) => catalog.lists(name).has(list)).length;
    if (knowing < this.#counts.accept)
      throw new Violation(`the list of ${what} is known to ${knowing}`);
  }
}

function hasRecord({ catalog }: LinkServer, { name, vid }: Version): boolean {
  const { acc, com } = catalog.register(name);
  if ([acc?.version.vid, com?.version.vid].includes(vid)) return true;
  return Boolean(catalog.entries(name).get(vid)?.record);
}
