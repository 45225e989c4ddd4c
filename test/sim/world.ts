/**
 * The simulated world: one thread, one queue of events, virtual time. An event's function runs,
 * then all promise jobs that follow from it, then the next event; so ordinary async code over the
 * simulated ports runs in an order that the seed alone decides, and a second of it takes no time.
 * Real timers and real I/O never settle here: code that awaits one hangs, and `run` says so.
 */
import { drainMicrotasks } from "bun:jsc";
import type { Clock } from "../../src/io/ports.ts";
import { Machine, never, type SimEvent } from "./machine.ts";
import { EventQueue } from "./queue.ts";
import { labelHash, Rng } from "./random.ts";

const START_WALL_MS = Date.UTC(2026, 0, 1);
/**
 * Times are whole ticks, so that sums and differences are exact: no timer is ever early by a
 * rounding error.
 */
const TICKS_PER_MS = 1024;
/** What a note of bytes that arrive says. */
export const BYTES = "bytes";
const EVENTS_MAX = 2_000_000;

const onTick = (ms: number): number => Math.ceil(ms * TICKS_PER_MS) / TICKS_PER_MS;

export class World {
  readonly seed: number;
  readonly rng: Rng;
  /** Virtual milliseconds since the world began. */
  now = 0;
  /** How many events have run. */
  events = 0;
  /** What happened, a line each; filled only in a world made with `trace`. */
  readonly trace: string[] = [];
  /** Of the trace, what was noted: what people did, and what went wrong. */
  readonly story: string[] = [];
  readonly machines = new Map<string, Machine>();
  readonly #tracing: boolean;
  readonly #queue = new EventQueue();
  readonly #lives: Rng;
  #order = 0;
  #running = false;
  #hashLow = 0x9747b28c;
  #hashHigh = 0x3c6ef372;
  readonly #labels = new Map<string, number>();
  readonly #timeBits = new Float64Array(1);
  readonly #timeWords = new Uint32Array(this.#timeBits.buffer);

  constructor(seed: number, options: { trace?: boolean } = {}) {
    this.seed = seed;
    this.rng = new Rng(seed);
    this.#lives = this.rng.fork("machines");
    this.#tracing = options.trace ?? false;
  }

  /**
   * Boots a machine. The name must be free: a machine of that name that lived before must have been
   * killed.
   */
  machine(name: string): Machine {
    if (this.machines.get(name)?.alive) throw new Error(`bug: machine ${name} is running already`);
    const machine = new Machine(
      name,
      ++this.#order,
      this.#lives,
      labelHash(`${this.seed} ${name}`),
    );
    this.machines.set(name, machine);
    this.note("boot", name);
    return machine;
  }

  /**
   * The process dies as by kill -9: nothing of it ever runs again, and the world sees its
   * connections break. What it wrote stays in the disk's cache, at risk until it is synced;
   * SimDisk.crash() then makes it a loss of power.
   */
  kill(machine: Machine): void {
    if (!machine.alive) return;
    this.note("kill", machine.name);
    machine.alive = false;
    machine.frozen = false;
    machine.held.length = 0;
    this.#queue.drop(machine);
    for (const say of machine.lastWords.splice(0)) say();
  }

  /**
   * Stops a machine as SIGSTOP does: its kernel still accepts connections, but it does nothing
   * until it is thawed.
   */
  freeze(machine: Machine): void {
    if (!machine.alive) return;
    this.note("freeze", machine.name);
    machine.frozen = true;
  }

  /** Lets a frozen machine go on; all that came due meanwhile happens now. */
  thaw(machine: Machine): void {
    if (!machine.frozen) return;
    this.note("thaw", machine.name);
    machine.frozen = false;
    for (const event of machine.held.splice(0)) {
      event.time = this.now;
      event.order = ++this.#order;
      this.#queue.push(event);
    }
  }

  /** Makes an event `ms` from now. An event of a dead machine is forgotten at once. */
  after(ms: number, owner: Machine | null, label: string, fire: () => void): SimEvent {
    const time = ms > 0 ? onTick(this.now + ms) : this.now;
    const event: SimEvent = {
      time,
      order: ++this.#order,
      owner,
      label,
      fire,
    };
    if (owner === null || owner.alive) this.#queue.push(event);
    else event.fire = null;
    return event;
  }

  /** Cancels an event; one that has fired, or been cancelled, is no error. */
  cancel(event: SimEvent): void {
    if (event.fire === null) return;
    if (event.owner?.held.includes(event))
      event.owner.held.splice(event.owner.held.indexOf(event), 1);
    else if (event.owner === null || event.owner.alive) this.#queue.cancel(event);
    event.fire = null;
  }

  /**
   * An operation of a machine that takes `ms`: `effect` happens then, and its value or error
   * settles the promise.
   */
  operation<T>(owner: Machine, ms: number, label: string, effect: () => T): Promise<T> {
    if (!owner.alive) return never();
    return new Promise<T>((resolve, reject) => {
      this.after(ms, owner, label, () => {
        try {
          resolve(effect());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** The Clock port of a machine, or of the world itself (a workload outside all machines). */
  clock(owner: Machine | null = null): Clock {
    return {
      now: () => this.now + (owner?.clockOffset ?? 0),
      wall: () => Math.floor(START_WALL_MS + this.now + (owner?.wallOffset ?? 0)),
      after: (ms, fn) => {
        const event = this.after(ms, owner, "timer", fn);
        return () => this.cancel(event);
      },
    };
  }

  /** Resolves `ms` from now; for workloads. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, null, "sleep", resolve));
  }

  /**
   * Runs until it is so; throws when nothing will ever happen, or when `maxEvents` more events did
   * not suffice.
   */
  run(until: () => boolean, maxEvents: number = EVENTS_MAX): void {
    if (this.#running)
      throw new Error("bug: a world cannot be run from inside one of its own events");
    this.#running = true;
    try {
      const limit = this.events + maxEvents;
      drainMicrotasks();
      while (!until()) {
        if (this.events >= limit)
          throw new Error(`seed ${this.seed}: not done after ${maxEvents} events${this.#where()}`);
        if (!this.#step())
          throw new Error(`seed ${this.seed}: deadlock, nothing will ever happen${this.#where()}`);
      }
    } finally {
      this.#running = false;
    }
  }

  /** Runs until the promise settles, and gives its value or throws its error. */
  finish<T>(promise: Promise<T>, maxEvents: number = EVENTS_MAX): T {
    let outcome: { value: T } | { error: unknown } | null = null;
    promise.then(
      (value) => (outcome = { value }),
      (error: unknown) => (outcome = { error }),
    );
    this.run(() => outcome !== null, maxEvents);
    const settled = outcome as unknown as { value: T } | { error: unknown };
    if ("error" in settled) throw settled.error;
    return settled.value;
  }

  /** Runs all that happens within the next `ms`, be it nothing. */
  pass(ms: number, maxEvents: number = EVENTS_MAX): void {
    const end = onTick(this.now + ms);
    this.run(() => this.#queue.nextTime() > end, maxEvents);
    this.now = end;
  }

  /**
   * Puts something into the trace and its hash, so that two runs that differ in it are seen to
   * differ.
   */
  note(what: string, detail: string | number = ""): void {
    this.#mix(this.#hashOf(what), typeof detail === "number" ? detail | 0 : labelHash(detail));
    if (!this.#tracing) return;
    const line = `${this.now.toFixed(3)} ${what} ${detail}`;
    this.trace.push(line);
    if (what !== BYTES) this.story.push(line);
  }

  /** A hash of all that happened so far: the same seed gives the same one. */
  get hash(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
    return hex(this.#hashHigh) + hex(this.#hashLow);
  }

  #step(): boolean {
    const event = this.#queue.pop();
    if (!event?.fire) return false;
    if (event.time > this.now) this.now = event.time;
    const owner = event.owner;
    if (owner?.frozen) {
      owner.held.push(event);
      return true;
    }
    const fire = event.fire;
    event.fire = null;
    this.events++;
    this.#timeBits[0] = event.time;
    const [low, high] = this.#timeWords as unknown as [number, number];
    this.#mix(low ^ this.#hashOf(event.label), high ^ (owner?.id ?? 0));
    if (this.#tracing)
      this.trace.push(`${this.now.toFixed(3)} ${owner?.name ?? "world"}: ${event.label}`);
    fire();
    drainMicrotasks();
    return true;
  }

  #where(): string {
    let text = ` at ${this.now.toFixed(3)} ms, after ${this.events} events; ${this.#queue.size} events wait`;
    for (const { name, frozen, held } of this.machines.values()) {
      if (frozen) text += `; ${name} is frozen and holds ${held.length}`;
    }
    return text;
  }

  #hashOf(label: string): number {
    let hash = this.#labels.get(label);
    if (hash === undefined) this.#labels.set(label, (hash = labelHash(label)));
    return hash;
  }

  #mix(a: number, b: number): void {
    let low = Math.imul(this.#hashLow ^ a, 0xcc9e2d51);
    low ^= low >>> 15;
    const high = Math.imul(this.#hashHigh ^ b ^ low, 0x1b873593);
    this.#hashLow = low;
    this.#hashHigh = high ^ (high >>> 13);
  }
}
