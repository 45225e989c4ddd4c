/**
 * `bun run sim --seeds A..B`: runs these histories and says what failed. `--calm`, `--trace` (prints each step of a single seed),
 * `--marks` (how often everything happened),
 * `--plot NAME` (only that one), `--stop` (at the first that fails), `--brief` (which is not made shorter), `--mutant NAME` (with a
 * rule broken on purpose).
 */
import { parseArgs } from "node:util";
import { mutate } from "./mutate.ts";
import type { Plot } from "./plots.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1..100" },
    calm: { type: "boolean", default: false },
    trace: { type: "boolean", default: false },
    marks: { type: "boolean", default: false },
    stop: { type: "boolean", default: false },
    brief: { type: "boolean", default: false },
    mutant: { type: "string" },
    plot: { type: "string" },
  },
});
if (values.mutant) mutate(values.mutant);
const { runHistory } = await import("./history_run.ts");
const { shortest } = await import("./shortest.ts");
const { PLOTS } = await import("./plots.ts");
const [from = 1, to = from] = values.seeds.split("..").map(Number);
// Errors are part of the ordinary course here; where one was made is told when its seed is run alone.
if (from !== to) Error.stackTraceLimit = 0;

const options = {
  calm: values.calm,
  trace: values.trace,
  ...(values.plot !== undefined && { plot: plotOf(values.plot) }),
};
const marks = new Map<string, number>();
let failed = 0;
let unnoticed = 0;
let stoppedAt = from;
let events = 0;
const begun = performance.now();
for (let seed = from; seed <= to; seed++) {
  const history = runHistory(seed, options);
  events += history.events;
  for (const [mark, n] of history.marks) marks.set(mark, (marks.get(mark) ?? 0) + n);
  if (values.trace) for (const line of history.trace) console.log(line);
  if (history.unnoticed !== null) unnoticed++;
  if (history.wrong === null) continue;
  failed++;
  console.log(`SEED=${seed} (${history.servers} servers): ${history.wrong}`);
  // The first is told whole.
  if (failed === 1 && !values.brief) console.log(shortest(seed, options).join("\n"));
  stoppedAt = seed;
  if (values.stop) break;
}
const seconds = (performance.now() - begun) / 1000;
if (values.marks)
  for (const [mark, n] of [...marks].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${String(n).padStart(8)} ${mark}`);
const count = (values.stop && failed > 0 ? stoppedAt : to) - from + 1;
if (unnoticed > 0)
  console.log(
    `${unnoticed} with a server that was put back, unnoticed by all who answered, and wrong`,
  );
console.log(
  `${count} histories, ${failed} wrong, ${events} events, ${seconds.toFixed(1)} s, ${((seconds * 1000) / count).toFixed(1)} ms each`,
);
process.exit(failed > 0 ? 1 : 0);

function plotOf(name: string): Plot {
  if (name in PLOTS) return name as Plot;
  throw new Error(`there is no plot ${name}; there are ${Object.keys(PLOTS).join(", ")}`);
}
