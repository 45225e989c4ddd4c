/**
 * One client process: `bun client.ts TASK` does what the task says, and writes down each thing before it does it, and how it
 * ended, so that a killed process leaves all that it had begun.
 */
import { inMemory } from "../../src/client/send/source.ts";
import { openSync, writeSync } from "node:fs";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { type Found, type Sink } from "../../src/client/fetch/sink.ts";
import { list } from "../../src/client/files/list.ts";
import type { ServerAddress } from "../../src/membership.ts";
import { put } from "../../src/client/files/put.ts";
import { remove } from "../../src/client/files/remove.ts";
import { repairAll } from "../../src/client/care/repair.ts";
import { isDfsError } from "../../src/errors.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { bunClock, bunNet, bunRandom } from "../../src/io/bun.ts";
import type { Vid } from "../../src/version.ts";
import type { Order } from "../sim/orders.ts";
import { netTo } from "../harness/reach.ts";
import { Rng } from "../sim/random.ts";
import { at, now } from "./clock.ts";
import { contentOf, valueOf } from "./contents.ts";
import { openAs, type Person } from "./person.ts";
import { named } from "../harness/named.ts";

/** How often a client does what. "cas" reads a file and replaces it only if it is still the same. */
export type Mix = Readonly<
  Record<"put" | "putNew" | "cas" | "rm" | "get" | "list" | "repair", number>
>;
export const NOTHING: Mix = { put: 0, putNew: 0, cas: 0, rm: 0, get: 0, list: 0, repair: 0 };

export interface Task {
  readonly id: number;
  readonly seed: number;
  /** The file that it writes down what it does in. */
  readonly log: string;
  readonly servers: readonly ServerAddress[];
  /** Who does it; null: nobody in particular. */
  readonly person: Person | null;
  /** Does it reach those servers only, or others too that they tell it of? */
  readonly reach: "listed" | "all";
  /** What to do at which time. */
  readonly script: readonly { readonly at: number; readonly order: Order }[];
  /** What to do by chance after that, until the time is over. */
  readonly mix: Mix;
  readonly names: readonly string[];
  readonly bytes: readonly [least: number, most: number][];
  readonly layouts: readonly string[];
  readonly until: number;
  readonly pauseMs: number;
  /** The chance to go on with the connections that are open. */
  readonly reuse: number;
}

/** What a list told for certain, and the names of which it could not tell. */
export interface Listed {
  readonly there: readonly string[];
  readonly doubtful: readonly string[];
}

/** A line of the log. */
export type Line =
  | { readonly n: number; readonly order: Order; readonly invoked: number }
  | {
      readonly n: number;
      readonly returned: number;
      readonly outcome: string;
      readonly value: number | null;
      /** How long what a get read was. */
      readonly bytes: number;
      readonly listed: Listed | null;
      readonly why: string;
    };

/** Values of different clients differ. */
const VALUES_PER_CLIENT = 100_000;

/** Collects a file; bytes that nobody put are an outcome of their own. */
function memorySink(inOrder: boolean) {
  const got = { data: new Uint8Array(), vid: "" };
  let next = 0;
  const sink: Sink = {
    inOrder,
    async open(found: Found) {
      got.data = new Uint8Array(found.bytes);
      got.vid = found.vid;
      next = 0;
    },
    async write(bytes, offset) {
      if (inOrder && offset !== next) throw new Error("a stream was written out of order");
      next = offset + bytes.length;
      got.data.set(bytes, offset);
    },
    ...(!inOrder && { draft: (bytes, offset) => got.data.set(bytes, offset) }),
  };
  return { sink, got };
}

/** What is listed; null unless some name is there for certain, for then the list is one of enough servers. */
async function listedIn(cluster: Cluster): Promise<Listed | null> {
  const listed = { there: [] as string[], doubtful: [] as string[] };
  for await (const { name, isIncomplete } of list(cluster, ""))
    (isIncomplete ? listed.doubtful : listed.there).push(name);
  return listed.there.length > 0 ? listed : null;
}

class Client {
  readonly #task: Task;
  readonly #rng: Rng;
  readonly #log: number;
  readonly #vids = new Map<number, Vid>();
  #cluster: Cluster | null = null;
  /** How many servers it had connections to when it was opened. */
  #reached = 0;
  #count = 0;
  #value: number;
  #isOver = false;

  constructor(task: Task) {
    this.#task = task;
    this.#rng = new Rng(task.seed, task.id);
    this.#log = openSync(task.log, "a");
    this.#value = task.id * VALUES_PER_CLIENT;
  }

  /** It ends with what it does at this moment. */
  stop(): void {
    this.#isOver = true;
  }

  async run(): Promise<void> {
    const { script, until, mix, pauseMs } = this.#task;
    for (const step of script) {
      await at(step.at);
      await this.#perform(step.order);
    }
    const total = Object.values(mix).reduce((a, b) => a + b, 0);
    while (total > 0 && !this.#isOver && now() < until) {
      for (const order of this.#draw()) await this.#perform(await order());
      await Bun.sleep(this.#rng.fraction() * pauseMs);
    }
  }

  /** One or two orders; the second may depend on what the first one brought. */
  #draw(): (() => Promise<Order> | Order)[] {
    const { mix, names, bytes, layouts } = this.#task;
    const kinds = Object.entries(mix).flatMap(([kind, n]) => Array.from({ length: n }, () => kind));
    const kind = this.#rng.pick(kinds) as keyof Mix;
    const name = this.#rng.pick(names);
    const next = () => ({
      name,
      value: ++this.#value,
      bytes: this.#rng.between(...this.#rng.pick(bytes)),
      layout: this.#rng.pick(layouts),
    });
    if (kind === "put") return [() => ({ do: "put", ...next() })];
    if (kind === "putNew") return [() => ({ do: "putIf", ...next(), expected: 0 })];
    if (kind === "rm" || kind === "get") return [() => ({ do: kind, name })];
    if (kind === "list" || kind === "repair") return [() => ({ do: kind })];
    const replace = (): Order => ({ do: "putIf", ...next(), expected: this.#lastRead });
    return [() => ({ do: "get", name }), replace];
  }

  /** How long what the last get read was. */
  #bytes = 0;
  #listed: Listed | null = null;
  /** What the last get read; 0 where there was nothing. */
  #lastRead = 0;

  async #perform(order: Order): Promise<void> {
    const n = ++this.#count;
    const warnings: string[] = [];
    this.#listed = null;
    this.#write({ n, order, invoked: now() });
    let outcome = "failed";
    let value: number | null = null;
    let why = "";
    try {
      const cluster = await this.#open((line) => warnings.push(line));
      outcome = "crash";
      value = await this.#do(cluster, order);
      outcome = value === null && order.do === "get" ? "mixture" : "done";
    } catch (error) {
      if (isDfsError(error)) {
        if (outcome === "crash") outcome = error.code;
        why = error.message;
      } else {
        outcome = "crash";
        why = String(error instanceof Error ? error.stack : error);
      }
    }
    if (order.do === "get") this.#lastRead = value ?? 0;
    why = [why, ...warnings].filter((line) => line !== "").join(" | ");
    this.#write({
      n,
      returned: now(),
      outcome,
      value,
      bytes: this.#bytes,
      listed: this.#listed,
      why,
    });
  }

  /**
   * A cluster with all connections that can be had, or, by chance, the one that is open while it has all that it had: a server that died
   * and is back would be missing beside one that dies then, and no outage would tell of two.
   */
  async #open(warn: (line: string) => void): Promise<Cluster> {
    const { servers, reach, reuse, person } = this.#task;
    if (this.#cluster && this.#rng.chance(reuse) && this.#cluster.live.length >= this.#reached)
      return this.#cluster;
    this.#cluster?.close();
    this.#cluster = null;
    const net = reach === "all" ? bunNet : netTo(servers);
    const ports = { clock: bunClock, net, random: bunRandom };
    this.#cluster = await openAs(person, ports, servers, warn);
    this.#reached = this.#cluster.live.length;
    return this.#cluster;
  }

  /** Resolves to what was read: a content's number, null for bytes that are none. */
  async #do(cluster: Cluster, order: Order): Promise<number | null> {
    switch (order.do) {
      case "put":
      case "putIf": {
        const { name, value } = order;
        const data = contentOf(value, order.bytes);
        const vid =
          order.do === "putIf" && order.expected > 0 ? this.#vids.get(order.expected) : null;
        if (vid === undefined) throw new Error(`the version of ${value} is not known`);
        const condition = order.do === "putIf" ? { condition: { vid } } : {};
        const stored = await put(cluster, named(name), inMemory(data), {
          layout: layoutOf(order.layout ?? "pairs"),
          placement: "name",
          ...condition,
        });
        this.#vids.set(value, stored.vid);
        return value;
      }
      case "get": {
        const { sink, got } = memorySink(this.#rng.chance(0.3));
        await get(cluster, named(order.name), sink, {});
        this.#bytes = got.data.length;
        const value = valueOf(got.data);
        if (value !== null) this.#vids.set(value, got.vid);
        return value;
      }
      case "move":
      case "jump":
      case "levels":
      case "readSlowly":
        throw new Error(
          "nobody means harm here, no server moves, others write, and a get reads at once",
        );
      case "rm":
        await remove(cluster, named(order.name));
        return 0;
      case "list":
        this.#listed = await listedIn(cluster);
        return 0;
      case "repair":
        for await (const _ of repairAll(cluster, "", { dryRun: false, orphanAge: 0 })) void _;
        return 0;
      case "copy":
      case "rename":
      case "touch":
        throw new Error("no client here copies");
      case "drain":
      case "weigh":
      case "rebalance":
      case "grow":
      case "shrink":
      case "replace":
        throw new Error(`no client here is asked to ${order.do} the cluster`);
    }
  }

  #write(line: Line): void {
    writeSync(this.#log, `${JSON.stringify(line)}\n`);
  }
}

if (import.meta.main) {
  const client = new Client(JSON.parse(process.argv[2] ?? "{}") as Task);
  process.once("SIGTERM", () => client.stop());
  await client.run();
  process.exit(0);
}
