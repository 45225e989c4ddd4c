/** All scenarios, in the order in which they are played. */
import { handoff } from "./handoff.ts";
import type { Scenario } from "./stage.ts";
import { writers } from "./writers.ts";

export const SCENARIOS: readonly Scenario[] = [handoff, writers];

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario) return scenario;
  throw new Error(
    `there is no scenario ${name}; there are ${SCENARIOS.map((one) => one.name).join(", ")}`,
  );
}
