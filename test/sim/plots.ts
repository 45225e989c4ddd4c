/**
 * Plots: the traps of CONSISTENCY.md section 9 that chance alone seldom comes to, each led up to on purpose. A plot says
 * what happens in which order; when exactly, and over what network, is the seed's. Where luck thwarts it, it just ends.
 */
import type { Ballot } from "../../src/version.ts";
import { addressOf, type SimServer } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import { elsewhere, jumped, named } from "./hostile_plots.ts";
import type { Machine } from "./machine.ts";
import type { Order } from "./operations.ts";

export const PLOTS = {
  stray,
  twice,
  sameSid,
  missed,
  lazyForget,
  zombieCommit,
  grown,
  forgotten,
  lateDrop,
  jumped,
  named,
  elsewhere,
} as const;
export type Plot = keyof typeof PLOTS;

const NAME = "a";
const BYTES = 50;
/** Any one of three servers is enough to read such a file. */
const EVERYWHERE = { layout: "rs:1+2" };
const PATIENCE_MS = 3000;

const isDone = ({ outcome }: { outcome: string }): boolean => outcome === "done";

/** The version that a server has accepted last; null when none, or it is down. */
const acceptedAt = (run: Run, server: SimServer): string | null =>
  run.invariants.rowOf(server, NAME)?.acc?.version.vid ?? null;

const promisesAt = (run: Run, servers: readonly SimServer[]): Ballot[] =>
  servers.map((server) => run.invariants.rowOf(server, NAME)?.prom ?? 0n);

/** How many of them are higher now. */
const risen = (before: readonly Ballot[], now: readonly Ballot[]): number =>
  now.filter((ballot, i) => ballot > (before[i] ?? 0n)).length;

/** The three servers, in an order that the seed draws, with a first version everywhere. */
function begin(
  run: Run,
  shape: { layout?: string } = {},
): [SimServer, SimServer, SimServer] | null {
  for (const server of run.cluster.first) server.start();
  run.pass(1000);
  if (!isDone(run.calmly({ ...put(1), ...shape }))) return null;
  run.pass(1000);
  const [a, b, c] = run.cluster.first;
  if (!a || !b || !c) throw new Error("bug: a plot takes three servers");
  return run.rng.pick([
    [a, b, c],
    [a, c, b],
    [b, a, c],
    [b, c, a],
    [c, a, b],
    [c, b, a],
  ]);
}

const put = (value: number) => ({ do: "put", name: NAME, value, bytes: BYTES }) as const;

/**
 * Begins a put that one server alone accepts, and returns its client. It stops with its promises on their way; a rival takes
 * away those of the other servers, and dies.
 */
function acceptedByOne(
  run: Run,
  order: Order & { readonly value: number },
  alone: SimServer,
  others: readonly SimServer[],
): Machine {
  const { first: servers, net } = run.cluster;
  let before = promisesAt(run, servers);
  const writer = run.begin(order);
  run.awaits(PATIENCE_MS, () => risen(before, promisesAt(run, servers)) === servers.length);
  run.world.freeze(writer);
  before = promisesAt(run, others);
  const rival = run.begin(put(order.value + 1));
  net.cutLink(rival.name, alone.name);
  run.awaits(PATIENCE_MS, () => risen(before, promisesAt(run, others)) === others.length);
  run.world.kill(rival);
  const accepted = acceptedAt(run, alone);
  run.world.thaw(writer);
  run.awaits(PATIENCE_MS, () => acceptedAt(run, alone) !== accepted);
  return writer;
}

/** A get that does not reach one of these servers. */
function readWithoutOne(run: Run, servers: readonly SimServer[]): void {
  const reader = run.begin({ do: "get", name: NAME });
  run.cluster.net.cutLink(reader.name, run.rng.pick(servers).name);
  run.awaits(PATIENCE_MS, () => !reader.alive);
}

/**
 * A conditional put builds on a version that only one server ever accepted, and is itself accepted by that one alone; then it
 * sees the other two, where its condition fails.
 */
function stray(run: Run): void {
  if (!begin(run)) return;
  const { net, first: servers } = run.cluster;
  const first = acceptedAt(run, servers[0] as SimServer);
  const holders = (): SimServer[] => servers.filter((server) => acceptedAt(run, server) !== first);
  // It dies as soon as one server has accepted its version.
  const dying = run.begin(put(2));
  run.awaits(PATIENCE_MS, () => holders().length > 0);
  run.world.kill(dying);
  run.pass(500);
  const [alone, ...more] = holders();
  if (!alone || more.length > 0) return;
  const others = servers.filter((server) => server !== alone);
  const order = { do: "putIf", name: NAME, value: 3, bytes: BYTES, expected: 2 } as const;
  const writer = acceptedByOne(run, order, alone, others);
  net.cutLink(writer.name, alone.name);
  run.awaits(2 * PATIENCE_MS, () => !writer.alive);
  net.healAll();
  readWithoutOne(run, others);
}

/** A writer is accepted by one server alone; a reader finishes its version, and others write on top of it before it tries again. */
function twice(run: Run): void {
  const order = begin(run);
  if (!order) return;
  const [alone, ...others] = order;
  const writer = acceptedByOne(run, put(2), alone, others);
  run.world.freeze(writer);
  readWithoutOne(run, others);
  run.cluster.net.healAll();
  const more = run.rng.between(1, 3);
  for (let value = 4; value < 4 + more; value++) run.calmly(put(value));
  run.world.thaw(writer);
  run.awaits(2 * PATIENCE_MS, () => !writer.alive);
}

/** A version lies on two servers; one of them loses its disk, and the third has never seen it. */
function sameSid(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  const [away, wiped, holder] = servers;
  if (!run.faults.maySpoil(wiped)) return;
  away.kill(false);
  if (!isDone(run.calmly(put(2)))) return;
  wiped.wipe();
  run.invariants.excused = 1;
  wiped.start();
  away.start();
  if (holder.machine) run.world.freeze(holder.machine);
  run.pass(1000);
  run.calmly(put(3));
}

/** A server misses a deletion and the repair after it, and is asked when it is back. */
function missed(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  const [away] = servers;
  away.kill(false);
  if (!isDone(run.calmly({ do: "rm", name: NAME }))) return;
  run.calmly({ do: "repair" });
  away.start();
  run.pass(1000);
  run.calmly({ do: "get", name: NAME });
}

/** A server that missed a deletion learns of it by repair, and loses power when others have forgotten it already. */
function lazyForget(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  const [away, ...others] = servers;
  away.kill(false);
  if (!isDone(run.calmly({ do: "rm", name: NAME }))) return;
  away.start();
  run.pass(1000);
  run.begin({ do: "repair" });
  const hasForgotten = (server: SimServer): boolean => !run.invariants.rowOf(server, NAME);
  run.awaits(2 * PATIENCE_MS, () => others.some(hasForgotten));
  if (!hasForgotten(away)) away.kill(true);
  run.pass(500);
  away.start();
  run.pass(1000);
  run.calmly({ do: "get", name: NAME });
}

/** A writer stops just before its COMMIT; its version is read, deleted and forgotten before it goes on. */
function zombieCommit(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  const first = acceptedAt(run, servers[0]);
  const writer = run.begin(put(2));
  const isChosen = (): boolean =>
    servers.filter((server) => acceptedAt(run, server) !== first).length >= 2;
  if (!run.awaits(PATIENCE_MS, isChosen)) return;
  run.world.freeze(writer);
  run.calmly({ do: "get", name: NAME });
  run.calmly({ do: "rm", name: NAME });
  run.calmly({ do: "repair" });
  run.calmly({ do: "get", name: NAME });
  run.world.thaw(writer);
  run.awaits(PATIENCE_MS, () => !writer.alive);
  run.calmly({ do: "get", name: NAME });
}

/** A server more, while one is away that has missed the newest version; then these two are asked. */
function grown(run: Run): void {
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

/** A version is deleted and forgotten before its writer, who has an attempt behind it, asks servers that came after that. */
function forgotten(run: Run): void {
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

/** A repair stops just before it takes away a copy too many; then both homes of that piece are replaced, alive, by servers without it. */
function lateDrop(run: Run): void {
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
