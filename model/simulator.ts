/**
 * What the models run in: clients that ask servers over a network which loses, doubles, delays and reorders; servers that crash and come
 * back; clients that are killed. Everything follows from one seed. Used by all models but `bounds.ts` and `states.ts`.
 */
import { isLinearizable, type Operation as Judged } from "../test/sim/linearizable.ts";
import { Chance } from "./chance.ts";

/** A rule does not hold that must hold at every step. */
export class Violation extends Error {}

/** One question to these servers; it ends when all have answered, when it is enough, or when the client's patience ends. */
export interface Call<Q, A> {
  readonly to: readonly number[];
  readonly ask: (server: number) => Q;
  readonly enough?: (answers: Map<number, A>) => boolean;
}

/** How an operation ended. "failed": without effect; "unknown": it may have one, now or later; "unavailable": a read without an answer. */
export interface Result {
  readonly is: "ok" | "refused" | "failed" | "unknown" | "unavailable";
  /** What was read; 0: no file. */
  readonly value?: number;
}

/** Part of an operation: it asks, and goes on with what was answered. */
export type Part<Q, A, T> = Generator<Call<Q, A>, T, Map<number, A>>;
export type Operation<Q, A> = Part<Q, A, Result>;

export type Kind = "get" | "put" | "putIf" | "delete" | "deleteIf" | "care";

/** An operation that begins: what it writes, and for `putIf` and `deleteIf` what must be there. */
export interface Begin<Q, A> {
  readonly kind: Kind;
  readonly vid?: number;
  readonly expected?: number;
  readonly operation: Operation<Q, A>;
}

export interface Done {
  readonly kind: Kind;
  readonly vid: number;
  readonly expected: number;
  readonly begun: number;
  ended: number;
  result: Result;
}

export interface Servers<Q, A> {
  /** undefined: it does not answer. */
  answer(server: number, request: Q): A | undefined;
  crash?(server: number): void;
  restart?(server: number): void;
  /** Called after each step; throws Violation. */
  check?(): void;
}

interface Message<Q, A> {
  readonly client: Client<Q, A>;
  readonly call: number;
  readonly server: number;
  readonly request: Q;
  readonly answer: A | null;
}

interface Client<Q, A> {
  readonly id: number;
  readonly operation: Operation<Q, A>;
  readonly done: Done;
  call: number;
  asked: Call<Q, A> | null;
  answers: Map<number, A>;
  isRunning: boolean;
}

/** What may go wrong, and how often, a step. */
export interface Weather {
  lose: number;
  double: number;
  impatience: number;
  crash: number;
  restart: number;
  kill: number;
  /** Servers that may be down at once, clients that may run at once, clients that may be killed. */
  mostDown: number;
  mostClients: number;
  mostKilled: number;
}

export class Simulator<Q, A> {
  readonly chance: Chance;
  readonly all: readonly number[];
  readonly up: boolean[];
  readonly history: Done[] = [];
  /** Operations to come. */
  readonly queue: (() => Begin<Q, A>)[] = [];
  readonly weather: Weather;
  /** Events so far. */
  events = 0;
  readonly #servers: Servers<Q, A>;
  #time = 0;
  #calls = 0;
  #clients: Client<Q, A>[] = [];
  #started = 0;
  #messages: Message<Q, A>[] = [];
  readonly #speeds = new Map<number, number>();

  constructor(seed: number, count: number, servers: Servers<Q, A>, weather: Partial<Weather>) {
    this.chance = new Chance(seed);
    this.#servers = servers;
    this.all = Array.from({ length: count }, (_, i) => i);
    this.up = this.all.map(() => true);
    this.weather = {
      lose: this.chance.pick([0, 0.02, 0.08]),
      double: this.chance.pick([0, 0.05, 0.15]),
      impatience: this.chance.pick([0.005, 0.02, 0.05]),
      crash: this.chance.pick([0, 0.004, 0.02]),
      restart: 0.06,
      kill: this.chance.pick([0, 0.003, 0.01]),
      mostDown: 1,
      mostClients: 3,
      mostKilled: 2,
      ...weather,
    };
  }

  /** Runs all operations of the queue to their ends. */
  run(mostSteps = 4000): void {
    for (let step = 0; step < mostSteps; step++) {
      if (this.queue.length === 0 && this.#clients.length === 0) return;
      this.#step();
      this.#servers.check?.();
    }
  }

  #step(): void {
    const { chance, weather } = this;
    const next = this.#clients.length === 0 || chance.is(0.08);
    if (next && this.queue.length > 0 && this.#clients.length < weather.mostClients) {
      this.#begin(this.queue.shift()!());
      return;
    }
    const down = this.all.filter((server) => !this.up[server]);
    if (chance.is(weather.crash) && down.length < weather.mostDown) {
      const server = chance.pick(this.all.filter((one) => this.up[one]));
      this.up[server] = false;
      this.#servers.crash?.(server);
      return;
    }
    if (down.length > 0 && chance.is(weather.restart * 0.3)) {
      this.restart(chance.pick(down));
      return;
    }
    if (this.#clients.length > 0 && weather.mostKilled > 0 && chance.is(weather.kill)) {
      weather.mostKilled--;
      this.#end(chance.pick(this.#clients));
      return;
    }
    if (chance.is(0.02)) this.#speeds.clear();
    if (this.#messages.length > 0) {
      const at = chance.below(this.#messages.length);
      if (chance.is(this.#speedOf(this.#messages[at]!))) this.#deliver(at);
    }
    if (this.#messages.length === 0 || chance.is(weather.impatience)) {
      const client = this.#clients.length > 0 ? chance.pick(this.#clients) : null;
      if (client?.asked) this.#goOn(client, client.answers);
    }
  }

  restart(server: number): void {
    this.up[server] = true;
    this.#servers.restart?.(server);
  }

  restartAll(): void {
    for (const server of this.all) if (!this.up[server]) this.restart(server);
  }

  /** Of each pair of client and server: some are slow for a while. */
  #speedOf({ client, server }: Message<Q, A>): number {
    const pair = client.id * 64 + server;
    const known = this.#speeds.get(pair);
    if (known !== undefined) return known;
    const drawn = this.chance.fraction();
    const speed = drawn < 0.7 ? 1 : drawn < 0.9 ? 0.15 : 0.01;
    this.#speeds.set(pair, speed);
    return speed;
  }

  #begin({ kind, vid = 0, expected = 0, operation }: Begin<Q, A>): Client<Q, A> {
    const begun = ++this.#time;
    const done: Done = {
      kind,
      vid,
      expected,
      begun,
      ended: Infinity,
      result: { is: "unknown" },
    };
    if (kind !== "care") this.history.push(done);
    const id = this.#started++;
    const answers = new Map<number, A>();
    const client = { id, operation, done, call: -1, asked: null, answers, isRunning: true };
    this.#clients.push(client);
    this.#goOn(client, null);
    return client;
  }

  #end(client: Client<Q, A>): void {
    client.isRunning = false;
    this.#clients = this.#clients.filter((one) => one !== client);
  }

  #goOn(client: Client<Q, A>, answers: Map<number, A> | null): void {
    const next = answers ? client.operation.next(answers) : client.operation.next();
    if (next.done) {
      client.done.result = next.value;
      client.done.ended = ++this.#time;
      this.#end(client);
      return;
    }
    client.asked = next.value;
    client.answers = new Map();
    client.call = ++this.#calls;
    const { call } = client;
    for (const server of next.value.to)
      this.#messages.push({ client, call, server, request: next.value.ask(server), answer: null });
    if (next.value.to.length === 0) this.#goOn(client, client.answers);
  }

  #deliver(at: number): void {
    const { chance, weather } = this;
    const message = this.#messages[at]!;
    this.#messages[at] = this.#messages.at(-1)!;
    this.#messages.pop();
    if (chance.is(weather.double)) this.#messages.push(message);
    if (chance.is(weather.lose)) return;
    const { client, call, server, request, answer: told } = message;
    if (told === null) {
      if (!this.up[server]) return;
      this.events++;
      this.#time++;
      const answer = this.#servers.answer(server, request);
      if (answer !== undefined) this.#messages.push({ client, call, server, request, answer });
      return;
    }
    if (!client.isRunning || client.call !== call || client.answers.has(server)) return;
    this.events++;
    this.#time++;
    client.answers.set(server, told);
    const { to, enough } = client.asked!;
    if (client.answers.size === to.length || enough?.(client.answers))
      this.#goOn(client, client.answers);
  }

  /** One operation while nothing goes wrong any more; `late`: old messages may still arrive in between. */
  settle(begin: Begin<Q, A>, late: boolean): Result {
    this.weather.lose = 0;
    this.weather.double = 0;
    if (!late) this.#messages = [];
    const client = this.#begin(begin);
    for (let step = 0; client.isRunning && step < 5000; step++) {
      const mine = [...this.#messages.keys()].filter((i) => this.#messages[i]?.client === client);
      const isLate = this.#messages.length > mine.length && this.chance.is(0.2);
      if (mine.length === 0) this.#goOn(client, client.answers);
      else
        this.#deliver(isLate ? this.chance.below(this.#messages.length) : this.chance.pick(mine));
      this.#servers.check?.();
    }
    return client.done.result;
  }

  /** All that is on the way arrives. */
  deliverAll(): void {
    for (let step = 0; this.#messages.length > 0 && step < 3000; step++) {
      this.#deliver(this.chance.below(this.#messages.length));
      this.#servers.check?.();
    }
  }

  get isLinearizable(): boolean {
    return linearizable(this.history);
  }
}

/** Could one register, used by one client at a time, have had this history? */
export const linearizable = (history: readonly Done[]): boolean =>
  isLinearizable(history.flatMap(judged));

/** What the judge is to know of an operation; nothing where it had no effect and saw nothing. */
function judged({ kind, vid, expected, begun, ended, result: { is, value = 0 } }: Done): Judged[] {
  const isLost = is === "failed" || is === "unavailable" || (kind === "get" && is !== "ok");
  if (isLost) return [];
  const times = { invoked: begun, returned: is === "unknown" ? Infinity : ended };
  if (kind === "get") return [{ ...times, effect: { is: "read", value } }];
  if (kind === "delete") return [{ ...times, effect: { is: "write", value: 0 } }];
  if (kind === "put") return [{ ...times, effect: { is: "write", value: vid } }];
  if (is === "refused") return [{ ...times, effect: { is: "read", value } }];
  const written = kind === "deleteIf" ? 0 : vid;
  return [{ ...times, effect: { is: "writeIf", expected, value: written } }];
}
