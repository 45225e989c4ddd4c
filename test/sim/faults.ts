/** What goes wrong in a history: kinds of faults, how often each, all drawn from the seed. */
import type { SimCluster, SimServer } from "./cluster.ts";
import { membersOf } from "../../src/membership.ts";
import { configOf } from "./installed.ts";
import type { Rng } from "./random.ts";
import { CALM as FAIR } from "./weather.ts";
import { ENDLESS_BYTES } from "./volume.ts";

/** Chances of each fault in one step of about `stepMs`. */
export interface Rates {
  readonly stepMs: number;
  readonly kill: number;
  /** Of the kills, how many are a loss of power. */
  readonly power: number;
  readonly restart: number;
  readonly freeze: number;
  readonly thaw: number;
  readonly cut: number;
  readonly heal: number;
  readonly snap: number;
  readonly killClient: number;
  readonly fill: number;
  readonly failSync: number;
  /** Opens of files fail for a while, as where a process has too many open. */
  readonly failOpens: number;
  /** At most one disk of a history is lost, or rots. */
  readonly wipe: number;
  readonly rot: number;
}

export const CALM: Rates = {
  stepMs: 50,
  kill: 0,
  power: 0,
  restart: 1,
  freeze: 0,
  thaw: 1,
  cut: 0,
  heal: 1,
  snap: 0,
  killClient: 0,
  fill: 0,
  failSync: 0,
  wipe: 0,
  rot: 0,
  failOpens: 0,
};

export const drawRates = (rng: Rng): Rates => ({
  stepMs: rng.pick([3, 10, 40, 200]),
  kill: rng.pick([0, 0.02, 0.08]),
  power: rng.pick([0, 0.5, 1]),
  restart: rng.pick([0.05, 0.2, 0.5]),
  freeze: rng.pick([0, 0, 0.02, 0.08]),
  thaw: rng.pick([0.05, 0.3]),
  cut: rng.pick([0, 0, 0.02, 0.1]),
  heal: rng.pick([0.05, 0.3]),
  snap: rng.pick([0, 0.02, 0.06]),
  killClient: rng.pick([0, 0.01, 0.05]),
  fill: rng.pick([0, 0, 0, 0.03]),
  failSync: rng.pick([0, 0, 0, 0.01]),
  wipe: rng.pick([0, 0, 0, 0.01]),
  rot: rng.pick([0, 0, 0, 0.03]),
  failOpens: rng.pick([0, 0, 0, 0.05]),
});

export const FAULT_KINDS = [
  "kill",
  "freeze",
  "cut",
  "snap",
  "killClient",
  "fill",
  "failSync",
  "wipe",
  "rot",
  "failOpens",
] as const satisfies readonly (keyof Rates)[];
export type FaultKind = (typeof FAULT_KINDS)[number];

export class Faults {
  readonly #cluster: SimCluster;
  readonly #rng: Rng;
  readonly #rates: Rates;
  /** How often each fault really happened. */
  readonly marks = new Map<FaultKind, number>();
  /** The server whose disk was lost or rots; one a history. */
  spoilt: SimServer | null = null;

  readonly #without: ReadonlySet<FaultKind>;

  /** The kinds in `without` never happen, though all chances are drawn as if they did. */
  constructor(
    cluster: SimCluster,
    rng: Rng,
    rates: Rates,
    without: ReadonlySet<FaultKind> = new Set(),
  ) {
    this.#cluster = cluster;
    this.#rng = rng;
    this.#rates = rates;
    this.#without = without;
  }

  #mark(kind: FaultKind, where: string): void {
    this.#cluster.world.note(`fault: ${kind}`, where);
    this.marks.set(kind, (this.marks.get(kind) ?? 0) + 1);
  }

  #happens(kind: FaultKind): boolean {
    return this.#rng.chance(this.#rates[kind]) && !this.#without.has(kind);
  }

  /** Whether this client process dies now. */
  killsClient(client: string): boolean {
    const kills = this.#happens("killClient");
    if (kills) this.#mark("killClient", client);
    return kills;
  }

  /** One step of bad luck, or of recovery. */
  step(clients: readonly string[]): void {
    for (const server of this.#cluster.servers) this.#stepServer(server);
    const { servers, net } = this.#cluster;
    for (const client of clients) {
      const server = this.#rng.pick(servers).name;
      if (this.#happens("cut")) {
        this.#mark("cut", `${client} from ${server}`);
        net.cutLink(client, server);
      }
    }
    if (this.#rng.chance(this.#rates.heal)) net.healAll();
    if (this.#happens("snap")) {
      const { name } = this.#rng.pick(servers);
      this.#mark("snap", name);
      net.breakConnections(name);
    }
  }

  #stepServer(server: SimServer): void {
    const rng = this.#rng;
    const rates = this.#rates;
    const { machine, disk } = server;
    if (!machine?.alive) {
      if (rng.chance(rates.restart)) server.start();
      return;
    }
    if (machine.frozen && rng.chance(rates.thaw)) this.#cluster.world.thaw(machine);
    else if (this.#happens("freeze")) {
      this.#mark("freeze", server.name);
      this.#cluster.world.freeze(machine);
    }
    if (this.#happens("fill")) {
      this.#mark("fill", server.name);
      disk.capacityBytes =
        disk.capacityBytes >= ENDLESS_BYTES ? disk.usedBytes + rng.int(40_000) : ENDLESS_BYTES;
    }
    if (this.#happens("failSync")) {
      this.#mark("failSync", server.name);
      disk.failNextSync = true;
    }
    if (this.#happens("failOpens")) {
      this.#mark("failOpens", server.name);
      disk.failNextOpens = 1 + rng.int(4);
    }
    if (this.#happens("rot")) this.#rot(server);
    if (this.#happens("wipe") && this.maySpoil(server)) {
      this.#mark("wipe", server.name);
      server.wipe();
    } else if (this.#happens("kill")) {
      this.#mark("kill", server.name);
      server.kill(rng.chance(rates.power));
    }
  }

  /** Only a cluster whose servers have all joined promises to survive the loss of one. */
  #isWhole(): boolean {
    const { first } = this.#cluster;
    const known = first.map(configOf);
    return (
      first.length > 2 &&
      known.every(
        (config) => config && membersOf(config).every((slot) => config.seats[slot]?.sid !== null),
      )
    );
  }

  /** May this disk be lost, or rot? If so it is the one of this history that is. */
  maySpoil(server: SimServer): boolean {
    if (!this.#isWhole()) return false;
    this.spoilt ??= server;
    return this.spoilt === server;
  }

  /** Flips a byte of a piece's file, on the one disk that may be spoilt. */
  #rot(server: SimServer): void {
    if (this.#cluster.first.length < 2) return;
    const files = [...server.disk.files()].filter(
      ([path, bytes]) => /pieces\/..\//.test(path) && bytes.length > 0,
    );
    if (files.length === 0 || !this.maySpoil(server)) return;
    const [path, bytes] = this.#rng.pick(files);
    this.#mark("rot", path);
    server.disk.flip(path, this.#rng.int(bytes.length));
  }

  /** Ends all that is wrong; what was spoilt stays so. */
  heal(): void {
    this.#cluster.net.weather = FAIR;
    this.#cluster.net.healAll();
    for (const server of this.#cluster.servers) {
      server.disk.capacityBytes = ENDLESS_BYTES;
      server.disk.failNextSync = false;
      server.disk.failNextOpens = 0;
      if (server.machine) this.#cluster.world.thaw(server.machine);
      server.start();
    }
  }
}
