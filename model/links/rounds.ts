/**
 * The rounds of the model of content by reference (docs/consistency.md sections 3 and 15): decide, select, settle, and copies to where they
 * lack. Used by propose.ts, files.ts, versions.ts and repair.ts.
 */
import type { Chance } from "../chance.ts";
import type { Call, Part } from "../simulator.ts";
import {
  type Accepted,
  type Answer,
  BALLOT_CLIENTS,
  HISTORY_LENGTH,
  isList,
  NEVER,
  type Request,
  type Version,
} from "./records.ts";
import type { LinkWorld } from "./world.ts";

export type Asked = Map<number, Answer>;
export type Step<T> = Part<Request, Answer, T>;

/** Clients' clocks are so far off, at most. */
const CLIENT_SKEW = 300;

/** What is current, and the answers that say so. */
export interface Look {
  readonly current: Accepted | null;
  readonly told: Asked;
}

/** What is written; with `expected`, only over that. */
export interface Write {
  readonly name: string;
  readonly vid: number;
  readonly cids: readonly number[];
  readonly x: number;
  /** How long the version is to be kept that it replaces. */
  readonly keep: number;
  readonly deleted?: boolean;
  readonly expected?: number;
  /** Its contents are somewhere already: they ride with the promise as a link. */
  readonly isLinked?: boolean;
}

/** What a new version is built on. */
export interface Birth {
  readonly floor: number;
  readonly last: number;
  readonly clock: number;
}

const newest = (values: readonly (Accepted | null)[]): Accepted | null =>
  values.reduce((a, b) => (b && (!a || b.ballot > a.ballot) ? b : a), null);

/** What people see of a value; 0: no file. */
export const seenOf = (version: Version | null): number =>
  !version || version.deleted ? 0 : version.vid;

/** By server: which pieces of a content it holds for the name. */
export type Holders = Map<number, Set<number>>;

export class Rounds {
  readonly world: LinkWorld;
  readonly chance: Chance;
  readonly all: readonly number[];
  /** Vids are small numbers here, and cids are vids. */
  vids = 0;
  #clients = 0;

  constructor(world: LinkWorld, chance: Chance) {
    this.world = world;
    this.chance = chance;
    this.all = world.servers.map(({ index }) => index);
  }

  ask(
    request: Request | ((server: number) => Request),
    enough?: (told: Asked) => boolean,
    to: readonly number[] = this.all,
  ): Call<Request, Answer> {
    const ask = typeof request === "function" ? request : () => request;
    return { to, ask, ...(enough && { enough }) };
  }

  decide(told: Asked): Accepted | null | "doubt" | "tooFew" {
    const { count, accept, read } = this.world;
    if (told.size < read) return "tooFew";
    const answers = [...told.values()];
    const committed = newest(answers.map(({ com }) => com));
    const ahead = answers.flatMap(({ acc }) =>
      acc && acc.ballot > (committed?.ballot ?? 0) ? [acc] : [],
    );
    if (ahead.length + count - told.size < accept) return committed;
    const votes = (ballot: number): number => ahead.filter((one) => one.ballot === ballot).length;
    return newest(ahead.filter(({ ballot }) => votes(ballot) >= accept)) ?? "doubt";
  }

  /** What a proposer must build on. */
  select(granted: readonly Answer[]): Birth & { current: Accepted | null; isCommitted: boolean } {
    const committed = newest(granted.map(({ com }) => com));
    const accepted = newest(granted.map(({ acc }) => acc));
    const isCommitted = (committed?.ballot ?? 0) >= (accepted?.ballot ?? 0);
    return {
      current: isCommitted ? committed : accepted,
      isCommitted,
      floor: Math.max(0, ...granted.map(({ floor }) => floor)),
      last: Math.max(NEVER, ...granted.map(({ last }) => last)),
      clock: this.world.now() + this.chance.below(2 * CLIENT_SKEW) - CLIENT_SKEW,
    };
  }

  /** Numbers the tries of one operation, each above what it is told. */
  *ballots(): Generator<number, never, number> {
    const client = 1 + (this.#clients++ % (BALLOT_CLIENTS - 1));
    for (let heard = 0; ;)
      heard = Math.max(
        heard,
        yield (Math.floor(heard / BALLOT_CLIENTS) + 1) * BALLOT_CLIENTS + client,
      );
  }

  /** The ballots that a next try must be above. */
  heard(told: Asked): number {
    return Math.max(0, ...[...told.values()].map(({ prom, floor }) => Math.max(prom, floor)));
  }

  childOf(parent: Version | null, birth: Birth, write: Write): Version {
    const { broken } = this.world;
    const isInLife = broken === "put times rise across lives";
    const last = isInLife ? (parent?.put ?? NEVER) : birth.last;
    const { vid, list, put } = parent ?? { vid: 0, list: 0, put: 0 };
    const ancestor = { vid, list, put, keep: write.keep };
    return {
      name: write.name,
      vid: write.vid,
      parent,
      seq: (parent?.seq ?? 0) + 1,
      birthFloor: parent ? parent.birthFloor : birth.floor,
      deleted: write.deleted ?? false,
      list: this.world.lists.idOf(write.cids),
      x: write.x,
      history: parent ? [ancestor, ...parent.history].slice(0, HISTORY_LENGTH) : [],
      put: broken === "put times rise" ? birth.clock : Math.max(birth.clock, last + 1),
      keepMax: Math.max(parent ? write.keep : 0, parent?.keepMax ?? 0),
    };
  }

  /** A tombstone that stands for "absent". */
  fence(name: string, birth: Birth): Version {
    const vid = ++this.vids;
    return this.childOf(null, birth, { name, vid, cids: [], x: 0, keep: 0, deleted: true });
  }

  /** What is current; null: that cannot be told. `isAll`: all servers are asked until they answer. */
  *look(name: string, isAll = false): Step<Look | null> {
    for (let tries = 0; tries < 4; tries++) {
      const told = yield this.ask({ is: "read", name }, (so) => {
        if (so.size < (isAll ? this.world.count : this.world.read)) return false;
        return this.decide(so) !== "doubt" && (isAll || this.chance.is(0.5));
      });
      const current = this.decide(told);
      if (current === "tooFew") return null;
      if (current !== "doubt") return { current, told };
      if (tries === 0) continue;
      const settled = yield* this.settle(name);
      if (settled) return { current: settled.current, told };
    }
    return null;
  }

  /** Makes sure that what is current is chosen; with `above` anew, above that, a tombstone where there is nothing. */
  *settle(
    name: string,
    above?: number,
    revise: (version: Version) => Version = (version) => version,
  ): Step<{ current: Accepted | null } | null> {
    const { read } = this.world;
    const ballots = this.ballots();
    let ballot = ballots.next().value;
    if (above !== undefined) ballot = ballots.next(above).value;
    for (let tries = 0; tries < 5; tries++) {
      const told = yield this.ask(
        { is: "prepare", name, ballot, vid: 0, link: null },
        (so) => [...so.values()].filter(({ ok }) => ok).length >= read && this.chance.is(0.5),
      );
      const granted = [...told.values()].filter(({ ok }) => ok);
      const tried = ballot;
      ballot = ballots.next(this.heard(told)).value;
      if (told.size < read) return null;
      if (granted.length < read) continue;
      const selected = this.select(granted);
      const { current } = selected;
      if (above === undefined && (selected.isCommitted || !current)) return { current };
      if (!current && selected.floor >= tried) continue;
      const version = current ? revise(current.version) : this.fence(name, selected);
      const outcome = yield* this.accept({ ballot: tried, version });
      if (outcome === "chosen") return { current: { ballot: tried, version } };
      if (outcome === "tooFew") return null;
    }
    return null;
  }

  /** ACCEPT, and COMMIT where it was chosen; with `cids`, the list rides to whoever lacks it, unless chance has it otherwise. */
  *accept(accepted: Accepted, cids?: readonly number[]): Step<"chosen" | "refused" | "tooFew"> {
    const { count, accept } = this.world;
    const { list } = accepted.version;
    const takers = (so: Asked): number => [...so.values()].filter(({ ok }) => ok).length;
    const told = yield this.ask(
      { is: "accept", ...accepted },
      (so) => takers(so) >= accept || so.size - takers(so) > count - accept,
    );
    if (takers(told) < accept) return told.size < accept ? "tooFew" : "refused";
    const isRiding = cids && isList(list) && this.chance.is(0.3);
    const lacks = (server: number): boolean => !told.get(server)?.lists.has(list);
    yield this.ask(
      (server) => ({
        is: "commit",
        ...accepted,
        sync: false,
        cids: isRiding && lacks(server) ? cids : undefined,
      }),
      () => this.chance.is(0.5),
    );
    return "chosen";
  }

  /** Copies to these servers, from whoever has the content: home first, then to others. False: they cannot be had. */
  *makeGood(write: Write, cid: number, holders: Holders): Step<boolean> {
    for (let tries = 0; tries < 3; tries++) if (yield* this.#copy(write, cid, holders)) return true;
    return false;
  }

  *#copy({ name, vid, x }: Write, cid: number, holders: Holders): Step<boolean> {
    const { count, copies } = this.world;
    for (let piece = 0; piece < count; piece++) {
      const isIn = (server: number): boolean => holders.get(server)?.has(piece) ?? false;
      let there = this.all.filter(isIn).length;
      if (there >= copies) continue;
      const found = yield this.ask({ is: "fetch", cid, piece });
      if (![...found.values()].some(({ ok }) => ok)) return false;
      const homes = this.world.homesOf(x, piece);
      const order = [...new Set([...homes, ...this.all.map((i) => (homes[0]! + i) % count)])];
      for (const server of order) {
        if (there >= copies || !holders.has(server) || isIn(server)) continue;
        const put: Request = { is: "upload", name, vid, cid, pieces: [piece] };
        const taken = yield this.ask(put, undefined, [server]);
        if (!taken.get(server)?.ok) continue;
        there++;
        holders.get(server)!.add(piece);
      }
      if (there < copies) return false;
    }
    return true;
  }
}
