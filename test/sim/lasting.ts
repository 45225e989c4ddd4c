/** Clients that live on: each is one process with one cluster, in which orders follow one another or are done at once. */
import type { Cluster } from "../../src/client/connect/cluster.ts";
import type { ClientPorts } from "../../src/client/connect/peer.ts";
import type { Machine } from "./machine.ts";
import { labelHash, Rng } from "./random.ts";

/** How often there are such clients in a history, and how often an order goes to one of them. */
const HISTORY_CHANCE = 0.5;
const ORDER_CHANCE = 0.7;
const CLIENTS_MAX = 2;
const AT_ONCE = 3;
/** How often an order of theirs is aborted, and within which time. */
const ABORT_CHANCE = 0.2;
const ABORT_MS = 400;

export class LastingClient {
  readonly machine: Machine;
  readonly ports: ClientPorts;
  /** Its cluster; null until somebody opens it, and again if that failed. */
  opening: Promise<Cluster> | null = null;

  constructor({ machine, ports }: { machine: Machine; ports: ClientPorts }) {
    this.machine = machine;
    this.ports = ports;
  }

  /** The cluster, which `open` opens where it is not open yet. */
  cluster(open: () => Promise<Cluster>): Promise<Cluster> {
    const opening = (this.opening ??= open());
    opening.catch(() => {
      if (this.opening === opening) this.opening = null;
    });
    return opening;
  }
}

/** Those of one history. */
export class LastingClients {
  readonly #rng: Rng;
  readonly #most: number;
  readonly #begin: () => LastingClient;
  #all: LastingClient[] = [];
  /** How many orders they were given after their first. */
  orders = 0;

  /** Nothing else that the seed draws depends on it. `begin` starts such a client. */
  constructor(seed: number, begin: () => LastingClient) {
    this.#rng = new Rng(seed, labelHash("lasting"));
    this.#most = this.#rng.chance(HISTORY_CHANCE) ? this.#rng.between(1, CLIENTS_MAX) : 0;
    this.#begin = begin;
  }

  /** Those that were not killed. */
  get alive(): readonly LastingClient[] {
    this.#all = this.#all.filter(({ machine }) => machine.alive);
    return this.#all;
  }

  /** Who does the next order; null: a client of its own. `running`: a machine for each order at work. */
  draw(running: readonly Machine[]): LastingClient | null {
    if (this.#most === 0 || !this.#rng.chance(ORDER_CHANCE)) return null;
    if (this.alive.length < this.#most && this.#rng.chance(0.5)) this.#all.push(this.#begin());
    const free = this.alive.filter(
      ({ machine }) => running.filter((one) => one === machine).length < AT_ONCE,
    );
    if (free.length === 0) return null;
    const client = this.#rng.pick(free);
    if (client.opening) this.orders++;
    return client;
  }

  /** After how many milliseconds an order of such a client is aborted; null: never. */
  drawAbort(): number | null {
    return this.#rng.chance(ABORT_CHANCE) ? this.#rng.fraction() * ABORT_MS : null;
  }
}
