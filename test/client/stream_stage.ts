/** Four simulated servers and a client that puts streams. Used by the tests of streams. */
import { named } from "../harness/named.ts";
import { readName } from "../../src/client/agree/register.ts";
import { unlock } from "../../src/client/agree/unlock.ts";
import type { Cluster } from "../../src/client/connect/cluster.ts";
import { get } from "../../src/client/files/get.ts";
import { putStream } from "../../src/client/files/put_stream.ts";
import { stat } from "../../src/client/files/stat.ts";
import { openCluster } from "../../src/client/members/open.ts";
import { NO_ATTRIBUTES } from "../../src/file/attributes.ts";
import { layoutOf } from "../../src/file/layout.ts";
import { CHUNK_BYTES } from "../../src/limits.ts";
import { openerOf } from "../harness/secret.ts";
import { SimCluster } from "../sim/cluster.ts";
import { contentOf, memorySink } from "../sim/contents.ts";
import { memory } from "../sim/sealing.ts";
import { CALM } from "../sim/weather.ts";
import { World } from "../sim/world.ts";

export const STRIPE = 4 * CHUNK_BYTES;
export const LARGE = contentOf(1, 3 * STRIPE + 70_001);

/** The bytes in parts of these lengths in turn; `after` is called after each so many bytes. */
export async function* partsOf(
  bytes: Uint8Array,
  lengths: readonly number[],
  after: (sent: number) => void = () => {},
): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] ?? 0;
    yield bytes.subarray(at, at + length);
    at += length;
    after(Math.min(at, bytes.length));
  }
}

/** Four servers in calm weather, and a client. */
export class Stage {
  readonly world = new World(1);
  readonly servers = new SimCluster(this.world, 4, 0, () => {});
  readonly #secret: Uint8Array | null;
  readonly #memory = memory();
  readonly cluster: Cluster;

  constructor(secret: Uint8Array | null = null) {
    this.#secret = secret;
    this.servers.net.weather = CALM;
    for (const server of this.servers.servers) server.start();
    this.world.pass(1000);
    this.cluster = this.client();
  }

  client(): Cluster {
    const { ports } = this.servers.client();
    const options = { user: "", login: null, warn: () => {} };
    const cluster = this.run(openCluster(ports, this.servers.addresses, options));
    const opener = this.#secret && openerOf(this.#secret);
    return opener ? this.run(unlock(cluster, opener, this.#memory)) : cluster;
  }

  run<T>(work: Promise<T>): T {
    return this.world.finish(work);
  }

  begin(name: string, bytes: AsyncIterable<Uint8Array>, layout = "pairs") {
    const stream = { bytes, attributes: NO_ATTRIBUTES };
    return putStream(this.cluster, named(name), stream, { layout: layoutOf(layout) });
  }

  put(name: string, bytes: Uint8Array, layout = "pairs", after?: (sent: number) => void): void {
    this.run(this.begin(name, partsOf(bytes, [100_000, 0, 33_333], after), layout));
  }

  get(name: string, inOrder = false): Uint8Array {
    const sink = memorySink(inOrder);
    this.run(get(this.client(), named(name), sink, {}));
    return sink.data;
  }

  versionOf(name: string) {
    return this.run(readName(this.client(), this.cluster.space.stored(named(name)))).current
      ?.version;
  }

  /** For each piece of a file, the number of servers that hold it. */
  copiesOf(name: string): number[] {
    return this.run(stat(this.client(), named(name))).pieces.map(({ servers }) => servers.length);
  }

  kill(slot: number): void {
    this.servers.first[slot]?.kill(false);
  }

  /** The files that servers which are up have of pieces on their way. */
  get unfinished(): string[] {
    return this.servers.servers.flatMap(({ isUp, disk }) =>
      isUp ? [...disk.files().keys()].filter((path) => path.includes("/tmp/")) : [],
    );
  }
}
