/**
 * Who makes the cluster, and how that changes (docs/consistency.md sections 4 and 14): founding by those that are there, late servers,
 * emptied folders that are replaced, an epoch of both groups, and every value accepted anew in it.
 */
import { Chance } from "./chance.ts";
import type { Judgement } from "./histories.ts";
import {
  acceptOf,
  type Client,
  CLIENTS,
  MemberRounds,
  type Step,
  type Told,
} from "./member_rounds.ts";
import {
  type Answer,
  type Config,
  type MemberRule,
  MemberServers,
  type Request,
  type Seat,
} from "./member_servers.ts";
import { type Begin, type Operation, type Part, type Result, Simulator } from "./simulator.ts";

class Members {
  readonly rounds: MemberRounds;
  readonly addresses: readonly number[];
  /** By birth and epoch: what the register of configurations has chosen. */
  readonly log = new Map<string, Config>();
  readonly births = new Set<number>();
  /** The founding that clients remember. */
  #memory: number | null = null;
  #foundings = 0;
  /** What a client that has run for long goes by. */
  #old: Config | null = null;

  constructor(rounds: MemberRounds) {
    this.rounds = rounds;
    this.addresses = rounds.world.servers.map((_, address) => address);
  }

  get #broken(): MemberRule | null {
    return this.rounds.world.broken;
  }

  /** Finds the cluster, or founds it; and changes it, where somebody is late or lost. null: that cannot be done now. */
  *open(changes: boolean, replaces = false): Step<Client | null> {
    const { chance } = this.rounds;
    if (!changes && this.#old && chance.is(0.3)) return this.rounds.client(this.#old);
    const least = acceptOf(this.addresses.length);
    const met = yield {
      to: this.addresses,
      ask: () => ({ is: "hello" }),
      enough: (so) => so.size >= least && chance.is(0.15),
    };
    const configs = [...met.values()].flatMap(({ config }) => config ?? []);
    if (new Set(configs.map(({ birth }) => birth)).size > 1) return null;
    const known = configs.sort((a, b) => b.epoch - a.epoch)[0] ?? (yield* this.#found(met));
    if (!known) return null;
    if (!this.#old || chance.is(0.2)) this.#old = known;
    const client = this.rounds.client(known);
    if (!changes && chance.is(0.5)) return client;
    if (!known.next) client.config = yield* this.#begin(known, met, replaces);
    if (client.config.next) client.config = yield* this.#finish(client);
    return client;
  }

  *#found(met: Map<number, Answer>): Step<Config | null> {
    const isByMet = this.#broken === "founding by W of all listed";
    const count = isByMet ? met.size : this.addresses.length;
    const accept = acceptOf(count);
    const to = [...met.keys()];
    if (to.length < Math.max(accept, 2)) return null;
    const okIn = (so: Map<number, Answer>): Answer[] => [...so.values()].filter(({ ok }) => ok);
    const enough = (so: Map<number, Answer>): boolean => okIn(so).length >= accept;
    const sidAt = (address: number): number => met.get(address)!.sid;
    const ballot = ++this.#foundings * CLIENTS;
    const promised = yield {
      to,
      ask: (at) => ({ is: "foundPrepare", sid: sidAt(at), ballot }),
      enough,
    };
    if (okIn(promised).length < count - accept + 1) return null;
    const begun = okIn(promised).flatMap(({ founding }) => founding ?? []);
    const before = begun.sort((a, b) => b.ballot - a.ballot)[0]?.config ?? null;
    const isOther = this.#memory !== null && before?.birth !== this.#memory;
    if (isOther && this.#broken !== "nothing founded by who knows of a founding") return null;
    const seats = to.map((address): Seat => ({ address, sid: sidAt(address) }));
    const config = before ?? {
      birth: ballot,
      epoch: 1,
      seats,
      voters: [...seats.keys()],
      next: null,
    };
    const taken = yield {
      to,
      ask: (at) => ({ is: "foundAccept", sid: sidAt(at), ballot, config }),
      enough,
    };
    if (okIn(taken).length < accept) return null;
    this.births.add(config.birth);
    this.#memory = config.birth;
    this.rounds.world.isFounded = true;
    this.log.set(keyOf(config), config);
    yield* this.#install(config);
    return config;
  }

  /** Has all members go by it; true once that is enough. */
  *#install(config: Config): Step<boolean> {
    const installed = new Set<number>();
    const isDone = (): boolean => this.rounds.canAccept(config, [...installed]);
    for (let tries = 0; tries < 4 && !isDone(); tries++) {
      const note = (so: Told): void => {
        for (const slot of so.keys()) installed.add(slot);
      };
      note(
        yield* this.rounds.ask(config, { is: "install" }, (so) => {
          note(so);
          return isDone();
        }),
      );
    }
    return isDone();
  }

  /** The next configuration: what its register decides, by a quorum of this one. null: that cannot be told now. */
  *#choose(now: Config, wanted: Config): Step<Config | null> {
    const told = yield* this.rounds.ask(
      now,
      { is: "epoch" },
      (so) =>
        Boolean(this.rounds.newerIn(so, now)) || this.rounds.canAccept(now, this.rounds.okIn(so)),
    );
    const newer = this.rounds.newerIn(told, now);
    if (newer) return newer;
    if (!this.rounds.canAccept(now, this.rounds.okIn(told))) return null;
    const chosen = this.log.get(keyOf(wanted)) ?? wanted;
    this.log.set(keyOf(wanted), chosen);
    return chosen;
  }

  /** Begins a change: late servers get seats, or one that lost its data is replaced. */
  *#begin(now: Config, met: Map<number, Answer>, replaces: boolean): Step<Config> {
    const isSeated = (sid: number): boolean => now.seats.some((seat) => seat.sid === sid);
    const strangers = [...met].filter(([, { sid, config }]) => !config && !isSeated(sid));
    const seats = [...now.seats];
    const give = ([address, { sid }]: [number, Answer]): number => seats.push({ address, sid }) - 1;
    const late = strangers.filter(([at]) => !now.seats.some(({ address }) => address === at));
    let next: number[] = [...now.voters, ...late.map(give)];
    if (late.length === 0 && replaces) {
      const slotAt = (at: number): number =>
        now.voters.find((slot) => seats[slot]!.address === at) ?? -1;
      const lost = strangers.find(([at]) => slotAt(at) >= 0);
      const slot = lost ? slotAt(lost[0]) : -1;
      const heir = lost ? give(lost) : -1;
      next = now.voters.map((one) => (one === slot ? heir : one));
    }
    const isThere = (slot: number): boolean =>
      met.get(seats[slot]!.address)?.sid === seats[slot]!.sid;
    const there = seats.flatMap((_, slot) => (isThere(slot) ? [slot] : []));
    const both: Config = { ...now, epoch: now.epoch + 1, seats, next };
    if (seats.length === now.seats.length || !this.rounds.canAccept(both, there)) return now;
    if (this.#broken !== "an epoch of both") return (yield* this.#choose(now, both)) ?? now;
    const after = (yield* this.#choose(now, { ...both, voters: next, next: null })) ?? now;
    yield* this.#install(after);
    return after;
  }

  /** Brings a change to its end: all go by it, every value is accepted anew, and those after decide alone. */
  *#finish({ id, config: both }: Client): Step<Config> {
    const { rounds } = this;
    const last = this.log.get(keyOf({ ...both, epoch: both.epoch + 1 }));
    if (last) return last;
    if (!(yield* this.#install(both))) return both;
    const group: Config = { ...both, next: null };
    if (this.#broken !== "every value accepted anew") {
      // Those that were only promised something count too, and all goes above every promise.
      const isEnough = (so: Told): boolean => rounds.canAccept(group, rounds.okIn(so));
      const told = yield* rounds.ask(
        both,
        { is: "read" },
        (so) => Boolean(rounds.newerIn(so, both)) || (isEnough(so) && rounds.chance.is(0.7)),
      );
      const newer = rounds.newerIn(told, both);
      if (newer || !isEnough(told)) return newer ?? both;
      const isHeld = ({ prom }: Answer): boolean => prom > 0;
      if ([...told.values()].some(isHeld)) {
        const proms = [...told.values()].map(({ prom }) => prom);
        const isByForce = this.#broken !== "accepted anew by force";
        const client: Client = { id, config: both, round: 0 };
        const { is } = yield* rounds.settle(client, isByForce ? Math.max(...proms) : null);
        if (client.config.epoch > both.epoch || is !== "ok") return client.config;
      }
    }
    const after = yield* this.#choose(both, {
      ...group,
      epoch: both.epoch + 1,
      voters: both.next ?? both.voters,
    });
    if (!after) return both;
    yield* this.#install(after);
    return after;
  }
}

const keyOf = ({ birth, epoch }: Config): string => `${birth} ${epoch}`;

const OPERATIONS = 10;
const ROUGH = { impatience: 0.06, lose: 0.05, kill: 0.02, mostKilled: 4, crash: 0.03 };

/** "rough": three servers, of which two found the cluster, and clients that give up soon and are killed often. */
export type MemberTilt = "even" | "rough";

export function memberHistory(
  seed: number,
  broken: MemberRule | null,
  tilt: MemberTilt = "even",
): Judgement {
  const isRough = tilt === "rough";
  const count = isRough ? 3 : 3 + (seed % 3);
  const world = new MemberServers(count, broken, new Chance(seed + 1));
  const weather = { mostDown: count - 1, mostClients: 1 + (seed % 3), ...(isRough && ROUGH) };
  const sim = new Simulator(seed, count, world, weather);
  const { chance } = sim;
  const rounds = new MemberRounds(world, chance);
  const members = new Members(rounds);
  // Some come late.
  for (let late = acceptOf(count); late < count; late++)
    if (isRough || chance.is(0.7)) sim.up[late] = false;
  const known = [0];
  for (let i = 0; i < OPERATIONS; i++) sim.queue.push(() => begin(members, chance, known));
  sim.run(3000);
  sim.deliverAll();
  world.empties = 0;
  sim.restartAll();
  for (let i = 0; i < 2; i++) sim.settle({ kind: "get", operation: get(members) }, false);
  if (members.births.size > 1) return { events: sim.events, wrong: "two clusters were founded" };
  return {
    events: sim.events,
    wrong: sim.isLinearizable ? null : "the history is not linearizable",
  };
}

function begin(members: Members, chance: Chance, known: number[]): Begin<Request, Answer> {
  const kind = chance.fraction();
  const vid = ++members.rounds.vids;
  const write = (more: { deleted?: boolean; expected?: number }) =>
    put(members, { vid, deleted: false, ...more });
  if (kind < 0.45) {
    const expected = chance.pick(known.slice(-3));
    known.push(vid);
    if (kind < 0.35) return { kind: "put", vid, operation: write({}) };
    return { kind: "putIf", vid, expected, operation: write({ expected }) };
  }
  if (kind < 0.52) return { kind: "delete", vid, operation: write({ deleted: true }) };
  if (kind < 0.68) return { kind: "care", operation: change(members, chance.is(0.6)) };
  return { kind: "get", operation: get(members) };
}

type Did = Operation<Request, Answer>;

function* put(members: Members, write: { vid: number; deleted: boolean; expected?: number }): Did {
  const client = yield* members.open(false);
  return client ? yield* members.rounds.propose(client, write) : { is: "failed" };
}

function* get(members: Members): Part<Request, Answer, Result> {
  const client = yield* members.open(false);
  return client ? yield* members.rounds.read(client) : { is: "unavailable" };
}

function* change(members: Members, replaces: boolean): Did {
  yield* members.open(true, replaces);
  return { is: "ok" };
}
