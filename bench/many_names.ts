/**
 * `bun bench/many_names.ts`: what the commands that look at all names take with 100,000 files of 1 KiB on four servers, in
 * seconds and in memory, which must stay below 200 MB.
 */
import { Stage } from "../test/harness/stage.ts";
import { measure } from "./client.ts";
import { median } from "../src/terminal/units.ts";
import { putMany } from "./many_files.ts";

const FILES = 100_000;
const RUNS = 3;
const MOST_BYTES = 200_000_000;

/** Exit statuses that are no failure: what was just put was not read back yet. */
const COMMANDS = [
  { args: ["status"], expected: [0, 3] },
  { args: ["list"], expected: [0] },
  { args: ["list", "--json"], expected: [0] },
  { args: ["repair", "--dry-run"], expected: [0] },
];

const stage = await Stage.open(4);
const begun = performance.now();
await putMany(stage, FILES);
console.log(`${FILES} files put in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
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
