/**
 * One server of the model of content by reference: what it does at each message (docs/consistency.md section 15), and which of that a
 * crash leaves. What COMMIT moves is in commit.ts, KEEP, EXPUNGE and FORGET in keeping.ts, what time and crashes do in aging.ts. Used by world.ts.
 */
import type { Chance } from "../chance.ts";
import { Catalog } from "./catalog.ts";
import { moveAncestors } from "./commit.ts";
import { expunge, forget, keep } from "./keeping.ts";
import {
  type Accepted,
  type Answer,
  type Link,
  NEVER,
  type Of,
  pieceKey,
  type Request,
} from "./records.ts";
import type { LinkRule } from "./rules.ts";

/** What a server is in. */
export interface Surroundings {
  readonly broken: LinkRule | null;
  readonly count: number;
  readonly chance: Chance;
  readonly homesOf: (x: number, piece: number) => number[];
  readonly now: () => number;
  readonly vote: (server: number, accepted: Accepted) => void;
}

export class LinkServer {
  readonly index: number;
  readonly world: Surroundings;
  catalog: Catalog;
  /** What a crash leaves, where that is not the catalog. */
  durable: Catalog | null = null;
  readonly files = new Set<number>();
  readonly #clockOffset: number;

  constructor(index: number, world: Surroundings, clockOffset: number) {
    this.index = index;
    this.world = world;
    this.catalog = new Catalog(world.broken);
    this.#clockOffset = clockOffset;
  }

  get clock(): number {
    return this.world.now() + this.#clockOffset;
  }

  /** What follows may be lost with a crash. */
  soften(): void {
    this.durable ??= this.catalog.copy();
  }

  answer(request: Request): Answer {
    const { broken } = this.world;
    if (request.is === "read" || request.is === "fetch")
      return this.#told("name" in request ? request.name : "", this.#carryOut(request));
    const isVolatile =
      (request.is === "commit" && !request.sync) ||
      (request.is === "upload" && broken === "upload durable") ||
      (request.is === "link" && broken === "link durable");
    if (isVolatile) this.soften();
    const ok = this.#carryOut(request);
    if (!isVolatile) this.durable = null;
    if (request.is === "prepare" && broken === "link durable") this.#forgetLink(request);
    return this.#told("name" in request ? request.name : request.version.name, ok);
  }

  /** The link of a promise that is not durable with it. */
  #forgetLink({ name, vid, link }: Of<"prepare">): void {
    if (link === null || this.catalog.entries(name).get(vid)?.state !== "pending") return;
    this.soften();
    this.durable?.entries(name).delete(vid);
    this.durable?.release(name);
  }

  #told(name: string, ok: boolean): Answer {
    const { catalog } = this;
    const register = catalog.register(name);
    const entries = [...catalog.entries(name).values()];
    const times = entries.map(({ record }) => record?.version.put ?? NEVER);
    for (const one of [register.acc, register.com]) times.push(one?.version.put ?? NEVER);
    return {
      ...register,
      ok,
      floor: catalog.floor,
      last: Math.max(...times),
      held: catalog.heldCopy(name),
      entries: entries.map((entry) => ({ ...entry, left: entry.until - this.clock })),
      lists: new Map(catalog.lists(name)),
      expunges: catalog.expunges.get(name) ?? 0,
    };
  }

  #carryOut(request: Request): boolean {
    switch (request.is) {
      case "read":
        return true;
      case "fetch": {
        const key = pieceKey(request.cid, request.piece);
        return this.catalog.contents.has(key) && this.files.has(key);
      }
      case "upload":
        return this.#upload(request);
      case "link":
        return this.link(request.name, request.vid, request.link);
      case "prepare":
        return this.#prepare(request);
      case "accept":
        return this.#accept(request);
      case "commit":
        return this.#commit(request);
      case "forget":
        return forget(this, request);
      case "collect":
        return this.#collect(request);
      case "drop":
        return this.#drop(request);
      case "keep":
        return keep(this, request);
      case "expunge":
        return expunge(this, request);
      case "clear": {
        const entries = this.catalog.entries(request.name);
        if (entries.get(request.vid)?.state === "expunged") entries.delete(request.vid);
        return true;
      }
    }
  }

  /** Lets go of what nothing of the name has any more. */
  release(name: string): void {
    const gone = this.catalog.release(name);
    if (this.world.broken === "others hold on") this.destroy(gone);
  }

  /** Only where a rule is broken: the contents go, whoever holds them. */
  destroy(keys: readonly number[]): void {
    for (const key of keys) {
      this.catalog.contents.delete(key);
      this.files.delete(key);
      for (const name of this.catalog.names)
        this.catalog
          .held(name)
          .get(Math.floor(key / 8))
          ?.delete(key % 8);
    }
  }

  #upload({ name, vid, cid, pieces }: Of<"upload">): boolean {
    const { catalog } = this;
    if (catalog.entries(name).get(vid)?.state === "expunged") return false;
    catalog.expect(name, vid, [cid]);
    for (const piece of pieces) {
      this.files.add(pieceKey(cid, piece));
      catalog.contents.add(pieceKey(cid, piece));
    }
    catalog.hold(name, cid, pieces);
    this.release(name);
    return catalog.held(name).has(cid);
  }

  /** Holds for this name what is here of a list, or of one content. */
  link(name: string, vid: number, { list, cids }: Link): boolean {
    const { catalog, world } = this;
    if (catalog.entries(name).get(vid)?.state === "expunged") return false;
    const isSeveral = cids.length > 1;
    if (isSeveral) catalog.lists(name).set(list, cids);
    const here = cids.map((cid) => catalog.here(cid, world.count));
    const isHere = isSeveral || here.some(({ length }) => length > 0);
    if (isHere && world.broken !== "restore holds") catalog.expect(name, vid, cids, list);
    for (const [i, cid] of cids.entries()) catalog.hold(name, cid, here[i]!);
    this.release(name);
    return true;
  }

  #prepare({ name, ballot, vid, link }: Of<"prepare">): boolean {
    const row = this.catalog.register(name);
    const isRepeated = ballot === row.prom && (row.acc?.ballot ?? 0) < ballot;
    if (ballot <= row.prom && !isRepeated) return false;
    this.catalog.registers.set(name, { ...row, prom: ballot });
    if (link) this.link(name, vid, link);
    return true;
  }

  #accept({ ballot, version }: Of<"accept">): boolean {
    const row = this.catalog.register(version.name);
    if (row.acc?.ballot === ballot) return true;
    if (ballot < row.prom) return false;
    this.catalog.registers.set(version.name, { ...row, prom: ballot, acc: { ballot, version } });
    this.world.vote(this.index, { ballot, version });
    return true;
  }

  #commit({ ballot, version, cids }: Of<"commit">): boolean {
    const { catalog } = this;
    const { name, vid, list } = version;
    const row = catalog.register(name);
    if (row.acc === null && row.com === null && ballot <= catalog.floor) return true;
    const isKnown = row.com !== null && row.com.ballot >= ballot;
    if (isKnown && cids && catalog.named(name).ids.has(list)) this.link(name, vid, { list, cids });
    if (isKnown) return true;
    const com = { ballot, version };
    const acc = row.acc && row.acc.ballot > ballot ? row.acc : com;
    catalog.registers.set(name, { prom: Math.max(row.prom, ballot), acc, com });
    const wasKept = catalog.entries(name).get(vid)?.state === "kept";
    catalog.entries(name).delete(vid);
    // A tombstone that was forgotten here, and is committed anew: what it replaced was dealt with.
    if (!wasKept || this.world.broken === "ancestors once")
      moveAncestors(catalog, this.clock, row.com, com, acc.version.vid);
    if (cids) this.link(name, vid, { list, cids });
    this.release(name);
    return true;
  }

  #collect({ name, vid, ballot, spare }: Of<"collect">): boolean {
    const { catalog } = this;
    const { prom, acc, com } = catalog.register(name);
    if (prom !== ballot || [acc?.version.vid, com?.version.vid].includes(vid)) return false;
    const entry = catalog.entries(name).get(vid);
    const isKept = entry?.state === "kept" && this.world.broken !== "kept is no orphan";
    if (!entry || entry.state === "expunged" || isKept) return false;
    const others = catalog.named(name, vid);
    if (!spare.every((id) => others.ids.has(id) || others.cids.has(id))) return false;
    catalog.entries(name).delete(vid);
    this.release(name);
    return true;
  }

  /** Away from every version of this name that has the content, as far as this server knows. */
  #drop({ name, cid, piece }: Of<"drop">): boolean {
    const { catalog, world } = this;
    const held = catalog.held(name).get(cid);
    if (!held) return true;
    if (catalog.named(name).isLacking && world.broken !== "drop knows the lists") return false;
    const { acc, com } = catalog.register(name);
    const entries = [...catalog.entries(name).values()];
    if (entries.some(({ state, cids }) => state === "pending" && cids.includes(cid))) return false;
    const versions = [acc, com, ...entries.map(({ record }) => record)].flatMap((one) =>
      one && catalog.cidsOf(name, one.version.list)?.includes(cid) ? [one.version] : [],
    );
    const isHome = versions.some(({ x }) => world.homesOf(x, piece).includes(this.index));
    if (versions.length === 0 || isHome) return false;
    if (world.broken === "drop one holding") this.destroy([pieceKey(cid, piece)]);
    held.delete(piece);
    if (held.size === 0) catalog.held(name).delete(cid);
    return true;
  }
}
