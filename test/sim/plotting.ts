/** What plots are made of: a cluster of three to begin with, and writers that are stopped at one step or another. */
import type { Ballot } from "../../src/version.ts";
import type { SimServer } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import type { Machine } from "./machine.ts";
import type { Order } from "./orders.ts";

export const NAME = "a";
export const BYTES = 50;
/** Any one of three servers is enough to read such a file. */
export const EVERYWHERE = { layout: "rs:1+2" };
export const PATIENCE_MS = 3000;

export const isDone = ({ outcome }: { outcome: string }): boolean => outcome === "done";

/** The version that a server has accepted last; null when none, or it is down. */
export const acceptedAt = (run: Run, server: SimServer): string | null =>
  run.invariants.rowOf(server, NAME)?.acc?.version.vid ?? null;

export const promisesAt = (run: Run, servers: readonly SimServer[]): Ballot[] =>
  servers.map((server) => run.invariants.rowOf(server, NAME)?.prom ?? 0n);

/** How many of them are higher now. */
export const risen = (before: readonly Ballot[], now: readonly Ballot[]): number =>
  now.filter((ballot, i) => ballot > (before[i] ?? 0n)).length;

/** The three servers, in an order that the seed draws, with a first version everywhere. */
export function begin(
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

export const put = (value: number) => ({ do: "put", name: NAME, value, bytes: BYTES }) as const;

/**
 * Begins a put that one server alone accepts, and returns its client. It stops with its promises on their way; a rival takes
 * away those of the other servers, and dies.
 */
export function acceptedByOne(
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
export function readWithoutOne(run: Run, servers: readonly SimServer[]): void {
  const reader = run.begin({ do: "get", name: NAME });
  run.cluster.net.cutLink(reader.name, run.rng.pick(servers).name);
  run.awaits(PATIENCE_MS, () => !reader.alive);
}
