/**
 * What a client does with the lives of servers (docs/consistency.md section 13): it exchanges them before it asks anything, leaves out who
 * was put back, has copies settle. It stands between the register's operations and the network. A roll-back of which nobody who answers
 * knows cannot be noticed; so the judge asks two things: was anything wrong that all who counted had told truly, and did anybody who
 * answered know of a roll-back that counted all the same?
 */
import { forget, repair } from "./care.ts";
import { Chance } from "./chance.ts";
import type { Judgement } from "./histories.ts";
import {
  type Fault,
  type Life,
  type LifeAnswer,
  type LifeRequest,
  type LifeRule,
  LifeServers,
  type News,
} from "./life_servers.ts";
import { get, put } from "./operations.ts";
import type { Answer, Request } from "./register.ts";
import { Rounds } from "./rounds.ts";
import { type Begin, type Kind, type Operation, Simulator } from "./simulator.ts";

type Asked = Map<number, LifeAnswer>;

/** What the judge sees of what clients counted. */
interface Counted {
  ignorant: number;
  knownAndIgnorant: number;
}

class Client {
  readonly #id: number;
  readonly #isOperator: boolean;
  readonly #world: LifeServers;
  readonly #counted: Counted;
  /** By server: what others know of its lives; and what it said last. */
  readonly #claims: Life[][];
  readonly #last = new Map<number, LifeAnswer>();

  constructor(id: number, isOperator: boolean, world: LifeServers, counted: Counted) {
    this.#id = id;
    this.#isOperator = isOperator;
    this.#world = world;
    this.#counted = counted;
    this.#claims = world.registers.rows.map(() => []);
  }

  /** Does some claim say that this server has forgotten something? */
  #isBack(server: number, { now, past }: LifeAnswer, keepsMarks: boolean): boolean {
    return this.#claims[server]!.some(({ life, mark }) => {
      if (life === now.life) return mark !== now.mark;
      return keepsMarks ? past.get(life) !== mark : life > now.life;
    });
  }

  #isOut(server: number, said: LifeAnswer): boolean {
    const { broken } = this.#world;
    if (broken === "others are asked") return false;
    if (said.isUnsettled && broken !== "copies settle") return true;
    return this.#isBack(server, said, broken !== "all marks are kept");
  }

  #absorb(told: Asked): void {
    for (const [server, said] of told) {
      this.#last.set(server, said);
      for (const [of, { life, mark }] of said.known)
        if (!this.#claims[of]!.some((claim) => claim.mark === mark))
          this.#claims[of]!.push({ life, mark });
    }
  }

  /** The answers that count. */
  #count(told: Asked): Map<number, Answer> {
    this.#absorb(told);
    const counts = new Map<number, Answer>();
    for (const [server, said] of told)
      if (said.answer && !this.#isOut(server, said)) counts.set(server, said.answer);
    return counts;
  }

  /** A request, with what the server is to be told; nothing is asked of one before lives were exchanged. */
  #dress(server: number, request: Request | null): LifeRequest {
    const last = this.#last.get(server);
    const told = { client: this.#id, mark: last?.now.mark ?? null };
    if (!last) return { ...told, news: [], isSettled: false, request: null };
    const news: News[] = [...this.#last].flatMap(([of, said]) => {
      const from = last.known.get(of)?.mark ?? null;
      const isNews = of !== server && from !== said.now.mark && !this.#isBack(of, said, true);
      return isNews ? [{ of, from, now: said.now }] : [];
    });
    const knowing = [...this.#last].filter(
      ([other, { known }]) => other !== server && known.get(server)?.mark === last.now.mark,
    );
    const { count, accept } = this.#world.registers;
    const least =
      Math.min(accept, count - 1) - (this.#world.broken === "W others know a copy" ? 1 : 0);
    const isSettled = this.#isOperator && knowing.length >= least;
    return { ...told, news: this.#isOperator ? news : [], isSettled, request };
  }

  *carryOut(
    operation: Operation<Request, Answer>,
    chance: Chance,
    all: readonly number[],
  ): Operation<LifeRequest, LifeAnswer> {
    for (let round = 0; round < 4; round++) {
      const told: Asked = yield {
        to: all,
        ask: (server) => this.#dress(server, null),
        enough: (so) => so.size >= this.#world.registers.read && chance.is(0.3),
      };
      this.#absorb(told);
      if (![...told.values()].some(({ isUnsettled }) => isUnsettled)) break;
    }
    for (let next = operation.next(); ;) {
      if (next.done) return next.value;
      const { to, ask, enough } = next.value;
      const told: Asked = yield {
        to,
        ask: (server) => this.#dress(server, ask(server)),
        ...(enough && { enough: (so: Asked) => enough(this.#count(so)) }),
      };
      const counts = this.#count(told);
      for (const [server, said] of told) {
        if (!said.isIgnorant || !counts.has(server)) continue;
        this.#counted.ignorant++;
        if (this.#isBack(server, said, true)) this.#counted.knownAndIgnorant++;
      }
      next = operation.next(counts);
    }
  }
}

const OPERATIONS = 10;

/** `isStrict`: with copies only one ever counts, so nothing at all may be wrong. */
export function lifeHistory(
  seed: number,
  broken: LifeRule | null,
  fault: Fault,
  operators: number,
  isStrict: boolean,
): Judgement {
  const count = 3 + (seed % 3);
  const world = new LifeServers(count, broken, fault, new Chance(seed + 1));
  const chance = new Chance(seed + 2);
  const mostDown = chance.pick([Math.max(1, Math.floor((count - 1) / 2)), count - 1]);
  const weather = {
    mostDown,
    mostClients: 1 + (seed % 3),
    crash: chance.pick([0.01, 0.03, 0.06]),
    restart: chance.pick([0.1, 0.3, 1]),
    kill: 0.001,
  };
  const sim = new Simulator(seed, count, world, weather);
  const rounds = new Rounds(world.registers, sim.chance);
  const counted: Counted = { ignorant: 0, knownAndIgnorant: 0 };
  let clients = 0;
  const begin = (
    kind: Kind,
    operation: Operation<Request, Answer>,
    more: { vid?: number; expected?: number } = {},
  ): Begin<LifeRequest, LifeAnswer> => {
    const client = new Client(clients++, sim.chance.is(operators), world, counted);
    return { kind, ...more, operation: client.carryOut(operation, sim.chance, sim.all) };
  };
  const known = [0];
  const next = (): Begin<LifeRequest, LifeAnswer> => {
    const vid = ++rounds.vids;
    const part = sim.chance.fraction();
    if (part < 0.48) {
      const expected = sim.chance.pick(known.slice(-3));
      known.push(vid);
      if (part < 0.36) return begin("put", put(rounds, { vid, small: true }), { vid });
      return begin("putIf", put(rounds, { vid, small: true, expected }), { vid, expected });
    }
    if (part < 0.58) return begin("delete", put(rounds, { vid, deleted: true }), { vid });
    if (part < 0.64) return begin("care", repair(rounds));
    if (part < 0.7) return begin("care", forget(rounds));
    return begin("get", get(rounds));
  };
  for (let i = 0; i < OPERATIONS; i++) sim.queue.push(next);
  sim.run(3000);
  sim.deliverAll();
  sim.restartAll();
  for (let i = 0; i < 2; i++) sim.settle(begin("get", get(rounds)), false);
  const { events } = sim;
  if (counted.knownAndIgnorant > 0)
    return { events, wrong: "a roll-back counted that somebody who answered knew of" };
  const isExcused = counted.ignorant > 0 && !isStrict;
  return {
    events,
    wrong: sim.isLinearizable || isExcused ? null : "the history is not linearizable",
  };
}
