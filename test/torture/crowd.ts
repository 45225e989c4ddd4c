/** Many client processes at once, and what they have written down. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Operation } from "../sim/linearizable.ts";
import { type Recorded, Recorder } from "../sim/operations.ts";
import { type Line, type Listed, NOTHING, type Task } from "./client.ts";
import type { Servers } from "./servers.ts";
import { Failure, type Stage } from "./stage.ts";

const program = join(import.meta.dir, "client.ts");
/** How long a client may still take after its time is over: a proposer gives up after a minute. */
const LATE_MS = 100_000;

export interface Deed extends Recorded {
  readonly client: number;
  /** How long what was read was. */
  bytes: number;
  /** What a list that can be relied on brought. */
  listed: Listed | null;
  /** What the client was told besides. */
  why: string;
}

/** Outcomes that there must never be: bytes that nobody put, a bug in the client, rot where nothing rots. */
const IMPOSSIBLE = new Set([
  "mixture",
  "crash",
  "integrity",
  "protocol",
  "identity",
  "config",
  "usage",
]);

export class Crowd {
  readonly #stage: Stage;
  readonly #servers: Servers;
  readonly #folder: string;
  readonly #running = new Map<number, Bun.Subprocess>();
  #count = 0;

  constructor(stage: Stage, servers: Servers) {
    this.#stage = stage;
    this.#servers = servers;
    this.#folder = servers.newFolder();
  }

  /** Starts a client; returns its number. */
  start(task: Partial<Task>): number {
    const id = ++this.#count;
    const whole: Task = {
      script: [],
      mix: NOTHING,
      names: [],
      bytes: [],
      layouts: ["pairs"],
      reach: "listed",
      until: 0,
      pauseMs: 0,
      reuse: 0.3,
      servers: this.#servers.addresses,
      person: this.#stage.person,
      ...task,
      id,
      seed: this.#stage.seed,
      log: join(this.#folder, `${id}.log`),
    };
    const child = Bun.spawn([process.execPath, program, JSON.stringify(whole)], {
      stdio: ["ignore", "inherit", "inherit"],
    });
    this.#stage.own(child);
    this.#running.set(id, child);
    void child.exited.then(() => this.#running.delete(id));
    return id;
  }

  /** The number that the next client will have. */
  get next(): number {
    return this.#count + 1;
  }

  /** Those that still run. */
  get running(): number[] {
    return [...this.#running.keys()];
  }

  /** Has all of them end, each with what it does at this moment. */
  stop(): void {
    for (const child of this.#running.values()) child.kill("SIGTERM");
  }

  async kill(id: number): Promise<void> {
    const child = this.#running.get(id);
    child?.kill("SIGKILL");
    await child?.exited;
  }

  /** Stops a client in its tracks for some time. */
  async freeze(id: number, ms: number): Promise<void> {
    const child = this.#running.get(id);
    child?.kill("SIGSTOP");
    await Bun.sleep(ms);
    child?.kill("SIGCONT");
  }

  /** Resolves once all have ended. Throws a Failure when one does not. */
  async ended(): Promise<void> {
    const all = Promise.all([...this.#running.values()].map((child) => child.exited));
    const late = Symbol("late");
    const first = await Promise.race([all, Bun.sleep(LATE_MS).then(() => late)]);
    if (first === late)
      throw new Failure(
        `clients hang: ${this.running.join(", ")}`,
        this.deeds().filter(isOpen).map(lineOf),
      );
  }

  /** All that was done so far, by the time of its begin. Throws a Failure for what must never be. */
  deeds(): Deed[] {
    const deeds: Deed[] = [];
    for (let client = 1; client <= this.#count; client++) {
      const path = join(this.#folder, `${client}.log`);
      const lines = existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
      const own = new Map<number, Deed>();
      for (const text of lines.filter((line) => line !== "")) {
        const line = JSON.parse(text) as Line;
        const deed = own.get(line.n);
        if ("order" in line) {
          const { order, invoked } = line;
          own.set(line.n, {
            client,
            id: 0,
            order,
            invoked,
            returned: Infinity,
            outcome: "pending",
            value: null,
            bytes: 0,
            listed: null,
            why: "",
          });
        } else if (deed) {
          const { returned, outcome, value, bytes, listed, why } = line;
          Object.assign(deed, {
            returned,
            outcome,
            value: deed.order.do === "get" ? value : null,
            bytes,
            listed,
            why,
          });
        }
      }
      deeds.push(...own.values());
    }
    deeds.sort((a, b) => a.invoked - b.invoked);
    const bad = deeds.filter(({ outcome }) => IMPOSSIBLE.has(outcome));
    if (bad[0])
      throw new Failure(
        `${bad.length} outcomes that must never be: ${lineOf(bad[0])}`,
        bad.map(lineOf),
      );
    return deeds;
  }
}

const isOpen = ({ returned }: Deed): boolean => returned === Infinity;

/** The history of a name, as the simulator's recorder would tell it. */
export function historyOf(deeds: readonly Deed[], name: string): Operation[] {
  const recorder = new Recorder(
    () => 0,
    () => {},
    null,
  );
  for (const deed of deeds) recorder.operations.push(deed);
  return [...recorder.historyOf(name), ...deeds.flatMap((deed) => looksOf(deed, name))];
}

/** A list tells of each name whether it is there. */
function looksOf({ invoked, returned, listed }: Deed, name: string): Operation[] {
  if (listed === null || listed.doubtful.includes(name)) return [];
  const is = listed.there.includes(name) ? "readNot" : "read";
  return [{ invoked, returned, effect: { is, value: 0 } }];
}

/** How often each thing ended in which way. */
export function tallyOf(deeds: readonly Deed[]): string {
  const counts = new Map<string, number>();
  for (const { order, outcome } of deeds)
    counts.set(`${order.do} ${outcome}`, (counts.get(`${order.do} ${outcome}`) ?? 0) + 1);
  return [...counts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, n]) => `${n} ${what}`)
    .join(", ");
}

/** How long each thing took in the middle, and at most. */
export function timesOf(deeds: readonly Deed[]): string {
  const kinds = Object.groupBy(
    deeds.filter(({ returned }) => returned !== Infinity),
    ({ order }) => order.do,
  );
  const texts = Object.entries(kinds).map(([kind, done]) => {
    const times = done.map(({ invoked, returned }) => returned - invoked).toSorted((a, b) => a - b);
    const [middle, most] = [times[times.length >> 1] ?? 0, times.at(-1) ?? 0];
    return `${kind} ${Math.round(middle)} to ${Math.round(most)} ms`;
  });
  return texts.join(", ");
}

/** One thing that was done, for people. */
export function lineOf({ client, order, invoked, returned, outcome, value, why }: Deed): string {
  const what = Object.entries(order)
    .map(([key, of]) => (key === "do" ? String(of) : `${key}=${of}`))
    .join(" ");
  const read = value === null ? "" : ` ${value}`;
  return `${invoked.toFixed(3)} to ${returned.toFixed(3)} client ${client}: ${what} → ${outcome}${read} ${why}`.trimEnd();
}
