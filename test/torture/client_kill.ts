/** A client is killed in the middle of replacing a large file: the old or the new version is there, whole, and its remains can be collected. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Commands } from "./commands.ts";
import { contentOf, valueOf } from "./contents.ts";
import { Servers } from "./servers.ts";
import { Failure, type Scenario, type Stage } from "./stage.ts";

const MIB = 1024 * 1024;
const NAME = "big";

export const clientKill: Scenario = {
  name: "client_kill",
  async play(stage) {
    const run = new Kills(stage);
    await run.begin();
    const kills = stage.size(200, 8);
    for (let i = 1; i <= kills; i++) {
      await run.kill();
      if (i % 10 === 0) await run.repair();
      if (i % 50 === 0 || i === kills) await run.audit();
    }
    const { done, kept, replaced, collected, ms } = run;
    return `${kills} kills of a put of ${run.bytes / MIB} MiB that takes about ${Math.round(ms)} ms: ${done} too late, ${kept} left the old version, ${replaced} the new one; ${collected} orphans collected`;
  },
};

class Kills {
  done = 0;
  kept = 0;
  replaced = 0;
  collected = 0;
  /** How long a put takes when nobody kills it. */
  ms = 0;
  readonly bytes: number;
  readonly #stage: Stage;
  readonly #servers: Servers;
  readonly #commands: Commands;
  readonly #path: string;
  #value = 0;
  /** The content that the last get brought. */
  #current = 0;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.bytes = stage.size(64, 16) * MIB;
    this.#servers = new Servers(stage);
    this.#commands = new Commands(this.#servers);
    this.#path = join(this.#servers.newFolder(), NAME);
  }

  async begin(): Promise<void> {
    await this.#servers.start();
    const times: number[] = [];
    for (let i = 0; i < 4; i++) {
      this.#nextContent();
      const begun = performance.now();
      await this.#servers.done("put", this.#path);
      times.push(performance.now() - begun);
    }
    this.#current = this.#value;
    // The first one also makes the cluster.
    this.ms = Math.min(...times.slice(1));
  }

  #nextContent(): void {
    writeFileSync(this.#path, contentOf(++this.#value, this.bytes));
  }

  async kill(): Promise<void> {
    const { rng } = this.#stage;
    this.#nextContent();
    const begun = performance.now();
    const put = this.#servers.begin(["put", this.#path]);
    // The end, where the version changes, is where it matters most; where it is, is found out by and by.
    const isAtEnd = rng.chance(0.6);
    await Bun.sleep((isAtEnd ? 0.9 + rng.fraction() * 0.15 : rng.fraction()) * this.ms);
    put.kill();
    const { status, err } = await put.ended;
    const isDone = status === 0;
    if (!isDone && err !== "") throw new Failure(`the put failed before it was killed: ${err}`);
    const killed = `killed after ${Math.round(performance.now() - begun)} of ${Math.round(this.ms)} ms`;
    const first = await this.#read(killed);
    if (isDone && first !== this.#value)
      throw new Failure(`${killed}, when it was done: content ${first}`);
    if (isAtEnd) this.ms *= isDone ? 0.96 : first === this.#value ? 1 : 1.03;
    if (isDone) this.done++;
    else if (first === this.#value) this.replaced++;
    else this.kept++;
    this.#stage.note(`${killed}: content ${first}`);
    // Whoever reads after that, and through whichever servers, sees nothing older.
    if (!rng.chance(0.3)) return;
    await this.#servers.without([rng.int(4)], () => this.#read(`${killed}, a server is down`));
  }

  async #read(when: string): Promise<number> {
    const { data, status, err } = await this.#commands.get(NAME);
    if (data === null) throw new Failure(`${when}: get ends with ${status}: ${err}`);
    const value = valueOf(data);
    if (value === null) throw new Failure(`${when}: get brings bytes that nobody put`);
    if (value < this.#current)
      throw new Failure(`${when}: content ${value}, and before it was ${this.#current}`);
    this.#current = value;
    return value;
  }

  async repair(): Promise<void> {
    const { collected } = await this.#commands.repair();
    this.collected += collected;
    await this.#read("after repair");
  }

  /** Only the current version may be left. */
  async audit(): Promise<void> {
    await this.repair();
    await this.#commands.count(new Map([[NAME, contentOf(this.#current, this.bytes)]]));
    await this.#servers.start();
  }
}
