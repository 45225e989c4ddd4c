/**
 * What users do in the model of content by reference (docs/consistency.md section 15): put, get, delete, attributes, copy, move, join and
 * append; and what a judge of linearizability is to know of it. What is about older versions is in versions.ts. Used by histories.ts.
 */
import { type Done, type Kind, type Result, Violation } from "../simulator.ts";
import { propose } from "./propose.ts";
import { FOREVER, type Version } from "./records.ts";
import type { Holders, Rounds, Step, Write } from "./rounds.ts";

/** Longer lists show nothing more. */
const LIST_LENGTH = 4;

/** What users saw of each name, in an order of moments. */
class Seen {
  readonly #names = new Map<string, Done[]>();
  /** By vid: the list that it was written with. */
  readonly lists = new Map<number, number>();
  #moment = 0;

  of(name: string): Done[] {
    const known = this.#names.get(name) ?? [];
    this.#names.set(name, known);
    return known;
  }

  *record(
    name: string,
    kind: Kind,
    { vid = 0, expected = 0 }: { vid?: number; expected?: number | undefined },
    step: Step<Result>,
  ): Step<Result> {
    const begun = ++this.#moment;
    const result: Result = { is: "unknown" };
    const done: Done = { kind, vid, expected, begun, ended: Infinity, result };
    this.of(name).push(done);
    done.result = yield* step;
    done.ended = ++this.#moment;
    return done.result;
  }
}

export class Files {
  readonly of: Rounds;
  readonly seen = new Seen();
  readonly #keeps: readonly number[];

  /** `isKeeping`: are older versions kept, each for as long as chance has it? */
  constructor(of: Rounds, isKeeping: boolean) {
    this.of = of;
    this.#keeps = isKeeping ? [0, 40, 120, 120, 300, FOREVER] : [0];
  }

  /** One write, of which the judge is told. */
  write(write: Omit<Write, "vid" | "keep">, vid = ++this.of.vids): Step<Result> {
    const { name, cids, deleted, expected } = write;
    this.seen.lists.set(vid, this.of.world.lists.idOf(cids));
    const whole = { ...write, vid, keep: this.of.chance.pick(this.#keeps) };
    const isIf = expected !== undefined;
    const kind = deleted ? (isIf ? "deleteIf" : "delete") : isIf ? "putIf" : "put";
    return this.seen.record(name, kind, { vid, expected }, propose(this.of, whole));
  }

  /** Bytes from the client to the homes, and what finds nobody there to others; false where copies cannot be had. */
  *#upload(name: string, vid: number, x: number): Step<boolean> {
    const { world, all } = this.of;
    const plan = all.map((server) =>
      all.filter((piece) => world.homesOf(x, piece).includes(server)),
    );
    const holders: Holders = new Map();
    let left = all;
    for (let tries = 0; tries < 3 && holders.size < world.accept; tries++) {
      const told = yield this.of.ask(
        (server) => ({ is: "upload", name, vid, cid: vid, pieces: plan[server]! }),
        undefined,
        left,
      );
      for (const [server, { ok }] of told) if (ok) holders.set(server, new Set(plan[server]));
      left = left.filter((server) => !told.has(server));
    }
    if (holders.size < world.accept) return false;
    return yield* this.of.makeGood({ name, vid, cids: [vid], x, keep: 0 }, vid, holders);
  }

  *put(name: string, expected?: number): Step<Result> {
    const vid = ++this.of.vids;
    const x = this.of.chance.below(this.of.world.count);
    if (!(yield* this.#upload(name, vid, x))) return { is: "failed" };
    return yield* this.write(
      { name, cids: [vid], x, ...(expected !== undefined && { expected }) },
      vid,
    );
  }

  /** What a name has now; null: none, or it cannot be told. */
  *#current(name: string): Step<Version | null> {
    const look = yield* this.of.look(name);
    const version = look?.current?.version;
    return version && !version.deleted ? version : null;
  }

  /** Other attributes, the same contents. */
  *setAttributes(name: string): Step<Result> {
    const version = yield* this.#current(name);
    if (!version) return { is: "failed" };
    const cids = this.of.world.lists.cidsOf(version.list);
    return yield* this.write({ name, cids, x: version.x, expected: version.vid });
  }

  *copy(from: string, to: string, isMove: boolean): Step<Result> {
    const version = yield* this.#current(from);
    if (!version) return { is: "failed" };
    const cids = this.of.world.lists.cidsOf(version.list);
    const copied = yield* this.write({ name: to, cids, x: version.x, isLinked: true });
    if (isMove) yield* this.#removeSource(version, to, copied);
    return copied;
  }

  /** Deletes what was copied or joined, if that is certain, and is what is still there. */
  *#removeSource({ name, vid }: Version, to: string, copied: Result): Step<void> {
    const { broken, truth } = this.of.world;
    if (name === to || (copied.is !== "ok" && broken !== "move is certain")) return;
    const isBroken = broken === "move deletes what it copied";
    const own = ++this.of.vids;
    const write = { name, cids: [], x: 0, deleted: true, ...(!isBroken && { expected: vid }) };
    const removed = yield* this.write(write, own);
    if (removed.is !== "ok") return;
    if (copied.is !== "ok") throw new Violation("a move deleted what it may not have copied");
    const gone = truth.of(name).order.find((one) => one.vid === own)?.parent;
    if (gone && !gone.deleted && gone.vid !== vid)
      throw new Violation("a move deleted what it had not copied");
  }

  /** A version of the contents of several names, and of parts that never became versions; then the names may go. */
  *join(from: readonly string[], to: string, isMove: boolean): Step<Result> {
    const { chance, world } = this.of;
    const parts: Version[] = [];
    for (const name of new Set(from)) {
      const version = yield* this.#current(name);
      if (version) parts.push(version);
    }
    let cids = parts.flatMap(({ list }) => world.lists.cidsOf(list));
    const x = parts[0]?.x ?? chance.below(world.count);
    if (chance.is(0.3)) {
      const cid = ++this.of.vids;
      if (yield* this.#upload(chance.pick(from), cid, x)) cids = [cid, ...cids];
    }
    cids = cids.slice(0, LIST_LENGTH);
    if (cids.length === 0) return { is: "failed" };
    const joined = yield* this.write({ name: to, cids, x, isLinked: true });
    if (isMove) for (const part of parts) yield* this.#removeSource(part, to, joined);
    return joined;
  }

  /** One new content behind those of the version that is there; the list rides with the promise. */
  *append(name: string): Step<Result> {
    const { chance, world } = this.of;
    const version = yield* this.#current(name);
    const old = version ? world.lists.cidsOf(version.list) : [];
    const vid = ++this.of.vids;
    const x = version?.x ?? chance.below(world.count);
    if (!(yield* this.#upload(name, vid, x))) return { is: "failed" };
    const cids = [...old.slice(0, LIST_LENGTH - 1), vid];
    return yield* this.write({ name, cids, x, expected: version?.vid ?? 0, isLinked: true }, vid);
  }

  remove(name: string): Step<Result> {
    return this.write({ name, cids: [], x: 0, deleted: true });
  }

  get(name: string): Step<Result> {
    return this.seen.record(name, "get", {}, this.#get(name));
  }

  *#get(name: string): Step<Result> {
    const { world } = this.of;
    for (let tries = 0; tries < 4; tries++) {
      const look = yield* this.of.look(name);
      if (!look) break;
      const version = look.current?.version;
      if (!version || version.deleted) return { is: "ok", value: 0 };
      const written = this.seen.lists.get(version.vid);
      if (written !== version.list) throw new Violation("a version has another content");
      let isRead = true;
      for (const cid of world.lists.cidsOf(version.list))
        for (const piece of this.of.all) {
          const found = yield this.of.ask({ is: "fetch", cid, piece }, (so) =>
            [...so.values()].some(({ ok }) => ok),
          );
          isRead &&= [...found.values()].some(({ ok }) => ok);
        }
      if (isRead) return { is: "ok", value: version.vid };
    }
    return { is: "unavailable" };
  }
}
