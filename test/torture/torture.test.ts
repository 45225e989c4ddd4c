/** The torture program with small numbers; `bun test/torture/run.ts` plays the same scenarios at full length. */
import { expect, test } from "bun:test";
import { scenarioNamed, SCENARIOS } from "./scenarios.ts";
import { play } from "./stage.ts";

const MOST_MS = 120_000;
const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);

test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))(
  "%s",
  async (_, scenario) => {
    const { ok, line, evidence } = await play(scenario, seed, true);
    expect(ok ? "" : [line, ...evidence].join("\n")).toBe("");
  },
  MOST_MS,
);

test(
  "writers, with a password",
  async () => {
    const { ok, line, evidence } = await play(scenarioNamed("writers"), seed, true, true);
    expect(ok ? "" : [line, ...evidence].join("\n")).toBe("");
  },
  MOST_MS,
);
