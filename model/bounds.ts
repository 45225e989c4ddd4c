/**
 * Bounded ballots and climbing (docs/consistency.md section 12): can somebody who keeps the rules be refused for good? Some clients take the
 * highest number that is allowed, again and again; servers are away, forget names, are replaced by blank ones; one may lie. Rounds only:
 * there are no messages here, and no contents.
 */
import { Chance } from "./chance.ts";
import type { Judgement } from "./histories.ts";

export type BoundRule = "no climbing" | "one number followed" | "no bound";

/** Small: here every step counts. */
const BOUND = 4;
const NAMES = 3;
const STEPS = 16;
const EVENTS = 60;
/** A number that only a lie can be, and without a bound the end of all numbers. */
const FAR = 2 ** 40;

interface Row {
  readonly prom: number;
  readonly acc: number;
  readonly com: number;
  readonly deleted: boolean;
}

interface Server {
  isUp: boolean;
  floor: number;
  readonly rows: Map<number, Row>;
  readonly isLying: boolean;
}

class Bounds {
  readonly servers: Server[];
  readonly accept: number;
  readonly #chance: Chance;
  readonly #broken: BoundRule | null;
  events = 0;

  constructor(count: number, broken: BoundRule | null, chance: Chance, lies: boolean) {
    this.accept = Math.floor(count / 2) + 1;
    this.#chance = chance;
    this.#broken = broken;
    this.servers = Array.from({ length: count }, (_, i) => blank(0, lies && i === count - 1));
  }

  get honest(): Server[] {
    return this.servers.filter(({ isUp, isLying }) => isUp && !isLying);
  }

  rowOf = (server: Server, name: number): Row =>
    server.rows.get(name) ?? { prom: server.floor, acc: 0, com: 0, deleted: false };

  boundOf(server: Server, name: number): number {
    if (this.#broken === "no bound") return FAR;
    return Math.max(this.rowOf(server, name).prom, server.floor) + BOUND;
  }

  prepare(server: Server, name: number, n: number): boolean {
    this.events++;
    const row = this.rowOf(server, name);
    if (n <= row.prom || n > this.boundOf(server, name)) return false;
    server.rows.set(name, { ...row, prom: n });
    return true;
  }

  #accept(server: Server, name: number, n: number, deleted: boolean): boolean {
    this.events++;
    const row = this.rowOf(server, name);
    if (n < row.prom || n > this.boundOf(server, name)) return false;
    server.rows.set(name, { ...row, prom: n, acc: n, deleted });
    return true;
  }

  #commit(server: Server, name: number, n: number, deleted: boolean): void {
    this.events++;
    const row = this.rowOf(server, name);
    const isAbsent = row.acc === 0 && row.com === 0;
    if (row.com >= n || (isAbsent && n <= server.floor) || n > this.boundOf(server, name)) return;
    const acc = Math.max(row.acc, n);
    server.rows.set(name, { prom: Math.max(row.prom, n), acc, com: n, deleted });
  }

  /** What a server says it has promised. */
  #claimOf = (server: Server, name: number): number =>
    server.isLying ? FAR : Math.max(this.rowOf(server, name).prom, server.floor);

  /** One operation of somebody honest: does it come through within so many tries? */
  write(name: number, deleted: boolean, tries: number): boolean {
    const live = this.servers.filter(({ isUp }) => isUp);
    for (let tried = 0; tried < tries; tried++) {
      const n = this.#numberFor(live, name, tried);
      if (n >= FAR) continue;
      if (this.#broken !== "no climbing")
        for (const server of this.honest) this.#climb(server, name, n);
      const granted = this.honest.filter((server) => this.prepare(server, name, n));
      if (granted.length < this.accept) continue;
      const takers = this.honest.filter((server) => this.#accept(server, name, n, deleted));
      if (takers.length < this.accept) continue;
      for (const server of this.honest)
        if (this.#chance.is(0.9)) this.#commit(server, name, n, deleted);
      return true;
    }
    return false;
  }

  /** First above what two vouch for; where that is not enough up to so many bounds further. */
  #numberFor(live: readonly Server[], name: number, tried: number): number {
    const claims = live.map((server) => this.#claimOf(server, name)).sort((a, b) => b - a);
    const [first = 0, second = first] = claims;
    if (this.#broken === "one number followed" || this.#broken === "no climbing") return first + 1;
    const vouched = first <= second + BOUND ? first : second;
    return tried === 0 ? vouched + 1 : Math.min(first + 1, second + BOUND * STEPS);
  }

  #climb(server: Server, name: number, n: number): void {
    for (let step = 0; step < STEPS && n > this.boundOf(server, name); step++)
      this.prepare(server, name, this.boundOf(server, name));
  }

  /** Somebody takes the highest number that is allowed. */
  jump(name: number): void {
    for (const server of this.honest)
      if (this.#chance.is(0.8)) this.prepare(server, name, this.boundOf(server, name));
  }

  forget(name: number): void {
    if (this.servers.some(({ isUp }) => !isUp)) return;
    const rows = this.servers.map((server) => this.rowOf(server, name));
    const n = rows[0]!.com;
    if (n === 0 || !rows.every(({ acc, com, deleted }) => com === n && acc === n && deleted))
      return;
    for (const server of this.servers) {
      if (!this.#chance.is(0.8)) continue;
      server.floor = Math.max(server.floor, this.rowOf(server, name).prom);
      server.rows.delete(name);
    }
  }

  /** A blank server takes a place: it gets the floor that there is, and what names there are is accepted anew. */
  replace(at: number): void {
    const others = this.honest.filter((one) => one !== this.servers[at]);
    if (this.servers[at]!.isLying || others.length < this.accept) return;
    this.servers[at] = blank(Math.max(...others.map(({ floor }) => floor)), false);
    for (let name = 0; name < NAMES; name++) {
      const holder = others.find((server) => this.rowOf(server, name).acc > 0);
      if (holder) this.write(name, this.rowOf(holder, name).deleted, 40);
    }
  }
}

const blank = (floor: number, isLying: boolean): Server => ({
  isUp: true,
  floor,
  rows: new Map(),
  isLying,
});

export function boundHistory(seed: number, broken: BoundRule | null, lies = false): Judgement {
  const chance = new Chance(seed);
  const count = 3 + (seed % 3);
  const world = new Bounds(count, broken, chance, lies);
  for (let i = 0; i < EVENTS; i++) {
    const name = chance.below(NAMES);
    const kind = chance.fraction();
    if (kind < 0.15) {
      const server = chance.pick(world.servers);
      const down = world.servers.filter(({ isUp }) => !isUp).length;
      if (!server.isUp || down < count - world.accept) server.isUp = !server.isUp;
    } else if (kind < 0.45) world.jump(name);
    else if (kind < 0.57) world.forget(name);
    else if (kind < 0.6) world.replace(chance.below(count));
    else if (world.honest.length >= world.accept && !world.write(name, chance.is(0.3), 400))
      return { events: world.events, wrong: "an honest client is refused for good" };
  }
  return { events: world.events, wrong: null };
}
