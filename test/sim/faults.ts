/** What goes wrong in a history: kinds of faults, how often each, all drawn from the seed. */
import type { SimCluster, SimServer } from "./cluster.ts";
import { configOf } from "./installed.ts";
import type { Rng } from "./random.ts";
import { CALM as FAIR } from "./weather.ts";
import { ENDLESS_BYTES, ENDLESS_FILES } from "./volume.ts";

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
  /** Of a server that is up: it is stopped in order. Of one that is down: its folder is copied, put back, moved, or loses its log. */
  readonly stop: number;
  readonly backUp: number;
  readonly putBack: number;
  readonly move: number;
  readonly loseLog: number;
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
  stop: 0,
  backUp: 0,
  putBack: 0,
  move: 0,
  loseLog: 0,
  failOpens: 0,
};

export const drawRates = (rng: Rng): Rates => ({
  ...CALM,
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
  ...drawFolderRates(rng),
});

/** Most histories have folders that are what their servers left; the others have one thing that is done to them. */
function drawFolderRates(rng: Rng): Partial<Rates> {
  if (!rng.chance(FOLDERS_CHANCE)) return {};
  const often = { stop: 0.03, kill: 0.04, restart: rng.pick([0.05, 0.2]), wipe: 0, rot: 0 };
  return rng.pick([
    { ...often, backUp: 0.5, putBack: rng.pick([0.3, 0.8]) },
    { ...often, move: 0.3 },
    { ...often, loseLog: 0.2 },
  ]);
}

const FOLDERS_CHANCE = 0.3;
const BACKUPS_MAX = 3;

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
  "stop",
  "backUp",
  "putBack",
  "move",
  "loseLog",
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
  #hasMoved = false;
  #wasWhole = false;

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
    this.#isWhole();
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
      this.#stepFolder(server);
      if (rng.chance(rates.restart)) server.start();
      return;
    }
    if (this.#happens("stop") && server.isServing) {
      this.#mark("stop", server.name);
      server.stop();
    }
    if (machine.frozen && rng.chance(rates.thaw)) this.#cluster.world.thaw(machine);
    else if (this.#happens("freeze")) {
      this.#mark("freeze", server.name);
      this.#cluster.world.freeze(machine);
    }
    if (this.#happens("fill")) {
      this.#mark("fill", server.name);
      const isEndless = disk.capacityBytes >= ENDLESS_BYTES && disk.capacityFiles >= ENDLESS_FILES;
      const room = rng.int(40_000);
      disk.capacityBytes = ENDLESS_BYTES;
      disk.capacityFiles = ENDLESS_FILES;
      // Of bytes, or of inodes.
      if (isEndless && room % 2 === 0) disk.capacityBytes = disk.usedBytes + room;
      else if (isEndless) disk.capacityFiles = disk.usedFiles + (room % 40);
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

  /** What people do to the folder of a server that is down. */
  #stepFolder(server: SimServer): void {
    const { name, backups } = server;
    if (this.#happens("backUp") && backups.length < BACKUPS_MAX) {
      this.#mark("backUp", name);
      server.backUp();
    }
    // A copy counts again only once most of the others know of it: none of them may be lost.
    if (this.#happens("move") && server.isTidy && this.spoilt === null && this.#isWhole()) {
      this.#hasMoved = true;
      this.#mark("move", name);
      server.move();
    }
    const older = backups.filter(({ lives }) => lives < server.lives);
    if (this.#happens("putBack") && older.length > 0 && this.#mayPutBack(server)) {
      this.#mark("putBack", name);
      server.putBack(this.#rng.pick(older));
    }
    if (this.#happens("loseLog") && !server.isTidy && this.maySpoil(server)) {
      this.#mark("loseLog", name);
      server.disk.loseLog(server.catalog);
      server.disks++;
    }
  }

  /** Once a history, and only of a server that may be lost. */
  #mayPutBack(server: SimServer): boolean {
    return !this.#cluster.servers.some(({ isPutBack }) => isPutBack) && this.maySpoil(server);
  }

  /** Only a cluster whose servers have all joined, and of which more than two decide, promises to survive the loss of one. */
  #isWhole(): boolean {
    const { first } = this.#cluster;
    const known = first.map(configOf);
    return (this.#wasWhole ||= known.every(
      (config) => config && !config.awaited.length && config.voters.length > 2,
    ));
  }

  /** May this disk be lost, or rot? If so it is the one of this history that is. */
  maySpoil(server: SimServer): boolean {
    if (this.#hasMoved || !this.#isWhole()) return false;
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
      server.disk.capacityFiles = ENDLESS_FILES;
      server.disk.failNextSync = false;
      server.disk.failNextOpens = 0;
      if (server.machine) this.#cluster.world.thaw(server.machine);
      server.start();
    }
  }
}
