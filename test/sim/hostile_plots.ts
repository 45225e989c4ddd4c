/** Plots of those who mean harm: whatever number they name, nobody is refused for good, and no other user is concerned. */
import type { Ballot } from "../../src/version.ts";
import type { SimServer } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import { Hostile } from "./hostile.ts";
import { floorFor, floorsIn } from "./installed.ts";
import { Violation } from "./invariants.ts";
import type { Order } from "./orders.ts";
import { CALM as FAIR } from "./weather.ts";

const NAME = "a";
/** More than a client climbs where one server alone says so. */
const STEPS = 40;

function expectDone(run: Run, order: Order, ...ends: string[]): void {
  const { outcome } = run.calmly(order);
  if (outcome === "done" || ends.includes(outcome)) return;
  throw new Violation(`${JSON.stringify(order)} ended with ${outcome}, where nothing is amiss`);
}

/** Whatever anybody did before, whoever puts something now can. */
export function expectWritten(run: Run, name: string): void {
  const value = 1000 + run.recorder.operations.length;
  expectDone(run, { do: "put", name, value, bytes: 50 });
}

/** The servers, with a version everywhere. Nobody who is refused shall have the weather to blame. */
function begin(run: Run): readonly SimServer[] {
  run.cluster.net.weather = FAIR;
  for (const server of run.cluster.first) server.start();
  run.pass(1000);
  expectWritten(run, NAME);
  run.pass(1000);
  return run.cluster.first;
}

/** Somebody takes the highest numbers there are while a server is away, which is needed when another one is. */
export function jumped(run: Run): void {
  const servers = begin(run);
  const away = run.rng.pick(servers);
  const next = run.rng.pick(servers.filter((server) => server !== away));
  run.hostile = Hostile.of(run.rng.u32(), null);
  away.kill(false);
  expectDone(run, { do: "jump", name: NAME, steps: STEPS });
  if (run.rng.chance(0.5)) expectWritten(run, NAME);
  away.start();
  run.pass(1000);
  next.kill(false);
  expectWritten(run, NAME);
  expectDone(run, { do: "rm", name: NAME }, "noSuchName");
  expectDone(run, { do: "repair" }, "tooFew");
  expectWritten(run, NAME);
}

/** Of two servers, both of which it takes, one was led far ahead of the other: whoever writes brings the other one up. */
export function outrun(run: Run): void {
  const servers = begin(run);
  const behind = run.rng.pick(servers);
  run.hostile = Hostile.of(run.rng.u32(), null);
  behind.kill(false);
  expectDone(run, { do: "jump", name: NAME, steps: STEPS });
  behind.start();
  run.pass(1000);
  expectWritten(run, NAME);
  expectDone(run, { do: "rm", name: NAME });
  expectWritten(run, NAME);
}

/** One of three servers names numbers that nobody can come to; the two others are enough. */
export function named(run: Run): void {
  const servers = begin(run);
  run.hostile = Hostile.of(run.rng.u32(), run.rng.pick(servers).name);
  for (const name of [NAME, "b/c", NAME]) {
    expectWritten(run, name);
    expectDone(run, { do: "rm", name }, "noSuchName");
    expectDone(run, { do: "repair" });
    expectWritten(run, name);
  }
}

/** Another user's numbers, forgotten, are no concern of this one. */
export function elsewhere(run: Run): void {
  const servers = begin(run);
  run.hostile = Hostile.of(run.rng.u32(), null);
  const floors = (): Ballot[] =>
    servers.map((server) => {
      const database = server.disk.openDatabase(server.catalog);
      return database ? floorFor(floorsIn(database), `u:/${NAME}`) : 0n;
    });
  const before = floors();
  expectDone(run, { do: "jump", name: NAME, steps: STEPS, user: "mallory" });
  run.pass(1000);
  if (floors().some((floor, i) => floor !== before[i]))
    throw new Violation("a name that one user had forgotten raised the floor of another");
  expectWritten(run, NAME);
}
