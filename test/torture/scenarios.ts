/** All scenarios, in the order in which they are played. */
import { clientKill } from "./client_kill.ts";
import { cut } from "./cut.ts";
import { fewInodes } from "./few_inodes.ts";
import { fullDisk } from "./full_disk.ts";
import { grow } from "./grow.ts";
import { handoff } from "./handoff.ts";
import { ifAbsent } from "./if_absent.ts";
import { links } from "./links.ts";
import { rot } from "./rot.ts";
import { rotCatalog } from "./rot_catalog.ts";
import { rounds } from "./rounds.ts";
import { smallPuts } from "./small_puts.ts";
import { tight } from "./tight.ts";
import { writers } from "./writers.ts";
import type { Scenario } from "./stage.ts";

export const SCENARIOS: readonly Scenario[] = [
  handoff,
  rounds,
  clientKill,
  writers,
  ifAbsent,
  smallPuts,
  fullDisk,
  fewInodes,
  rot,
  rotCatalog,
  cut,
  grow,
  links,
  tight,
];

export function scenarioNamed(name: string): Scenario {
  const scenario = SCENARIOS.find((one) => one.name === name);
  if (scenario) return scenario;
  throw new Error(
    `there is no scenario ${name}; there are ${SCENARIOS.map((one) => one.name).join(", ")}`,
  );
}
