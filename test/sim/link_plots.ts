/** Plots about copies and moves; see plots.ts. */
import type { Run } from "./history_run.ts";
import { begin, BYTES, isDone, NAME, PATIENCE_MS, put } from "./plotting.ts";

const OTHER = "b/c";
/** Too large to ride with a promise. */
const LARGE = 90_000;

/** A file is copied while a server is away that has pieces of it: there the copy has none. */
export function linked(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  if (!isDone(run.calmly({ ...put(2), bytes: run.rng.pick([500, LARGE]) }))) return;
  const [away, other] = servers;
  away.kill(false);
  run.calmly({ do: "copy", from: NAME, name: OTHER });
  run.calmly({ do: "rm", name: NAME });
  away.start();
  run.pass(1000);
  run.calmly({ do: "repair" });
  other.kill(false);
  run.calmly({ do: "get", name: OTHER });
  other.start();
}

/** Somebody writes a name while it is moved, when the copy is there and the deletion has not begun. */
export function overtaken(run: Run): void {
  if (!begin(run)) return;
  const mover = run.begin({ do: "rename", from: NAME, name: OTHER });
  if (!run.awaits(PATIENCE_MS, () => run.invariants.currentOf(OTHER) !== null)) return;
  run.world.freeze(mover);
  run.calmly(put(2));
  run.world.thaw(mover);
  run.awaits(2 * PATIENCE_MS, () => !mover.alive);
  run.calmly({ do: "get", name: NAME });
}

/** A file is written again while somebody reads it slowly. */
export function rewritten(run: Run): void {
  if (!begin(run)) return;
  run.calmly({ ...put(2), bytes: run.rng.pick([BYTES, LARGE]) });
  const reader = run.begin({ do: "readSlowly", name: NAME });
  run.pass(run.rng.between(100, 1000));
  run.calmly({ ...put(3), bytes: run.rng.pick([BYTES, LARGE]) });
  run.awaits(2 * PATIENCE_MS, () => !reader.alive);
}

/** The content of a file is taken over by new versions again and again, while servers come and go. */
export function touched(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  run.calmly({ ...put(2), bytes: LARGE });
  for (const away of servers) {
    away.kill(run.rng.chance(0.5));
    run.calmly({ do: "touch", from: NAME, name: NAME });
    away.start();
    run.pass(1000);
    if (run.rng.chance(0.5)) run.calmly({ do: "repair" });
    run.pass(run.rng.pick([0, 90_000]));
    run.calmly({ do: "get", name: NAME });
  }
}
