/**
 * `bun bench/many_names.ts`: what the commands that look at all names take with 100,000 files of 1 KiB on four servers, in
 * seconds and in memory, which must stay below 200 MB.
 */
import { bunClock, bunNet, bunRandom } from "../src/io/bun.ts";
import type { Cluster } from "../src/client/cluster.ts";
import { openCluster } from "../src/client/open.ts";
import type { Source } from "../src/client/pieces.ts";
import { put } from "../src/client/put.ts";
import { inParallel } from "../src/client/window.ts";
import { PAIRS } from "../src/file/layout.ts";
import { KIB } from "../src/limits.ts";
import { Stage } from "../test/acceptance/stage.ts";
import { measure, median } from "./client.ts";

const FILES = 100_000;
const FILE_BYTES = KIB;
const IN_FLIGHT = 64;
const RUNS = 3;
const MOST_BYTES = 200_000_000;

/** Exit statuses that are no failure: what was just put was not read back yet. */
const COMMANDS = [
  { args: ["status"], expected: [0, 3] },
  { args: ["list"], expected: [0] },
  { args: ["list", "--json"], expected: [0] },
  { args: ["repair", "--dry-run"], expected: [0] },
];

async function putAll(stage: Stage): Promise<number> {
  const ports = { clock: bunClock, net: bunNet, random: bunRandom };
  const addresses = stage.servers.map(({ name, port }) => ({ name, host: "127.0.0.1", port }));
  const cluster = await openCluster(ports, addresses, { user: "", warn: console.error });
  const begun = performance.now();
  const numbers = Array.from({ length: FILES }, (_, i) => i);
  await inParallel(numbers, IN_FLIGHT, (i) => putOne(cluster, i));
  cluster.close();
  return (performance.now() - begun) / 1000;
}

async function putOne(cluster: Cluster, i: number): Promise<void> {
  const source: Source = {
    bytes: FILE_BYTES,
    modified: 0,
    mode: 0o644,
    read: async (into, offset) => void into.fill((i + offset) & 0xff),
  };
  const name = `folder ${i % 100}/file ${i}`;
  await put(cluster, name, source, { layout: PAIRS, placement: "name" });
}

const stage = await Stage.open(4);
const seconds = await putAll(stage);
console.log(`${FILES} files put in ${seconds.toFixed(0)} s`);
const rows = [];
let isWithin = true;
for (const { args, expected } of COMMANDS) {
  const runs = [];
  for (let run = 0; run < RUNS; run++) runs.push(await measure(stage, args, expected));
  const peak = Math.max(...runs.map((one) => one.peak));
  isWithin &&= peak < MOST_BYTES;
  rows.push({
    command: args.join(" "),
    seconds: median(runs.map((one) => one.seconds)).toFixed(2),
    "peak MB": (peak / 1e6).toFixed(0),
  });
}
await stage.close();
console.log(Bun.inspect.table(rows));
if (!isWithin) throw new Error(`some command took more than ${MOST_BYTES / 1e6} MB`);
