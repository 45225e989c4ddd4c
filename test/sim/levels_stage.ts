/** Four servers, and clients that put names, remove them, and list levels of them; in the open or sealed. */
import { inMemory } from "../../src/client/send/source.ts";
import { named } from "../harness/named.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { entriesIn, type Wanted } from "../../src/client/files/list.ts";
import { makeFolder, put } from "../../src/client/files/put.ts";
import { remove } from "../../src/client/files/remove.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { layoutOf } from "../../src/file/layout.ts";
import type { Net } from "../../src/io/ports.ts";
import { openerOf } from "../harness/secret.ts";
import { SimCluster } from "./cluster.ts";
import { contentOf } from "./contents.ts";
import { checkLevels, textOf } from "./levels.ts";
import { memory } from "./sealing.ts";
import { CALM } from "./weather.ts";
import { World } from "./world.ts";

const SECRET = new Uint8Array(32).fill(7);
const HOW = { layout: layoutOf("pairs"), placement: "name" } as const;

export class Stage {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly #isSealed: boolean;
  readonly #memory = memory();

  constructor(isSealed = false, seed = 1) {
    this.#isSealed = isSealed;
    this.world = new World(seed);
    this.cluster = new SimCluster(this.world, 4, 0, () => {});
    this.cluster.net.weather = CALM;
    for (const slot of [0, 1, 2, 3]) this.start(slot);
  }

  start(slot: number): void {
    this.cluster.servers[slot]?.start();
    this.world.pass(1000);
  }

  stop(slot: number): void {
    this.cluster.servers[slot]?.kill(false);
  }

  /** What a client of its own does. */
  run<T>(work: (cluster: Cluster) => Promise<T>, net = (honest: Net): Net => honest): T {
    const client = this.cluster.client().ports;
    const ports = { ...client, net: net(client.net) };
    const options = { user: "", login: null, warn: () => {} };
    const done = async (): Promise<T> => {
      const cluster = await openCluster(ports, this.cluster.addresses, options);
      const opened = this.#isSealed
        ? await unlock(cluster, openerOf(SECRET), this.#memory)
        : cluster;
      const value = await work(opened);
      cluster.close();
      return value;
    };
    return this.world.finish(done(), 50_000_000);
  }

  put(...names: string[]): void {
    this.run(async (cluster) => {
      for (const name of names)
        await (name.endsWith("/")
          ? makeFolder(cluster, named(name), NO_ATTRIBUTES)
          : put(cluster, named(name), inMemory(contentOf(1, 50)), HOW));
    });
  }

  remove(...names: string[]): void {
    this.run(async (cluster) => {
      for (const name of names) await remove(cluster, named(name));
    });
  }

  entries(wanted: Wanted): string[] {
    return this.run((cluster) => Array.fromAsync(entriesIn(cluster, wanted), textOf));
  }

  /** The first level of all names, which must be what the names are. */
  level(): string {
    this.run(checkLevels);
    return this.entries({ delimiter: "/" }).join(" ");
  }
}
