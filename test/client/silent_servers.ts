/** Servers that answer, are silent for a while, or refuse: what the tests of reconnecting are played on. */
import type { ClientPorts } from "../../src/client/connect/peer.ts";
import type { ServerAddress } from "../../src/membership.ts";
import { addressOf, SimCluster, type SimServer } from "../sim/cluster.ts";
import { CALM } from "../sim/weather.ts";
import { World } from "../sim/world.ts";

const HOUR_MS = 3_600_000;
/** More than an answer takes on a calm network. */
export const WORK_MS = 50;

export class SilentServers {
  readonly world = new World(1);
  readonly #cluster: SimCluster;
  /** The names of those that were to be connected to, in order. */
  readonly tried: string[] = [];
  readonly ports: ClientPorts;

  /** So many servers that answer. */
  constructor(size: number) {
    this.#cluster = new SimCluster(this.world, size, 0, () => {});
    this.#cluster.net.weather = CALM;
    for (const server of this.#cluster.servers) server.start();
    this.world.pass(1000);
    const { ports } = this.#cluster.client();
    const { net } = ports;
    this.ports = {
      ...ports,
      net: {
        ...net,
        connect: (host, ...how) => {
          this.tried.push(host);
          return net.connect(host, ...how);
        },
      },
    };
  }

  get addresses(): ServerAddress[] {
    return this.#cluster.servers.map(addressOf);
  }

  /** How many connections there are. */
  get openConnections(): number {
    return this.#cluster.net.connections;
  }

  /** For so long nothing that opens a connection to it comes through. */
  silence(slot: number, ms = HOUR_MS): void {
    this.#cluster.net.loseFirst(this.#server(slot).name, ms);
  }

  /** It hears all, and says nothing until it goes on. */
  freeze(slot: number): void {
    const { machine } = this.#server(slot);
    if (machine) this.world.freeze(machine);
  }

  goOn(slot: number): void {
    const { machine } = this.#server(slot);
    if (machine) this.world.thaw(machine);
  }

  /** From now on its machine refuses connections. */
  stop(slot: number): void {
    this.#server(slot).kill(false);
    this.world.pass(1);
  }

  start(slot: number): void {
    this.#server(slot).start();
    this.world.pass(1000);
  }

  /** What this gives, and how long it took. */
  run<T>(work: Promise<T>): { value: T; ms: number } {
    const begun = this.world.now;
    const value = this.world.finish(work);
    return { value, ms: this.world.now - begun };
  }

  #server(slot: number): SimServer {
    return this.#cluster.servers[slot]!;
  }
}
