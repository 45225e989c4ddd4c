/**
 * Clients for a crowd, in one process: `bun bench/crowd_clients.ts DFC.CONF CLIENTS LANES SECONDS NAME`. Each has connections of its
 * own, and in each of its lanes puts a file of 1 MiB, gets it back and looks whether it is the same, again and again. Prints
 * what came of it as JSON.
 */
import type { Cluster } from "../src/client/connect/cluster.ts";
import { get } from "../src/client/files/get.ts";
import { type Sink } from "../src/client/fetch/sink.ts";
import { openCluster } from "../src/client/members/open.ts";
import { inMemory } from "../src/client/send/source.ts";
import { put } from "../src/client/files/put.ts";
import { loadConfiguration } from "../src/api/config/config.ts";
import { PAIRS } from "../src/file/layout.ts";
import { bunClock, bunNet, bunRandom } from "../src/io/bun.ts";
import { MIB } from "../src/limits.ts";
import { noiseOf } from "./client.ts";
import { named } from "../test/harness/named.ts";

const STAMP_BYTES = 64;

/** What the clients of one process did; times in milliseconds. */
export interface CrowdPart {
  readonly seconds: number;
  readonly puts: number[];
  readonly gets: number[];
  readonly errors: string[];
}

const [config = "", clients, lanes, seconds, name] = process.argv.slice(2);
const { servers } = loadConfiguration(config);
const ports = { clock: bunClock, net: bunNet, random: bunRandom };
const noise = noiseOf(MIB);
const part = { puts: [] as number[], gets: [] as number[], errors: [] as string[] };

const open = (): Promise<Cluster> =>
  openCluster(ports, servers, {
    user: "",
    login: null,
    warn: (line) => void part.errors.push(line),
  });

async function timed(times: number[], work: () => Promise<unknown>): Promise<void> {
  const begun = performance.now();
  await work();
  times.push(performance.now() - begun);
}

/** Puts and gets until then, each file under a name of its own: no two are the same. */
async function goOn(cluster: Cluster, lane: string, until: number): Promise<void> {
  const data = noise.slice();
  for (let i = 0; performance.now() < until; i++) {
    const file = named(`crowd/${name}/${lane}/${i}`);
    data.set(Buffer.from(file.padEnd(STAMP_BYTES)));
    try {
      await timed(part.puts, () =>
        put(cluster, file, inMemory(data), { layout: PAIRS, placement: "name" }),
      );
      await timed(part.gets, () => get(cluster, file, comparing(data), {}));
    } catch (error) {
      part.errors.push(`${file}: ${String(error)}`);
    }
  }
}

const comparing = (data: Uint8Array): Sink => ({
  inOrder: false,
  open: async ({ bytes }) => {
    if (bytes !== data.length) throw new Error(`it has ${bytes} bytes`);
  },
  write: async (bytes, offset) => {
    if (Buffer.compare(bytes, data.subarray(offset, offset + bytes.length)) !== 0)
      throw new Error(`it is not the same at ${offset}`);
  },
});

const all = await Promise.all(Array.from({ length: Number(clients) }, open));
const begun = performance.now();
const until = begun + 1000 * Number(seconds);
await Promise.all(
  all.flatMap((cluster, i) =>
    Array.from({ length: Number(lanes) }, (_, j) => goOn(cluster, `${i}-${j}`, until)),
  ),
);
const result: CrowdPart = { ...part, seconds: (performance.now() - begun) / 1000 };
for (const cluster of all) cluster.close();
console.log(JSON.stringify(result));
