/** One history: a cluster, clients and bad luck, all from one seed; then calm, and the bill. */
import type { ClientPorts } from "../../src/client/connect/peer.ts";
import { checkCalm } from "./calm.ts";
import { type SimServer, SimCluster } from "./cluster.ts";
import { CALM, Faults, type Rates } from "./faults.ts";
import type { History, HistoryOptions } from "./history.ts";
import { Hostile } from "./hostile.ts";
import { Invariants, Violation } from "./invariants.ts";
import { Ignorance, watch } from "./ignorance.ts";
import { LastingClient, LastingClients } from "./lasting.ts";
import { isLinearizable } from "./linearizable.ts";
import type { Machine } from "./machine.ts";
import { Recorder, type Recorded } from "./operations.ts";
import type { Order } from "./orders.ts";
import { PLOTS, sizeOf } from "./plots.ts";
import { portrait } from "./portrait.ts";
import { labelHash, Rng } from "./random.ts";
import { Sealing } from "./sealing.ts";
import {
  drawChange,
  drawOrder,
  drawWorkload,
  mustBePrepared,
  NAMES,
  ratesFor,
  sparesFor,
  type Workload,
} from "./workload.ts";
import { World } from "./world.ts";

const OPERATIONS_MAX = 14;
const AT_ONCE = 4;
/** How often the cluster was there before anything goes wrong. */
const PREPARED_CHANCE = 0.6;
/** How often some servers are not there yet when it is founded, and how often clients remember it. */
const LATE_CHANCE = 0.3;
const MEMORY_CHANCE = 0.5;
/** How often servers move, where members change. */
const MOVES_CHANCE = 0.4;

export class Run {
  readonly names = NAMES;
  readonly world: World;
  readonly rng: Rng;
  readonly cluster: SimCluster;
  readonly faults: Faults;
  readonly rates: Rates;
  readonly invariants: Invariants;
  readonly recorder: Recorder;
  readonly ignorance: Ignorance;
  readonly lasting: LastingClients;
  /** May servers be elsewhere as they start again? */
  readonly hasMoves: boolean;
  /** Does somebody mean harm? */
  hostile: Hostile | null;
  readonly #workload: Workload;
  readonly #skip: ReadonlySet<number>;
  readonly #running = new Map<object, Machine>();
  readonly #toCheck = new Set<SimServer>();
  #failure: Error | null = null;
  isPutBack = false;

  constructor(seed: number, options: HistoryOptions) {
    this.world = new World(seed, { trace: options.trace ?? false });
    this.rng = this.world.rng.fork("workload");
    const size = options.plot
      ? sizeOf(options.plot)
      : this.rng.pick([1, 2, 3, 3, 3, 4, 4, 4, 4, 5]);
    this.#workload = drawWorkload(this.rng, size);
    const spares = options.plot ? 2 : sparesFor(this.#workload);
    this.cluster = new SimCluster(this.world, size, spares, (server) => this.#toCheck.add(server));
    this.#skip = options.skip ?? new Set();
    const moves = this.#workload.changes > 0 && !options.plot && new Rng(seed, labelHash("moves"));
    // Those that clients look for: nobody finds another one that has moved, until he is told. What is not founded yet goes by its addresses.
    this.hasMoves = moves && moves.chance(MOVES_CHANCE);
    if (moves && this.hasMoves) this.cluster.moveAbout(moves, () => this.invariants.isFounded);
    const rates = ratesFor(this.#workload, this.rng.fork("rates"));
    this.rates = options.calm || options.plot ? CALM : rates;
    this.faults = new Faults(this.cluster, this.rng.fork("faults"), this.rates, options.without);
    this.invariants = new Invariants(this.cluster.first);
    this.ignorance = new Ignorance(this.cluster.servers);
    watch(this.ignorance);
    this.hostile = options.plot ? null : Hostile.ofSeed(seed, this.cluster.first);
    this.lasting = new LastingClients(seed, () => new LastingClient(this.#client()));
    const now = (): number => this.world.now;
    const sealing = options.plot ? null : Sealing.ofSeed(seed);
    const remembers = this.world.rng.fork("memory").chance(MEMORY_CHANCE);
    const note = (line: string): void => this.world.note(line);
    this.recorder = new Recorder(now, note, sealing, remembers ? new Map() : null);
  }

  /** Runs the world until it is so, checking after each event. */
  until(isSo: () => boolean): void {
    this.world.run(() => {
      // Of a server that was put back only what clients see is judged: they may count it for no more than it is.
      this.isPutBack ||= this.cluster.servers.some(({ isPutBack }) => isPutBack);
      if (!this.isPutBack) for (const server of this.#toCheck) this.invariants.afterCommit(server);
      this.#toCheck.clear();
      if (this.#failure !== null) throw this.#failure;
      return isSo();
    });
  }

  #client(): { machine: Machine; ports: ClientPorts } {
    const { machine, ports } = this.cluster.client();
    const { hostile } = this;
    return { machine, ports: hostile ? { ...ports, net: hostile.netOf(ports.net) } : ports };
  }

  /** Begins an order, in a process of its own or in one that lives on; `abort` may end it early. */
  begin(order: Order, lasting: LastingClient | null = null, abort: number | null = null): Machine {
    const { machine, ports } = lasting ?? this.#client();
    const token = {};
    this.#running.set(token, machine);
    this.world.note(`${machine.name} ${JSON.stringify(order)}`);
    const controller = new AbortController();
    if (abort !== null) this.world.after(abort, machine, "abort", () => controller.abort());
    const signal = abort === null ? null : controller.signal;
    this.recorder.perform(ports, this.cluster.addresses, order, lasting, signal).then(
      (record) => {
        this.world.note(`${machine.name} ${record.outcome} ${record.value ?? ""}`);
        this.#running.delete(token);
        if (!lasting) this.world.after(0, null, "client ends", () => this.world.kill(machine));
      },
      (error: unknown) => {
        this.#failure = error as Error;
      },
    );
    return machine;
  }

  get running(): Machine[] {
    for (const [token, machine] of this.#running) if (!machine.alive) this.#running.delete(token);
    return [...this.#running.values()];
  }

  /** The stormy part. */
  storm(operations: number): void {
    const isPrepared = mustBePrepared(this.#workload) || this.rng.chance(PREPARED_CHANCE);
    const late = isPrepared ? this.#drawLate() : [];
    for (const server of this.cluster.servers)
      if (isPrepared ? !late.includes(server) : this.rng.chance(0.95) || !this.#mayBeLate)
        server.start();
    if (isPrepared) {
      this.pass(1000);
      this.calmly({ do: "list" });
    }
    let left = operations;
    let value = 0;
    const deadline = this.world.now + 400_000;
    while ((left > 0 || this.running.length > 0) && this.world.now < deadline) {
      if (left > 0 && this.running.length < AT_ONCE && this.rng.chance(0.5)) {
        const order = this.#drawOrder(++value);
        const lasting = this.lasting.draw(this.running);
        const abort = lasting && this.lasting.drawAbort();
        if (!this.#skip.has(operations - left)) this.begin(order, lasting, abort);
        left--;
      }
      const until = this.world.now + this.rates.stepMs * this.rng.fraction() * 2;
      const tick = this.world.after(until - this.world.now, null, "step", () => {});
      this.until(() => tick.fire === null);
      this.faults.step(this.running.map(({ name }) => name));
      for (const client of this.running)
        if (this.faults.killsClient(client.name)) this.world.kill(client);
      if (this.faults.spoilt) this.invariants.excused = 1;
      if (left === 0 && this.rng.chance(0.01)) this.faults.heal();
    }
    for (const client of this.running) this.world.kill(client);
  }

  /** Of two members one that lies can keep the other from everything: it takes three that are there. */
  get #mayBeLate(): boolean {
    return !this.hostile?.hasLiar || this.cluster.first.length > 3;
  }

  /** Those that are not there when the cluster is founded: no more than it can be founded without. */
  #drawLate(): SimServer[] {
    const rng = this.world.rng.fork("late");
    const { first } = this.cluster;
    const most = Math.ceil(first.length / 2) - 1;
    if (most <= 0 || !this.#mayBeLate || !rng.chance(LATE_CHANCE)) return [];
    const from = rng.int(first.length);
    const count = rng.between(1, most);
    return Array.from({ length: count }, (_, i) => first[(from + i) % first.length] as SimServer);
  }

  /** Whoever may lose what a server holds is the one of this history that does. */
  #drawOrder(value: number): Order {
    const usual = drawOrder(this.rng, this.#workload, value, this.recorder.knownValues);
    if (this.hostile?.jumps)
      return { do: "jump", name: this.rng.pick(NAMES), steps: this.hostile.steps };
    if (!this.rng.chance(this.#workload.changes)) return usual;
    const order = drawChange(this.rng, this.cluster);
    const loser = order.do === "shrink" ? order.by : order.do === "replace" ? order.old : null;
    if (loser === null) return order;
    const server = this.cluster.servers.find(({ name }) => name === loser);
    if (!server || !this.faults.maySpoil(server)) return usual;
    this.invariants.excused = 1;
    return order;
  }

  /** From now on nobody uses this server, and clients have the first ones in their configuration again. */
  forgo(server: SimServer): void {
    server.kill(false);
    server.wipe();
    this.cluster.known = this.cluster.first;
  }

  /** One operation in calm weather, to its end. */
  calmly(order: Order, lasting: LastingClient | null = null): Recorded {
    const before = this.recorder.operations.length;
    this.begin(order, lasting);
    this.until(
      () =>
        this.recorder.operations[before]?.returned !== Infinity &&
        this.recorder.operations.length > before,
    );
    return this.recorder.operations[before] as Recorded;
  }

  /** Runs until it is so, but no longer than that; returns whether it is. */
  awaits(ms: number, isSo: () => boolean): boolean {
    const tick = this.world.after(ms, null, "patience", () => {});
    this.until(() => tick.fire === null || isSo());
    this.world.cancel(tick);
    return isSo();
  }

  pass(ms: number): void {
    const tick = this.world.after(ms, null, "pass", () => {});
    this.until(() => tick.fire === null);
  }
}

/** Runs the history of a seed to its end and checks it. */
export function runHistory(seed: number, options: HistoryOptions = {}): History {
  const run = new Run(seed, options);
  let wrong: string | null = null;
  const drawn = run.rng.between(3, OPERATIONS_MAX);
  const operations = Math.min(options.operations ?? drawn, drawn);
  try {
    if (options.plot) PLOTS[options.plot](run);
    else run.storm(operations);
    // A server that was just failing may need to be started once more.
    for (let i = 0; i < 3; i++) {
      run.faults.heal();
      run.pass(2000);
    }
    checkCalm(run);
  } catch (error) {
    wrong =
      error instanceof Violation
        ? error.message
        : String(error instanceof Error ? error.stack : error);
  }
  if (wrong === null) {
    const bad = NAMES.find((name) => !isLinearizable(run.recorder.historyOf(name)));
    if (bad !== undefined) wrong = `the history of ${bad} is not linearizable`;
  }
  const { knew, counted } = run.ignorance;
  // Plots are about what must be noticed.
  const unnoticed = counted > 0 && knew === 0 && !options.plot ? wrong : null;
  if (unnoticed !== null) wrong = null;
  if (knew > 0) wrong = `a server that was put back counted ${knew} times though somebody knew`;
  const marks = new Map<string, number>(run.faults.marks);
  if (counted > 0) marks.set("put back, and counted unnoticed", 1);
  if (unnoticed !== null) marks.set("put back, unnoticed and wrong", 1);
  for (const { order, outcome } of run.recorder.operations)
    marks.set(`${order.do} ${outcome}`, (marks.get(`${order.do} ${outcome}`) ?? 0) + 1);
  if (run.lasting.orders > 0) marks.set("orders of lasting clients", run.lasting.orders);
  const { world, rates, recorder, cluster } = run;
  const { hash, trace, story, events } = world;
  return {
    seed,
    servers: cluster.servers.length,
    rates,
    wrong,
    unnoticed,
    operations: recorder.operations,
    marks,
    hash,
    trace,
    story,
    events,
    portrait: wrong === null ? [] : portrait(cluster),
  };
}
