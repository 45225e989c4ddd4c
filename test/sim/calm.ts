/** The end of a history: all is well again, and nothing may be missing or too much. */
import { TRASH_GRACE_MS } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import { expectWritten } from "./hostile_plots.ts";
import { Violation } from "./invariants.ts";
import { checkQuiet, isUneven, placesThere } from "./quiet.ts";

/** On so many servers each piece of a file lies. */
const COPIES = 2;
const REPAIRS_MAX = 32;

const hasStragglers = (run: Run): boolean => run.hostile !== null && isUneven(run.cluster);

/** With all up again, everything must be there; after repair nothing else may be. */
export function checkCalm(run: Run): void {
  if (run.hostile) run.hostile.lies = false;
  run.calmly({ do: "levels" });
  for (const name of run.names) expectRead(run, name);
  run.calmly({ do: "repair" });
  run.calmly({ do: "repair" });
  if (run.hostile && placesThere(run.cluster) >= COPIES)
    for (const name of run.names) expectWritten(run, name);
  // A user who jumps may have led one server further than others come up to it in one repair; they all come there.
  for (let repairs = 0; repairs === 0 || (repairs < REPAIRS_MAX && hasStragglers(run)); repairs++) {
    const { outcome } = run.calmly({ do: "repair" });
    if (outcome !== "done") throw new Violation(`repair ended with ${outcome}`);
  }
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
