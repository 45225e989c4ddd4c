/** Every rule of the protocol, once broken, must be caught by the simulator; what breaks no rule must not be. */
import { expect, test } from "bun:test";
import { run } from "./many.ts";
import { MUTANTS } from "./mutants.ts";

const MINUTES = 60_000;
const CONTROL_HISTORIES = 200;

for (const { name, rule, within } of MUTANTS) {
  test.concurrent(
    `${name}: ${rule}`,
    async () => {
      const said = await run(
        "--mutant",
        name,
        "--stop",
        "--seeds",
        `1..${within || CONTROL_HISTORIES}`,
      );
      if (within === 0) expect(said).toBeNull();
      else expect(said).toContain("SEED=");
    },
    20 * MINUTES,
  );
}
