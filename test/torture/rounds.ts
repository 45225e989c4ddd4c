/** Round after round a file is replaced or deleted while a server is away; whoever answers afterwards, only the newest state is told. */
import { Commands } from "./commands.ts";
import { contentOf, isSame, valueOf } from "./contents.ts";
import { labelOf, OPPOSITE, PAIRS, readThrough } from "./read_through.ts";
import { Servers } from "./servers.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";

const NAMES = ["a", "b", "c"];
const MOST_BYTES = [40, 5000, 60_000, 300_000, 1_500_000];

export const rounds: Scenario = {
  name: "rounds",
  async play(stage) {
    const run = new Rounds(stage);
    await run.begin();
    const count = stage.size(100, 7);
    for (let i = 1; i <= count; i++) await run.round(i);
    await run.end();
    const { writes, deletes, reads, incomplete } = run;
    return `${count} rounds, ${writes} puts, ${deletes} deletions, ${reads} reads through pairs, of which ${incomplete} could rightly not be served`;
  },
};

class Rounds {
  writes = 0;
  deletes = 0;
  reads = 0;
  incomplete = 0;
  readonly #stage: Stage;
  readonly #servers: Servers;
  readonly #commands: Commands;
  /** What is current. */
  readonly #files = new Map<string, Uint8Array>();
  /** For each file the server that was away when it was put, until a repair. */
  readonly #away = new Map<string, number>();
  #value = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#servers = new Servers(stage);
    this.#commands = new Commands(this.#servers);
  }

  async begin(): Promise<void> {
    await this.#servers.start();
    for (const name of NAMES) await this.#write(name);
  }

  async round(i: number): Promise<void> {
    const { rng } = this.#stage;
    const down = rng.int(4);
    const isFrozen = rng.chance(0.15);
    const server = this.#servers.at(down);
    if (isFrozen) server.freeze();
    else await server.kill();
    for (let changes = rng.between(1, 3); changes > 0; changes--) {
      const name = rng.pick(NAMES);
      this.#stage.note(`round ${i}: ${name} changes without ${server.name}`);
      if (this.#files.has(name) && rng.chance(0.35)) await this.#delete(name);
      else {
        await this.#write(name);
        this.#away.set(name, down);
      }
    }
    if (isFrozen) server.thaw();
    else await server.start();
    const when = `round ${i}, ${server.name} was ${isFrozen ? "frozen" : "dead"}`;
    for (const pair of rng.chance(0.5) ? PAIRS : PAIRS.toReversed())
      await this.#readThrough(pair, when);
    if (rng.chance(0.4)) await this.#readWithDead(when);
    if (rng.chance(0.3)) {
      await this.#commands.repair();
      this.#away.clear();
      for (const pair of PAIRS) await this.#readThrough(pair, `${when}, repaired`);
    }
    this.#stage.check();
  }

  async end(): Promise<void> {
    await this.#commands.repair();
    await this.#commands.mustGetAll(this.#files, "at the end");
    await this.#commands.count(this.#files);
  }

  async #write(name: string): Promise<void> {
    const { rng } = this.#stage;
    const data = contentOf(++this.#value, rng.between(8, rng.pick(MOST_BYTES)));
    await this.#commands.mustPut(name, data);
    this.#files.set(name, data);
    this.writes++;
  }

  async #delete(name: string): Promise<void> {
    const { status, err } = await this.#commands.remove(name);
    if (status !== 0) throw new Failure(`rm ${name} ends with ${status}: ${err}`);
    this.#files.delete(name);
    this.#away.delete(name);
    this.deletes++;
  }

  /** Two servers may do, if they are opposite ones and neither was away. */
  #suffice(pair: readonly number[], name: string): boolean {
    const away = this.#away.get(name);
    const isOpposite = OPPOSITE.some((one) => one.join() === pair.join());
    return isOpposite && (away === undefined || !pair.includes(away));
  }

  async #readThrough(pair: readonly number[], when: string): Promise<void> {
    const through = `${when}, through ${labelOf(pair)}`;
    for (const { name, outcome, data } of await readThrough(this.#servers, pair, NAMES))
      this.#judge(name, outcome, data, this.#suffice(pair, name), through);
  }

  /** Reads by the executable, with two opposite servers really dead or frozen. */
  async #readWithDead(when: string): Promise<void> {
    const { rng } = this.#stage;
    const pair = rng.pick(OPPOSITE);
    const others = this.#servers.slots.filter((slot) => !pair.includes(slot));
    const freeze = rng.chance(0.2);
    for (const slot of others) {
      if (freeze) this.#servers.at(slot).freeze();
      else await this.#servers.at(slot).kill();
    }
    const codes: Record<number, string> = { 0: "done", 4: "noSuchName", 6: "incomplete" };
    for (const name of NAMES) {
      const { status, data } = await this.#commands.get(name);
      const outcome = codes[status] ?? `status ${status}`;
      const left = `${when}, only ${labelOf(pair)} up`;
      this.#judge(name, outcome, data ?? new Uint8Array(), this.#suffice(pair, name), left);
    }
    for (const slot of others) if (freeze) this.#servers.at(slot).thaw();
    await this.#servers.start();
  }

  #judge(name: string, outcome: string, data: Uint8Array, suffice: boolean, when: string): void {
    this.reads++;
    const expected = this.#files.get(name);
    const fail = (what: string): never => {
      throw new Failure(`${when}: get ${name} ${what}`);
    };
    if (expected === undefined) {
      if (outcome !== "noSuchName") fail(`ends with ${outcome}, and it was deleted`);
    } else if (outcome === "done") {
      if (!isSame(data, expected))
        fail(`brings content ${valueOf(data)} in place of ${valueOf(expected)}`);
    } else if (suffice || outcome !== "incomplete") fail(`ends with ${outcome}`);
    else this.incomplete++;
  }
}
