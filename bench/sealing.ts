/**
 * `bun bench/sealing.ts`: what a password costs. Two clusters on this machine, one whose servers know a user; the same file is put and got
 * in turn, with a password and without. Then a command that does next to nothing, for what the login adds to it.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MIB } from "../src/limits.ts";
import { Stage } from "../test/harness/stage.ts";
import { newFolder } from "../test/harness/program.ts";
import { measure, noiseOf } from "./client.ts";
import { median } from "../src/terminal/units.ts";
import { openSealed } from "./sealed_stage.ts";

const FILE_BYTES = 1024 * MIB;
const RUNS = 5;
const QUICK_RUNS = 15;

interface Timed {
  readonly plain: number[];
  readonly sealed: number[];
}

/** Runs a command on both in turn, so that both meet the same machine. */
async function inTurn(
  runs: number,
  stages: { readonly plain: Stage; readonly sealed: Stage },
  args: readonly string[],
): Promise<Timed> {
  const timed: Timed = { plain: [], sealed: [] };
  for (let i = 0; i < runs; i++)
    for (const way of ["plain", "sealed"] as const) {
      await Bun.spawn(["sync"]).exited;
      timed[way].push((await measure(stages[way], args)).seconds);
    }
  return timed;
}

function tell(what: string, { plain, sealed }: Timed): void {
  const [without, with_] = [median(plain), median(sealed)];
  const more = 1000 * (with_ - without);
  console.log(
    `${what.padEnd(12)} without ${without.toFixed(3)} s   with a password ${with_.toFixed(3)} s   ratio ${(with_ / without).toFixed(2)}   ${more.toFixed(0)} ms more`,
  );
}

const folder = newFolder();
mkdirSync(folder, { recursive: true });
const file = join(folder, "big");
writeFileSync(file, noiseOf(FILE_BYTES));
const stages = { plain: await Stage.open(4, { users: null }), sealed: await openSealed() };
try {
  await inTurn(1, stages, ["list"]);
  tell("put 1 GiB", await inTurn(RUNS, stages, ["put", file]));
  tell("get 1 GiB", await inTurn(RUNS, stages, ["get", "big", "-o", join(folder, "back")]));
  tell("list", await inTurn(QUICK_RUNS, stages, ["list"]));
} finally {
  await Promise.all(Object.values(stages).map((stage) => stage.close()));
  rmSync(folder, { recursive: true, force: true });
}
