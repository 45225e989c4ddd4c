/** A simulated cluster: real servers on simulated disks and a simulated network, and clients that come and go. */
import type { Database } from "bun:sqlite";
import { decode } from "../../src/bytes.ts";
import { DfsError } from "../../src/errors.ts";
import type { ClientPorts } from "../../src/client/connect/peer.ts";
import type { ServerAddress } from "../../src/membership.ts";
import type { Disk, Notice } from "../../src/io/ports.ts";
import { serve, type Server } from "../../src/server/serve.ts";
import { type Register, registerCodec } from "../../src/version.ts";
import { SimDisk } from "./disk.ts";
import type { Machine } from "./machine.ts";
import { SimNet } from "./net.ts";
import { labelHash, type Rng, simRandom } from "./random.ts";
import type { Backup } from "./backup.ts";
import { ENDLESS_BYTES } from "./volume.ts";
import type { World } from "./world.ts";

const PORT = 10_001;
export const TRASH_GRACE_MS = 600_000;
/** Longer than on real servers, for a simulated one idles for long. */
/** More than a history has connections. */
const DESCRIPTORS = 4096;
const SCRUB_IDLE_MS = 60_000;

/** How often a server is at another address when it starts again, where servers move. */
const MOVE_CHANCE = 0.2;

/** One server's box: its disk outlives the processes that run on it. */
export class SimServer {
  readonly name: string;
  readonly #world: World;
  readonly #net: SimNet;
  readonly #onCommit: (server: SimServer) => void;
  readonly folder: string;
  readonly catalog: string;
  disk: SimDisk;
  machine: Machine | null = null;
  /** Where it listens; it may be elsewhere in its next life. */
  port = PORT;
  /** Whether it moves as it starts again. */
  moves: () => boolean = () => false;
  /** Counts the disks that it has had. */
  disks = 0;
  /** Counts the processes that it has had. */
  lives = 0;
  /** Rows written by the transaction at hand, in order. */
  readonly written: [key: string, row: Register][] = [];
  /** Did it drop rows, or change what it holds, since a checker looked? */
  hasForgotten = false;
  /** Was it told of another configuration since a checker looked? */
  hasLearned = true;
  hasMoved = true;
  readonly #seen = new WeakSet<object>();
  /** Has this life come to serve? */
  isServing = false;
  /** Copies of what its disk held while it was down, each with how many lives it had had. */
  readonly backups: { readonly lives: number; readonly content: Backup }[] = [];
  /** Was it put back to an earlier state, and so has forgotten something? */
  isPutBack = false;
  /** Was it stopped in order? */
  isTidy = false;
  #serving: Server | null = null;
  /** A start that failed for good, such as of a folder that is damaged. */
  refused: string | null = null;

  constructor(world: World, net: SimNet, name: string, onCommit: (server: SimServer) => void) {
    this.name = name;
    this.folder = `/${name}`;
    this.catalog = `${this.folder}/catalog.sqlite`;
    this.#world = world;
    this.#net = net;
    this.#onCommit = onCommit;
    this.disk = this.#newDisk(name);
  }

  get isUp(): boolean {
    return this.machine?.alive ?? false;
  }

  /** Disks are of different sizes, and none is ever full by itself. */
  #newDisk(label: string): SimDisk {
    const disk = new SimDisk(this.#world, label);
    disk.capacityBytes = ENDLESS_BYTES * (1 + (labelHash(`${this.#world.seed} ${label}`) % 8));
    return disk;
  }

  start(): void {
    if (this.isUp) return;
    if (this.lives > 0 && this.moves()) this.port++;
    const machine = this.#world.machine(this.name);
    this.machine = machine;
    const ports = {
      clock: this.#world.clock(machine),
      random: simRandom(this.#world.rng.fork(`${this.name} ${++this.lives}`)),
      net: this.#net.of(machine),
      disk: this.#watched(this.disk.of(machine)),
    };
    const options = {
      folder: this.folder,
      catalogFolder: this.folder,
      inlineBytes: 16 * 1024,
      trashGraceMs: TRASH_GRACE_MS,
      scrubIdleMs: SCRUB_IDLE_MS,
      host: "127.0.0.1",
      port: this.port,
      release: "sim",
      users: async () => null,
      changeVerifier: async () => {},
      certificate: null,
      descriptors: DESCRIPTORS,
      notify: ({ line }: Notice) => this.#world.note(`${this.name}: ${line}`),
    };
    const die = (): void => this.#world.kill(machine);
    this.isServing = false;
    this.isTidy = false;
    this.#serving = null;
    this.hasLearned = true;
    this.written.length = 0;
    const serving = serve(ports, options, die).then((server) => {
      this.#serving = server;
      this.isServing = true;
      this.hasMoved = true;
      this.#onCommit(this);
    });
    serving.catch((error: unknown) => {
      if (!(error instanceof DfsError))
        this.#world.after(0, null, "bug", () => {
          throw error;
        });
      else if (error.code === "folder") this.refused = error.message;
      die();
    });
  }

  /** kill -9; with `power` the box goes down, and what was not synced is at risk. */
  kill(power: boolean): void {
    if (this.machine) this.#world.kill(this.machine);
    if (power) this.disk.crash();
  }

  /** It is asked to end, as by SIGTERM. */
  stop(): void {
    const { machine } = this;
    const end = (isTidy: boolean): void => {
      if (this.machine !== machine || !machine?.alive) return;
      this.kill(false);
      this.isTidy = isTidy;
    };
    void this.#serving?.stop().then(
      () => end(true),
      () => end(false),
    );
  }

  /** Somebody keeps a copy of the folder of a server that is down. */
  backUp(): void {
    this.backups.push({ lives: this.lives, content: this.disk.backup() });
  }

  /** Somebody writes a backup over the folder of a server that is down. */
  putBack({ lives, content }: SimServer["backups"][number]): void {
    this.disk.restore(content);
    this.disks++;
    if (lives < this.lives) this.isPutBack = true;
    this.refused = null;
  }

  /** The folder of a server that is down, and was stopped in order, goes on as a copy. */
  move(): void {
    this.disk.restore(this.disk.backup(), { from: this.folder, to: this.folder });
  }

  /** The disk is replaced by an empty one. */
  wipe(): void {
    this.kill(true);
    this.isPutBack = false;
    this.backups.length = 0;
    this.disk = this.#newDisk(`${this.name} ${++this.disks}`);
  }

  /** Tells of every transaction and of each row it wrote, so that checkers can look at what it did. */
  #watched(disk: Disk): Disk {
    return {
      ...disk,
      database: (path) => {
        const database = disk.database(path);
        this.#watch(database);
        return database;
      },
    };
  }

  #watch(database: Database): void {
    const { run, query } = {
      run: database.run.bind(database),
      query: database.query.bind(database),
    };
    database.run = (sql: string) => {
      if (sql.startsWith("BEGIN") || sql === "ROLLBACK") this.written.length = 0;
      const changes = run(sql);
      if (sql === "COMMIT") this.#onCommit(this);
      return changes;
    };
    database.query = ((sql: string) => {
      const statement = query(sql);
      const note = this.#noteOf(sql);
      if (!note || this.#seen.has(statement)) return statement;
      this.#seen.add(statement);
      const write = statement.run.bind(statement);
      statement.run = (...values) => {
        note(values);
        return write(...values);
      };
      return statement;
    }) as typeof database.query;
  }

  /** What a statement that writes tells the checkers. */
  #noteOf(sql: string): ((values: readonly unknown[]) => void) | null {
    if (sql.startsWith("INSERT OR REPLACE INTO register"))
      return (values) => {
        const [space, name, , row] = values as [string, string, number, Uint8Array];
        this.written.push([`${space}/${name}`, decode(registerCodec, new Uint8Array(row))]);
      };
    if (sql.startsWith("INSERT OR REPLACE INTO fact")) return () => (this.hasLearned = true);
    if (sql.startsWith("DELETE FROM register")) return () => (this.hasForgotten = true);
    if (/^(?:INSERT|UPDATE|DELETE)\b.*\b(?:content|holding)\b/s.test(sql))
      return () => (this.hasMoved = true);
    return null;
  }
}

export const addressOf = ({ name, port }: SimServer): ServerAddress => ({ name, host: name, port });

export class SimCluster {
  readonly world: World;
  readonly net: SimNet;
  /** Those that the cluster begins with, and those that may become members later. */
  readonly first: readonly SimServer[];
  readonly spares: readonly SimServer[];
  /** Those that are in the clients' configuration. */
  known: readonly SimServer[];
  #clients = 0;

  constructor(world: World, size: number, spares: number, onCommit: (server: SimServer) => void) {
    this.world = world;
    this.net = new SimNet(world);
    const all = Array.from(
      { length: size + spares },
      (_, i) => new SimServer(world, this.net, `dfs${i + 1}`, onCommit),
    );
    this.first = all.slice(0, size);
    this.spares = all.slice(size);
    this.known = this.first;
  }

  /** The servers that clients look for are elsewhere now and then as they start again, while `mayMove`. */
  moveAbout(luck: Rng, mayMove: () => boolean): void {
    for (const server of this.first) server.moves = () => mayMove() && luck.chance(MOVE_CHANCE);
  }

  get servers(): readonly SimServer[] {
    return [...this.first, ...this.spares];
  }

  /** The addresses that clients know of. */
  get addresses(): ServerAddress[] {
    return this.known.map(addressOf);
  }

  /** A new client process. */
  client(): { machine: Machine; ports: ClientPorts } {
    const machine = this.world.machine(`client${++this.#clients}`);
    const ports = {
      clock: this.world.clock(machine),
      random: simRandom(this.world.rng.fork(machine.name)),
      net: this.net.of(machine),
    };
    return { machine, ports };
  }
}
