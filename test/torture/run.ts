/**
 * The torture program: real servers and clients of the built executable, killed, frozen, cut off, filled up and damaged.
 * `bun test/torture/run.ts [scenario...] [--short] [--sealed] [--seed N]`; without names it plays all scenarios, one after the other.
 */
import { parseArgs } from "node:util";
import { scenarioNamed, SCENARIOS } from "./scenarios.ts";
import { play } from "./stage.ts";

const EVIDENCE_LINES = 60;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: "boolean", default: false },
    /** Do the servers know a user, who has a password? */
    sealed: { type: "boolean", default: false },
    seed: { type: "string" },
  },
});
const seed = Number(values.seed ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const chosen = positionals.length > 0 ? positionals.map(scenarioNamed) : SCENARIOS;
console.log(`seed ${seed}`);
let failed = 0;
for (const scenario of chosen) {
  const { ok, line, evidence } = await play(scenario, seed, values.short, values.sealed);
  for (const item of evidence.slice(0, EVIDENCE_LINES)) console.log(`  ${item}`);
  if (evidence.length > EVIDENCE_LINES)
    console.log(`  (and ${evidence.length - EVIDENCE_LINES} more lines)`);
  console.log(line);
  if (!ok) failed++;
}
process.exit(failed > 0 ? 1 : 0);
