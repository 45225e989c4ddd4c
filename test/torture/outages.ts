/** Servers that die and come back while something else is done; and when that was, so that it may be an excuse. */
import type { Rng } from "../sim/random.ts";
import { now } from "./clock.ts";
import type { ServerProcess } from "./server_process.ts";
import type { Stage } from "./stage.ts";

interface Span {
  readonly from: number;
  readonly until: number;
}

/** How long until the next one dies, and how long it is away, at most. */
const CALM_MS = 1500;
const AWAY_MS = 1000;

export class Outages {
  count = 0;
  readonly #stage: Stage;
  readonly #rng: Rng;
  readonly #spans: Span[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#rng = stage.rng.fork("outages");
  }

  /** Does `work`, while which some server is away. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const from = now();
    this.count++;
    const result = await work();
    this.#spans.push({ from, until: now() });
    return result;
  }

  /** Does `work`, and meanwhile kills one of these servers after the other, and starts it again. */
  async amid<T>(servers: readonly ServerProcess[], work: () => Promise<T>): Promise<T> {
    let isOver = false;
    const harm = async (): Promise<void> => {
      await Bun.sleep(this.#rng.int(CALM_MS));
      while (!isOver) {
        await this.#bounce(this.#rng.pick(servers));
        await Bun.sleep(this.#rng.int(CALM_MS));
      }
    };
    const done = work().finally(() => {
      isOver = true;
    });
    const [result] = await Promise.all([done, harm()]);
    return result;
  }

  #bounce(server: ServerProcess): Promise<void> {
    return this.during(async () => {
      this.#stage.note(`${now().toFixed(3)} ${server.name} is killed`);
      await server.kill();
      await Bun.sleep(this.#rng.chance(0.3) ? 0 : this.#rng.int(AWAY_MS));
      await server.start();
      this.#stage.note(`${now().toFixed(3)} ${server.name} is back`);
    });
  }

  /** How many servers were away in this time, or in a part of it. */
  within(span: Span): number {
    return this.#spans.filter(({ from, until }) => span.until >= from && span.from <= until).length;
  }
}
