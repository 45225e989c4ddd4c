/**
 * Plots: the traps of docs/consistency.md section 9 that chance alone seldom comes to, each led up to on purpose. A plot says
 * what happens in which order; when exactly, and over what network, is the seed's. Where luck thwarts it, it just ends.
 */
import type { SimServer } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import { beheaded, carriedAway, forked, restless, restored } from "./folder_plots.ts";
import {
  doubled,
  forgotten,
  grown,
  lateDrop,
  promised,
  rebalanced,
  relocated,
} from "./member_plots.ts";
import {
  NAME,
  BYTES,
  PATIENCE_MS,
  isDone,
  acceptedAt,
  begin,
  put,
  acceptedByOne,
  readWithoutOne,
} from "./plotting.ts";
import { linked, overtaken, rewritten, touched } from "./link_plots.ts";
import { emptied, halves, joined, lateFounder } from "./seat_plots.ts";
import { elsewhere, jumped, named, outrun } from "./hostile_plots.ts";

export const PLOTS = {
  stray,
  twice,
  sameSid,
  missed,
  firstDeleted,
  lazyForget,
  zombieCommit,
  collected,
  grown,
  doubled,
  forgotten,
  lateDrop,
  promised,
  rebalanced,
  relocated,
  restored,
  restless,
  beheaded,
  forked,
  carriedAway,
  halves,
  lateFounder,
  joined,
  emptied,
  jumped,
  outrun,
  named,
  elsewhere,
  linked,
  overtaken,
  touched,
  rewritten,
} as const;
export type Plot = keyof typeof PLOTS;

/** With how many servers each is played; three where nothing is said. */
const SIZES: Partial<Record<Plot, number>> = {
  halves: 4,
  joined: 4,
  emptied: 4,
  outrun: 2,
  doubled: 4,
};
export const sizeOf = (plot: Plot): number => SIZES[plot] ?? 3;

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

/** The first name of a folder is deleted, and another one stays. */
function firstDeleted(run: Run): void {
  if (!begin(run)) return;
  for (const [i, name] of ["b/a", "b/c"].entries()) run.calmly({ ...put(2 + i), name });
  run.calmly({ do: "rm", name: "b/a" });
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

/** A writer stops when all its pieces lie where they should; a repair throws them away, and it goes on before the trash is emptied, or after. */
function collected(run: Run): void {
  const servers = begin(run);
  if (!servers) return;
  const before = servers.map((server) => run.invariants.piecesAt(server));
  const writer = run.begin({ ...put(2), bytes: 90_000 });
  const hasSent = (): boolean =>
    servers.every((server, i) => run.invariants.piecesAt(server) >= (before[i] ?? 0) + 2);
  if (!run.awaits(PATIENCE_MS, hasSent)) {
    run.world.kill(writer);
    return;
  }
  run.world.freeze(writer);
  run.calmly({ do: "repair" });
  // The trash keeps what it has for a minute.
  run.pass(run.rng.pick([0, 1000, 30_000, 59_000, 61_000, 90_000]));
  run.world.thaw(writer);
  if (!run.awaits(10 * PATIENCE_MS, () => !writer.alive)) run.world.kill(writer);
  run.pass(run.rng.pick([0, 90_000]));
  run.calmly({ do: "get", name: NAME });
}
