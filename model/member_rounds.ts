/** Questions to the members of a configuration, and what their answers mean, in an epoch of one group or of two. Used by members.ts. */
import type { Chance } from "./chance.ts";
import type {
  Accepted,
  Answer,
  Body,
  Config,
  MemberServers,
  Request,
  Version,
} from "./member_servers.ts";
import type { Part, Result } from "./simulator.ts";

export type Step<T> = Part<Request, Answer, T>;
/** By slot. */
export type Told = Map<number, Answer>;

export interface Write {
  readonly vid: number;
  readonly deleted: boolean;
  readonly expected?: number;
}

/** A client goes by a configuration, and numbers its ballots. */
export interface Client {
  readonly id: number;
  config: Config;
  round: number;
}

export const CLIENTS = 64;
const HISTORY = 6;
export const acceptOf = (count: number): number => Math.floor(count / 2) + 1;
const readOf = (count: number): number => count - acceptOf(count) + 1;
const seenOf = (version: Version | null): number => (!version || version.deleted ? 0 : version.vid);
const newest = (values: readonly (Accepted | null)[]): Accepted | null =>
  values.reduce((a, b) => (b && (!a || b.ballot > a.ballot) ? b : a), null);

export class MemberRounds {
  readonly world: MemberServers;
  readonly chance: Chance;
  vids = 0;
  #clients = 0;

  constructor(world: MemberServers, chance: Chance) {
    this.world = world;
    this.chance = chance;
  }

  client(config: Config): Client {
    return { id: 1 + (this.#clients++ % (CLIENTS - 1)), config, round: 0 };
  }

  /** Asks all members, each by its sid. */
  *ask(config: Config, body: Body, enough: (told: Told) => boolean): Step<Told> {
    const members = [...new Set([...config.voters, ...(config.next ?? [])])];
    // Of two seats at one address the later one is there: it replaced the other.
    const slotAt = new Map(members.map((slot) => [config.seats[slot]!.address, slot]));
    const bySlot = (answers: Map<number, Answer>): Told =>
      new Map([...answers].map(([address, answer]) => [slotAt.get(address)!, answer]));
    const sidAt = (address: number): number => config.seats[slotAt.get(address)!]!.sid;
    return bySlot(
      yield {
        to: [...slotAt.keys()],
        ask: (address) => ({ is: "at", sid: sidAt(address), config, body }),
        enough: (answers) => enough(bySlot(answers)),
      },
    );
  }

  /** The newest configuration among these answers, where it is newer than this one. */
  newerIn(told: Told, { birth, epoch }: Config): Config | null {
    if (this.world.broken === "epochs") return null;
    const configs = [...told.values()].flatMap(({ config }) => config ?? []);
    const newer = configs.filter((one) => one.birth === birth && one.epoch > epoch);
    return newer.sort((a, b) => b.epoch - a.epoch)[0] ?? null;
  }

  #isEnough(
    { voters, next }: Config,
    slots: readonly number[],
    of: (count: number) => number,
  ): boolean {
    return [voters, next ?? voters].every(
      (group) => group.filter((slot) => slots.includes(slot)).length >= of(group.length),
    );
  }

  canAccept = (config: Config, slots: readonly number[]): boolean =>
    this.#isEnough(config, slots, acceptOf);

  canRead = (config: Config, slots: readonly number[]): boolean =>
    this.#isEnough(config, slots, readOf);

  okIn = (told: Told): number[] => [...told].flatMap(([slot, { ok }]) => (ok ? [slot] : []));

  /** null: in doubt, or too few answer. */
  #decide(told: Told, config: Config): { current: Accepted | null } | null {
    const slots = this.okIn(told);
    if (!this.canRead(config, slots)) return null;
    const current = newest(slots.map((slot) => told.get(slot)!.com));
    const isAhead = (slot: number): boolean =>
      !slots.includes(slot) || (told.get(slot)!.acc?.ballot ?? 0) > (current?.ballot ?? 0);
    if (config.voters.filter(isAhead).length < acceptOf(config.voters.length)) return { current };
    const pending = slots.map((slot) => told.get(slot)!.acc);
    const holders = (of: Accepted): number[] =>
      slots.filter((slot) => told.get(slot)!.acc?.ballot === of.ballot);
    const chosen = pending.filter((one) => one && this.canAccept(config, holders(one)));
    return chosen.length > 0 ? { current: newest(chosen) } : null;
  }

  /** Settles; with `above` accepts what is current anew, a tombstone where there is nothing. */
  *settle(client: Client, above: number | null): Step<Result> {
    return yield* this.propose(client, null, above);
  }

  /** One write, or none: then what is current is settled. */
  *propose(client: Client, write: Write | null, above: number | null = null): Step<Result> {
    let heard = above ?? 0;
    const parents: number[] = [];
    for (let tries = 0; tries < 6; tries++) {
      const { config } = client;
      client.round = Math.max(client.round, Math.floor(heard / CLIENTS)) + 1;
      const ballot = client.round * CLIENTS + client.id;
      const told = yield* this.ask(config, { is: "prepare", ballot }, (so) => {
        if (this.newerIn(so, config)) return true;
        return this.canRead(config, this.okIn(so)) && this.chance.is(0.6);
      });
      const newer = this.newerIn(told, config);
      if (newer) client.config = newer;
      heard = Math.max(heard, ...[...told.values()].map(({ prom }) => prom));
      const granted = this.okIn(told).map((slot) => told.get(slot)!);
      if (newer || !this.canRead(config, this.okIn(told))) continue;
      const accepted = newest(granted.map(({ acc }) => acc));
      const committed = newest(granted.map(({ com }) => com));
      const isCommitted = (committed?.ballot ?? 0) >= (accepted?.ballot ?? 0);
      const now = (isCommitted ? committed : accepted)?.version ?? null;
      const plan = this.#plan(write, now, isCommitted, parents, above);
      if ("is" in plan) return plan;
      const { version, result } = plan;
      if (version.vid === write?.vid) parents.push(version.seq - 1);
      const taken = yield* this.ask(
        config,
        { is: "accept", ballot, version },
        (so) => Boolean(this.newerIn(so, config)) || this.canAccept(config, this.okIn(so)),
      );
      if (this.canAccept(config, this.okIn(taken))) {
        yield* this.ask(config, { is: "commit", ballot, version }, () => this.chance.is(0.5));
        return result;
      }
      client.config = this.newerIn(taken, config) ?? client.config;
      heard = Math.max(heard, ...[...taken.values()].map(({ prom }) => prom));
    }
    return { is: parents.length > 0 ? "unknown" : "failed" };
  }

  /** What to accept, and what to say then; or how it ends without. */
  #plan(
    write: Write | null,
    now: Version | null,
    isCommitted: boolean,
    parents: readonly number[],
    above: number | null,
  ): Result | { version: Version; result: Result } {
    const fence = (): Version => ({ vid: 1000 + ++this.vids, deleted: true, seq: 1, history: [] });
    const value = seenOf(now);
    const isSettled = now === null || isCommitted;
    if (!write) {
      if (above === null && isSettled) return { is: "ok", value };
      return { version: now ?? fence(), result: { is: "ok", value } };
    }
    const { vid, deleted, expected } = write;
    if (now && (now.vid === vid || now.history.includes(vid)))
      return { version: now, result: { is: "ok" } };
    const isTold = !now || now.seq - now.history.length <= Math.min(...parents) + 1;
    if (parents.length > 0 && !isTold) return { is: "unknown" };
    if (expected !== undefined && value !== expected) {
      const result: Result = { is: "refused", value };
      return isSettled && parents.length === 0 ? result : { version: now ?? fence(), result };
    }
    const history = now ? [now.vid, ...now.history].slice(0, HISTORY) : [];
    return { version: { vid, deleted, seq: (now?.seq ?? 0) + 1, history }, result: { is: "ok" } };
  }

  *read(client: Client): Step<Result> {
    for (let tries = 0; tries < 6; tries++) {
      const { config } = client;
      const told = yield* this.ask(config, { is: "read" }, (so) =>
        Boolean(this.newerIn(so, config) ?? this.#decide(so, config)),
      );
      const newer = this.newerIn(told, config);
      if (newer) {
        client.config = newer;
        continue;
      }
      const decision = this.#decide(told, config);
      if (decision) return { is: "ok", value: seenOf(decision.current?.version ?? null) };
      if (tries === 0 || !this.canRead(config, this.okIn(told))) continue;
      const settled = yield* this.settle(client, null);
      if (settled.is === "ok") return settled;
    }
    return { is: "unavailable" };
  }
}
