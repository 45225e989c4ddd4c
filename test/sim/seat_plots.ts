/** Plots about seats: how a cluster is founded while servers are missing, and who takes which seat after that; see plots.ts. */
import { addressOf, type SimServer } from "./cluster.ts";
import type { Run } from "./history_run.ts";

const NAME = "a";
const PATIENCE_MS = 3000;

/** A file that any one of its servers is enough to read. */
const put = (value: number) =>
  ({ do: "put", name: NAME, value, bytes: 50, layout: "rs:1+2" }) as const;

/** The servers, from one on that the seed draws. */
function inTurn(run: Run): SimServer[] {
  const { first } = run.cluster;
  const from = run.rng.int(first.length);
  return [...first.slice(from), ...first.slice(0, from)];
}

/** Founds a cluster that all but the last of these servers are there for, and puts a first version. */
function foundWithout(run: Run, servers: readonly SimServer[]): boolean {
  for (const server of servers.slice(0, -1)) server.start();
  run.pass(1000);
  const { outcome } = run.calmly(put(1));
  run.pass(1000);
  return outcome === "done";
}

/** Two first clients at once, of whom each meets one half of the servers. */
export function halves(run: Run): void {
  const servers = inTurn(run);
  for (const server of servers) server.start();
  run.pass(1000);
  const half = servers.length / 2;
  const clients = [servers.slice(0, half), servers.slice(half)].map((away, i) => {
    const client = run.begin(put(i + 1));
    for (const { name } of away) run.cluster.net.cutLink(client.name, name);
    return client;
  });
  run.awaits(2 * PATIENCE_MS, () => clients.every(({ alive }) => !alive));
  run.cluster.net.healAll();
  run.calmly({ do: "get", name: NAME });
}

/** A first client stops when it may propose who makes the cluster, and goes on when another one has long founded it. */
export function lateFounder(run: Run): void {
  const servers = inTurn(run);
  for (const server of servers) server.start();
  run.pass(1000);
  const late = run.begin(put(1));
  const hasPromised = (server: SimServer): boolean => run.invariants.configAt(server) !== undefined;
  run.awaits(PATIENCE_MS, () => servers.every(hasPromised));
  run.world.freeze(late);
  run.calmly(put(2));
  run.world.thaw(late);
  run.awaits(2 * PATIENCE_MS, () => !late.alive);
}

/** Three of four found it; one of them misses a version, and then the fourth comes. These two are asked. */
export function joined(run: Run): void {
  const servers = inTurn(run);
  const [away, ...others] = servers;
  const late = others.pop();
  if (!away || !late || !foundWithout(run, servers)) return;
  away.kill(false);
  if (run.calmly(put(2)).outcome !== "done") return;
  late.start();
  run.pass(1000);
  run.calmly({ do: "list" });
  away.start();
  run.pass(1000);
  for (const server of others) server.kill(false);
  run.invariants.excused = others.length;
  run.calmly({ do: "get", name: NAME });
}

/** Three of four found it, and one of them comes back empty before the fourth is there. */
export function emptied(run: Run): void {
  const servers = inTurn(run);
  const [lost, late] = [servers[0], servers.at(-1)];
  if (!lost || !late || !foundWithout(run, servers)) return;
  run.faults.spoilt = lost;
  run.invariants.excused = 1;
  lost.wipe();
  lost.start();
  run.pass(1000);
  run.calmly({ do: "list" });
  late.start();
  run.pass(1000);
  run.calmly({ do: "list" });
  run.calmly({ do: "replace", old: lost.name, by: addressOf(lost) });
}
