/** Plots in which the members of the cluster change; see plots.ts. */
import { addressOf, type SimServer } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import { configOf } from "./installed.ts";
import { Violation } from "./invariants.ts";
import type { Order } from "./orders.ts";
import {
  NAME,
  BYTES,
  EVERYWHERE,
  PATIENCE_MS,
  isDone,
  acceptedAt,
  promisesAt,
  risen,
  begin,
  put,
  acceptedByOne,
  readWithoutOne,
} from "./plotting.ts";

/** A server more, while one is away that has missed the newest version; then these two are asked. */
export function grown(run: Run): void {
  const servers = begin(run, EVERYWHERE);
  const [spare] = run.cluster.spares;
  if (!servers || !spare) return;
  const [away, ...others] = servers;
  spare.start();
  away.kill(false);
  if (!isDone(run.calmly({ ...put(2), ...EVERYWHERE }))) return;
  run.calmly({ do: "grow", by: addressOf(spare) });
  away.start();
  run.pass(1000);
  for (const server of others) server.kill(false);
  run.invariants.excused = others.length;
  run.cluster.known = run.cluster.servers;
  run.calmly({ do: "get", name: NAME });
}

/** A server more, and a rebalance that puts the file again, onto all four. */
export function rebalanced(run: Run): void {
  const [spare] = run.cluster.spares;
  if (!begin(run) || !spare) return;
  spare.start();
  run.pass(1000);
  run.calmly({ do: "grow", by: addressOf(spare) });
  run.calmly({ do: "rebalance" });
  run.calmly({ do: "get", name: NAME });
}

/** A version is deleted and forgotten before its writer, who has an attempt behind it, asks servers that came after that. */
export function forgotten(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  const [alone, ...others] = servers;
  const writer = acceptedByOne(run, put(2), alone, others);
  run.world.freeze(writer);
  readWithoutOne(run, others);
  run.cluster.net.healAll();
  if (!isDone(run.calmly({ do: "rm", name: NAME }))) return;
  run.calmly({ do: "repair" });
  run.calmly({ do: "repair" });
  run.invariants.excused = others.length;
  for (const [i, { name }] of others.entries()) {
    const spare = run.cluster.spares[i];
    spare?.start();
    run.pass(1000);
    if (spare) run.calmly({ do: "replace", old: name, by: addressOf(spare) });
  }
  run.cluster.net.cutLink(writer.name, alone.name);
  run.world.thaw(writer);
  run.awaits(20 * PATIENCE_MS, () => !writer.alive);
  run.calmly({ do: "get", name: NAME });
}

/**
 * A server that has missed the newest version comes back at another address, while a writer has its promises; then all but that one and
 * another die. Who knows that other one alone must find it.
 */
export function relocated(run: Run): void {
  const servers = begin(run, EVERYWHERE);
  if (!servers) return;
  const [away, other, third] = servers;
  away.kill(false);
  if (!isDone(run.calmly({ ...put(2), ...EVERYWHERE }))) return;
  const before = promisesAt(run, [other, third]);
  const writer = run.begin({ ...put(3), ...EVERYWHERE });
  if (!run.awaits(PATIENCE_MS, () => risen(before, promisesAt(run, [other, third])) === 2)) return;
  run.world.freeze(writer);
  away.port++;
  away.start();
  run.pass(1000);
  // Either somebody says so, or it is found by a dfc.conf that says so.
  if (run.rng.chance(0.5)) run.cluster.known = [other, third];
  const how: Order =
    run.cluster.known.length < 3 ? { do: "move", by: addressOf(away) } : { do: "list" };
  // A slow network may keep it from being found at once.
  for (let tries = 0; tries < 10 && portIn(other, away) !== away.port; tries++) run.calmly(how);
  run.world.thaw(writer);
  run.awaits(2 * PATIENCE_MS, () => !writer.alive);
  third.kill(false);
  run.invariants.excused = 1;
  run.cluster.known = [other];
  const { outcome } = run.calmly({ do: "get", name: NAME });
  if (outcome !== "done")
    throw new Violation(`who moved is not found: a get ended with ${outcome}`);
  run.cluster.known = run.cluster.first;
}

/** The port at which a server was told that another one is. */
const portIn = (server: SimServer, another: SimServer): number | undefined =>
  configOf(server)?.seats.find((seat) => seat?.name === another.name)?.port;

/** A repair stops just before it takes away a copy too many; then both homes of that piece are replaced, alive, by servers without it. */
export function lateDrop(run: Run): void {
  const { first, spares } = run.cluster;
  for (const server of first) server.start();
  run.pass(1000);
  run.calmly({ do: "list" });
  const [away] = first;
  away?.kill(false);
  if (!away || !isDone(run.calmly({ ...put(1), bytes: 90_000 }))) return;
  away.start();
  run.pass(1000);
  run.invariants.excused = 2;
  const repair = run.begin({ do: "repair" });
  if (!run.awaits(PATIENCE_MS, () => run.invariants.piecesAt(away) >= 2)) return;
  run.world.freeze(repair);
  const [stays] = first.filter((server) => run.invariants.piecesAt(server) > 2);
  for (const [i, { name }] of first.filter((server) => server !== stays).entries()) {
    const spare = spares[i];
    spare?.start();
    run.pass(1000);
    if (spare) run.calmly({ do: "replace", old: name, by: addressOf(spare), bare: true });
  }
  run.cluster.known = run.cluster.servers;
  run.world.thaw(repair);
  run.awaits(2 * PATIENCE_MS, () => !repair.alive);
}

/**
 * A conditional put is accepted by one server alone, which then falls silent; of the others one has promised it, and is replaced, alive.
 * Another put comes after that, and then the silent one is back.
 */
export function promised(run: Run): void {
  const { first, spares, net } = run.cluster;
  for (const server of first) server.start();
  run.pass(1000);
  run.calmly({ do: "list" });
  const [a, b, c] = first;
  const [spare] = spares;
  if (!a || !b || !c || !spare) throw new Error("bug: this plot takes three servers, and one more");
  const [alone, old, late] = run.rng.pick([
    [a, b, c],
    [b, c, a],
    [c, a, b],
  ]);
  const two = [alone, old];
  const before = promisesAt(run, two);
  const order = { do: "putIf", name: NAME, value: 1, bytes: BYTES, expected: 0 } as const;
  const writer = run.begin({ ...order, ...EVERYWHERE });
  net.cutLink(writer.name, late.name);
  if (!run.awaits(PATIENCE_MS, () => risen(before, promisesAt(run, two)) === 2)) return;
  // Both promises are on their way; the ACCEPT then finds one server.
  run.world.freeze(writer);
  run.pass(500);
  old.kill(false);
  run.world.thaw(writer);
  if (!run.awaits(PATIENCE_MS, () => acceptedAt(run, alone) !== null)) return;
  run.world.kill(writer);
  alone.kill(false);
  net.healAll();
  for (const server of [old, spare]) server.start();
  run.pass(1000);
  run.invariants.excused = 1;
  run.calmly({ do: "replace", old: old.name, by: addressOf(spare), bare: true });
  run.cluster.known = run.cluster.servers;
  if (!isDone(run.calmly({ ...put(2), ...EVERYWHERE }))) return;
  alone.start();
  run.pass(1000);
  for (const server of [late, spare]) {
    server.kill(false);
    run.calmly({ do: "get", name: NAME });
    server.start();
    run.pass(1000);
  }
}

/** Servers that can open no file for a moment: pieces with parity end up two on one server, and a repair meets the same. */
export function doubled(run: Run): void {
  const { first } = run.cluster;
  for (const server of first) server.start();
  run.pass(1000);
  run.calmly({ do: "list" });
  const strike = (): void => {
    for (const { disk } of first)
      if (run.rng.chance(0.5)) disk.failNextOpens = run.rng.between(1, 6);
  };
  for (let value = 1; value <= 3; value++) {
    strike();
    run.calmly({ ...put(value), bytes: 70_000, layout: "rs:2+1" });
    strike();
    run.calmly({ do: "repair" });
  }
}
