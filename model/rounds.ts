/**
 * The rounds of the register's model (docs/consistency.md sections 2 and 3): decide, PREPARE, select, ACCEPT, settle, and pieces to their
 * homes. Used by operations.ts and care.ts.
 */
import type { Chance } from "./chance.ts";
import {
  type Accepted,
  type Answer,
  BALLOT_CLIENTS,
  HISTORY_LENGTH,
  type Registers,
  type Request,
  type Version,
  vouched,
} from "./register.ts";
import type { Call, Part, Result } from "./simulator.ts";

export type Asked = Map<number, Answer>;
export type Step<T> = Part<Request, Answer, T>;
type Ask = Call<Request, Answer>;

/** What is current; "doubt": that cannot be told yet. */
export type Decision =
  | { readonly is: "current"; readonly current: Accepted | null }
  | { readonly is: "doubt" | "tooFew" };

/** How a proposal ended, and for who settles what is current then. */
export interface Proposed extends Result {
  readonly current?: Accepted | null;
}

/** What is written; with `expected`, only over that. */
export interface Write {
  readonly vid: number;
  readonly deleted?: boolean;
  readonly small?: boolean;
  readonly expected?: number;
}

/** What people see of a value; 0: no file. */
export const seenOf = (version: Version | null): number =>
  !version || version.deleted ? 0 : version.vid;

const newest = (values: readonly (Accepted | null)[]): Accepted | null =>
  values.reduce((a, b) => (b && (!a || b.ballot > a.ballot) ? b : a), null);

export class Rounds {
  readonly world: Registers;
  readonly chance: Chance;
  readonly all: readonly number[];
  /** Vids are small numbers here. */
  vids = 0;
  /** How often a writer looks what became of its attempts. */
  watch = 0.5;
  #clients = 0;

  constructor(world: Registers, chance: Chance) {
    this.world = world;
    this.chance = chance;
    this.all = world.rows.map((_, server) => server);
  }

  ask(request: Request, enough?: (answers: Asked) => boolean, to = this.all): Ask {
    return { to, ask: () => request, ...(enough && { enough }) };
  }

  decide(told: Asked): Decision {
    const { count, accept, read, broken } = this.world;
    if (told.size < (broken === "one server read" ? 1 : read)) return { is: "tooFew" };
    const answers = [...told.values()];
    const committed = newest(answers.map(({ com }) => com));
    if (broken === "committed only") return { is: "current", current: committed };
    const pending = answers.flatMap(({ acc }) =>
      acc && acc.ballot > (committed?.ballot ?? 0) ? [acc] : [],
    );
    if (broken === "highest seen" || broken === "one server read")
      return { is: "current", current: newest(pending) ?? committed };
    if (pending.length + count - told.size < accept) return { is: "current", current: committed };
    const votes = (ballot: number): number => pending.filter((one) => one.ballot === ballot).length;
    const chosen = newest(pending.filter(({ ballot }) => votes(ballot) >= accept));
    return chosen ? { is: "current", current: chosen } : { is: "doubt" };
  }

  /** Numbers the tries of one operation; `above`: what was heard. */
  *ballots(): Generator<number, never, number> {
    const client = 1 + (this.#clients++ % (BALLOT_CLIENTS - 1));
    for (let heard = 0; ;)
      heard = Math.max(
        heard,
        yield (Math.floor(heard / BALLOT_CLIENTS) + 1) * BALLOT_CLIENTS + client,
      );
  }

  childOf(
    parent: Version | null,
    floor: number,
    { vid, deleted = false, small = false }: Write,
  ): Version {
    return {
      vid,
      parent,
      seq: (parent?.seq ?? 0) + 1,
      history: parent ? [parent.vid, ...parent.history].slice(0, HISTORY_LENGTH) : [],
      birthFloor: parent ? parent.birthFloor : floor,
      deleted,
      small,
    };
  }

  /** A tombstone that stands for "absent". */
  fence(floor: number): Version {
    return this.childOf(null, floor, { vid: 1000 + ++this.vids, deleted: true });
  }

  /** Are there copies enough among those that promised? */
  isCovered(told: Asked): boolean {
    const held = [...told.values()].flatMap((one) => (one.ok ? one.held : []));
    const copies = (piece: number): number => held.filter((one) => one === piece).length;
    return this.all.every((piece) => copies(piece) >= this.world.copies);
  }

  /** PREPARE, and what the promises say: R are enough to settle, a write takes W. */
  *prepare(ballot: number, vid: number, least: number, isWhole: boolean): Step<Asked> {
    const granted = (so: Asked): number => [...so.values()].filter(({ ok }) => ok).length;
    return yield this.ask({ is: "prepare", ballot, vid }, (so) => {
      if (so.size - granted(so) > this.world.count - least) return true;
      return granted(so) >= least && (!isWhole || this.isCovered(so)) && this.chance.is(0.5);
    });
  }

  /** ACCEPT, and COMMIT where it was chosen. */
  *accept(accepted: Accepted): Step<"chosen" | "refused" | "tooFew"> {
    const takers = (so: Asked): number => [...so.values()].filter(({ ok }) => ok).length;
    const { count, accept } = this.world;
    const told = yield this.ask(
      { is: "accept", ...accepted },
      (so) => takers(so) >= accept || so.size - takers(so) > count - accept,
    );
    if (takers(told) < accept) return told.size < accept ? "tooFew" : "refused";
    yield this.ask({ is: "commit", ...accepted, sync: false }, () => this.chance.is(0.5));
    return "chosen";
  }

  /** What a proposer must build on, by what was promised. */
  select(told: Asked): {
    current: Accepted | null;
    isCommitted: boolean;
    floor: number;
    heard: number;
    granted: number;
  } {
    const answers = [...told.values()];
    const granted = answers.filter(({ ok }) => ok);
    const committed = newest(granted.map(({ com }) => com));
    const accepted = newest(granted.map(({ acc }) => acc));
    const isCommitted = (committed?.ballot ?? 0) >= (accepted?.ballot ?? 0);
    const floor = vouched(granted.map((one) => one.floor));
    const heard = Math.max(
      0,
      ...answers.map(({ prom, acc, com }) => Math.max(prom, acc?.ballot ?? 0, com?.ballot ?? 0)),
    );
    return {
      current: isCommitted ? committed : accepted,
      isCommitted,
      floor,
      heard,
      granted: granted.length,
    };
  }

  /** Makes sure that what is current is chosen; with `above` anew, above that. */
  *settle(above?: number): Step<Proposed> {
    const ballots = this.ballots();
    let ballot = ballots.next().value;
    if (above !== undefined) ballot = ballots.next(above).value;
    for (let tries = 0; tries < 6; tries++) {
      const told = yield* this.prepare(ballot, 0, this.world.read, false);
      const { current, isCommitted, floor, heard, granted } = this.select(told);
      if (granted < this.world.read && told.size < this.world.read) return { is: "failed" };
      if (granted >= this.world.read) {
        if (above === undefined && (isCommitted || current === null)) return { is: "ok", current };
        if (current !== null || floor < ballot) {
          const accepted = { ballot, version: current?.version ?? this.fence(floor) };
          const result = yield* this.accept(accepted);
          if (result === "chosen") return { is: "ok", current: accepted };
          if (result === "tooFew") return { is: "failed" };
        }
      }
      ballot = ballots.next(Math.max(heard, floor)).value;
    }
    return { is: "failed" };
  }

  /** Pieces to their homes, and what finds nobody there to others; false where copies cannot be had. */
  *upload(vid: number): Step<boolean> {
    const plan = this.all.map((server) =>
      this.all.filter((piece) => this.world.homesOf(piece).includes(server)),
    );
    const first = yield {
      to: this.all,
      ask: (server) => ({ is: "upload", vid, pieces: plan[server]! }),
    };
    if (this.world.broken === "accept uncovered") return true;
    const there = [...first.keys()];
    if (there.length < this.world.accept) return false;
    const more = new Map<number, number[]>();
    for (const piece of this.all) {
      let copies = there.filter((server) => plan[server]!.includes(piece)).length;
      for (const server of there)
        if (copies < this.world.copies && !plan[server]!.includes(piece)) {
          more.set(server, [...(more.get(server) ?? []), piece]);
          copies++;
        }
      if (copies < this.world.copies) return false;
    }
    if (more.size === 0) return true;
    const second = yield {
      to: [...more.keys()],
      ask: (server) => ({ is: "upload", vid, pieces: more.get(server)! }),
    };
    return second.size === more.size;
  }
}
