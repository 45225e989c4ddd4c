/**
 * `bun run model`: checks the protocol's model, a line a check: what was looked at, how many histories and events or steps, and "ok".
 * It ends with 1 where something is wrong, or a broken rule is not caught. `--seconds N` says how long each sound check takes (2);
 * `--search` looks for broken rules from the first seed on.
 */
import type { Check } from "./check.ts";
import { CHECKS } from "./checks.ts";

/** A broken rule is looked for no longer than that. */
const SEARCH_MS = 60_000;

interface Outcome {
  readonly isOk: boolean;
  readonly line: string;
}

function outcomeOf(check: Check, milliseconds: number, isSearching: boolean): Outcome {
  const end = performance.now() + (check.isBroken ? SEARCH_MS : milliseconds);
  let histories = 0;
  let events = 0;
  let seed = isSearching ? 1 : check.from;
  const unit = check.isOnce ? "steps" : "events";
  const seen = (): string => `${histories} ${histories === 1 ? "run" : "runs"}, ${events} ${unit}`;
  for (; performance.now() < end; seed++) {
    const { events: more, wrong } = check.history(seed);
    histories++;
    events += more;
    const isOk = check.isBroken === (wrong !== null);
    const how = wrong ? `: ${wrong} (seed ${seed})` : "";
    if (wrong || check.isOnce)
      return { isOk, line: `${check.name}: ${seen()}: ${isOk ? "ok" : "WRONG"}${how}` };
  }
  const isOk = !check.isBroken;
  return { isOk, line: `${check.name}: ${seen()}: ${isOk ? "ok" : "WRONG: not caught"}` };
}

const at = process.argv.indexOf("--seconds");
const seconds = at < 0 ? 2 : Number(process.argv[at + 1]);
const isSearching = process.argv.includes("--search");
for (const check of CHECKS) {
  const { isOk, line } = outcomeOf(check, seconds * 1000, isSearching);
  console.log(line);
  if (!isOk) process.exitCode = 1;
}
