/** One client that lives on, over simulated servers that come and go. */
import { named } from "../harness/named.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { list } from "../../src/client/files/list.ts";
import { put } from "../../src/client/files/put.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { inMemory, type Source } from "../../src/client/send/source.ts";
import type { Conn } from "../../src/io/ports.ts";
import { SimCluster, type SimServer } from "../sim/cluster.ts";
import { contentOf, memorySink } from "../sim/contents.ts";
import { CALM } from "../sim/weather.ts";
import { World } from "../sim/world.ts";

/** The same connection; `onWrite` is called before each write. */
const watched = (conn: Conn, onWrite: () => void): Conn => ({
  peer: conn.peer,
  binding: conn.binding,
  get received() {
    return conn.received;
  },
  get sent() {
    return conn.sent;
  },
  read: () => conn.read(),
  write: (...parts) => {
    onWrite();
    return conn.write(...parts);
  },
  giveBack: (bytes) => conn.giveBack(bytes),
  close: () => conn.close(),
});

export class LivingStage {
  readonly world = new World(1);
  readonly #servers: SimCluster;
  readonly cluster: Cluster;
  readonly warnings: string[] = [];
  /** The hosts that the client connected to, in order. */
  readonly tried: string[] = [];
  /** Called before each message that the client sends. */
  onWrite = (): void => {};

  constructor(size: number, spares = 0) {
    this.#servers = new SimCluster(this.world, size, spares, () => {});
    this.#servers.net.weather = CALM;
    for (const server of this.#servers.servers) server.start();
    this.world.pass(1000);
    this.cluster = this.open();
    this.tried.length = 0;
  }

  open(): Cluster {
    const { ports } = this.#servers.client();
    const { net } = ports;
    const connect: typeof net.connect = async (host, ...how) => {
      this.tried.push(host);
      return watched(await net.connect(host, ...how), () => this.onWrite());
    };
    const warn = (line: string): void => void this.warnings.push(line);
    const options = { user: "", login: null, warn };
    const { addresses } = this.#servers;
    return this.world.finish(
      openCluster({ ...ports, net: { ...net, connect } }, addresses, options),
    );
  }

  server(slot: number): SimServer {
    return this.#servers.servers[slot] as SimServer;
  }

  stop(slot: number): void {
    this.server(slot).kill(false);
    this.world.pass(100);
  }

  start(slot: number): void {
    this.server(slot).start();
    this.world.pass(500);
  }

  /** Files of pieces that a server has begun to take. */
  temporaryFiles(slot: number): string[] {
    const { machine, disk, folder } = this.server(slot);
    return machine ? this.world.finish(disk.of(machine).list(`${folder}/pieces/tmp`)) : [];
  }

  /** How many connections there are, to all servers. */
  get connections(): number {
    return this.#servers.net.connections;
  }

  breakConnections(slot: number): void {
    this.#servers.net.breakConnections(this.server(slot).name);
  }

  /** Nothing that opens a connection to it comes through for so long. */
  silence(slot: number, ms: number): void {
    this.#servers.net.loseFirst(this.server(slot).name, ms);
  }

  put(name: string, value: number, bytes = 100, cluster = this.cluster, layout = "pairs") {
    return this.putSource(name, inMemory(contentOf(value, bytes)), cluster, layout);
  }

  putSource(name: string, source: Source, cluster = this.cluster, layout = "pairs") {
    return put(cluster, named(name), source, { layout: layoutOf(layout), placement: "name" });
  }

  /** What lies under a name. */
  async get(name: string, cluster = this.cluster): Promise<Uint8Array> {
    const sink = memorySink(true);
    await get(cluster, named(name), sink, {});
    return sink.data;
  }

  names(cluster = this.cluster): Promise<string[]> {
    return Array.fromAsync(list(cluster, ""), ({ name, isIncomplete }) =>
      isIncomplete ? `${name} [incomplete]` : name,
    );
  }

  /** Uses the cluster now and then for so long. */
  use(ms: number): void {
    for (const end = this.world.now + ms; this.world.now < end; this.world.pass(200))
      this.world.finish(this.names());
  }
}
