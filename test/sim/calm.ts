/** The end of a history: all is well again, and nothing may be missing or too much. */
import { TRASH_GRACE_MS } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import { expectWritten } from "./hostile_plots.ts";
import { Violation } from "./invariants.ts";
import { checkQuiet } from "./quiet.ts";

/** With all up again, everything must be there; after repair nothing else may be. */
export function checkCalm(run: Run): void {
  if (run.hostile) run.hostile.lies = false;
  for (const name of run.names) expectRead(run, name);
  run.calmly({ do: "repair" });
  run.calmly({ do: "repair" });
  if (run.hostile) for (const name of run.names) expectWritten(run, name);
  const repaired = run.calmly({ do: "repair" });
  if (repaired.outcome !== "done") throw new Violation(`repair ended with ${repaired.outcome}`);
  for (const name of run.names) expectRead(run, name);
  run.pass(TRASH_GRACE_MS + 130_000);
  checkQuiet(run.cluster, run.faults.spoilt);
  for (const name of run.names) expectRead(run, name);
}

function expectRead(run: Run, name: string): void {
  const { outcome } = run.calmly({ do: "get", name });
  if (outcome !== "done" && outcome !== "noSuchName")
    throw new Violation(`with all servers up, a get of ${name} ended with ${outcome}`);
}
