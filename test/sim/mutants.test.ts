/** Every rule of the protocol, once broken, must be caught by the simulator; what breaks no rule must not be. Not run where one SEED is replayed. */
import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { run } from "./many.ts";
import { MUTANTS } from "./mutants.ts";

const MINUTES = 60_000;
const CONTROL_HISTORIES = 200;

/** So many at once; the others wait. */
const lanes: Promise<unknown>[] = Array.from({ length: availableParallelism() }, () =>
  Promise.resolve(),
);

/** Runs `work` when a lane is free. */
function inLane<T>(work: () => Promise<T>): Promise<T> {
  const lane = lanes.shift() ?? Promise.resolve();
  const done = lane.then(work);
  lanes.push(done.catch(() => {}));
  return done;
}

for (const { name, rule, within, plot } of MUTANTS)
  (process.env.SEED === undefined ? test.concurrent : test.skip)(
    `${name}: ${rule}`,
    async () => {
      const seeds = `1..${within || CONTROL_HISTORIES}`;
      const of = plot ? ["--plot", plot] : [];
      // How a history is made as short as it can be is seen once; it takes much longer than to find it.
      const isShown = name === MUTANTS[0]?.name;
      const how = [...of, ...(isShown ? [] : ["--brief"])];
      const said = await inLane(() => run("--mutant", name, "--stop", "--seeds", seeds, ...how));
      if (within === 0) expect(said).toBeNull();
      else expect(said).toContain("SEED=");
      if (isShown) expect(said).toContain("the shortest history that is still wrong");
    },
    20 * MINUTES,
  );
