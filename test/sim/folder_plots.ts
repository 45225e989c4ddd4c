/** Plots in which a folder is not what its server left; see plots.ts. */
import { addressOf, type SimServer } from "./cluster.ts";
import type { Run } from "./history_run.ts";
import { configOf } from "./installed.ts";
import { begin, EVERYWHERE, isDone, NAME, PATIENCE_MS, put } from "./plotting.ts";

/** The content of a server's folder, as it is while that is stopped in order for a moment. */
function backedUp(run: Run, server: SimServer): boolean {
  server.stop();
  if (!run.awaits(3000, () => !server.isUp)) return false;
  server.backUp();
  server.start();
  run.pass(1000);
  return true;
}

/** A server is put back to before a write that it took part in, while another missed that; then all are there. */
export function restored(run: Run): void {
  restoredThenBorn(run, 1);
}

/** The same, and then it restarts until it has had more lives than anybody knows of it. */
export function restless(run: Run): void {
  restoredThenBorn(run, 4);
}

/** A write that one server missed, and that one took part in whose folder was backed up before; null where it did not come to that. */
function writtenByAllButOne(run: Run): [away: SimServer, back: SimServer] | null {
  const servers = begin(run, EVERYWHERE);
  if (!servers) return null;
  const [, away, back] = servers;
  if (!run.faults.maySpoil(back) || !backedUp(run, back)) return null;
  away.kill(false);
  return isDone(run.calmly({ ...put(2), ...EVERYWHERE })) ? [away, back] : null;
}

function restoredThenBorn(run: Run, starts: number): void {
  const servers = writtenByAllButOne(run);
  if (!servers) return;
  const [away, back] = servers;
  back.kill(run.rng.chance(0.5));
  const [backup] = back.backups;
  if (backup) back.putBack(backup);
  for (let i = 0; i < starts; i++) {
    back.kill(false);
    back.start();
    run.pass(1000);
  }
  away.start();
  run.pass(1000);
  for (let i = 0; i < 4; i++) run.calmly({ do: "get", name: NAME });
  run.calmly({ do: "putIf", name: NAME, value: 3, bytes: 50, expected: 1 });
  run.calmly({ do: "get", name: NAME });
}

/** The log of a server that took part in a write is removed after a crash, while another missed that write. */
export function beheaded(run: Run): void {
  const servers = writtenByAllButOne(run);
  if (!servers) return;
  const [away, back] = servers;
  back.kill(false);
  back.disk.loseLog(back.catalog);
  back.disks++;
  run.invariants.excused = 1;
  for (const server of [back, away]) server.start();
  run.pass(1000);
  for (let i = 0; i < 4; i++) run.calmly({ do: "get", name: NAME });
}

/** A folder is copied while its server is stopped; then both run, and clients have one or the other in their configuration. */
export function forked(run: Run): void {
  const servers = begin(run, EVERYWHERE);
  const [copy] = run.cluster.spares;
  if (!servers || !copy) return;
  const [one, two, original] = servers;
  if (!run.faults.maySpoil(original)) return;
  original.stop();
  if (!run.awaits(3000, () => !original.isUp)) return;
  // Either of them may turn out to be the one that counts no more.
  original.isPutBack = true;
  copy.disk.restore(original.disk.backup(), { from: original.folder, to: copy.folder });
  for (const server of [original, copy]) server.start();
  run.pass(1000);
  const known = { original: run.cluster.known, copy: [one, two, copy] };
  for (const [value, side] of [[2, "original"] as const, [3, "copy"] as const]) {
    two.kill(false);
    run.cluster.known = known[side];
    run.calmly({ ...put(value), ...EVERYWHERE });
    two.start();
    run.pass(1000);
    one.kill(false);
    run.cluster.known = known[side === "copy" ? "original" : "copy"];
    run.calmly({ do: "get", name: NAME });
    run.calmly({ ...put(value + 10), ...EVERYWHERE });
    one.start();
    run.pass(1000);
  }
  run.forgo(copy);
}

/** All servers are carried elsewhere while one more is about to join, and some have not been told of that. */
export function carriedAway(run: Run): void {
  const servers = begin(run);
  const [spare] = run.cluster.spares;
  if (!servers || !spare) return;
  spare.start();
  run.pass(1000);
  const grows = run.begin({ do: "grow", by: addressOf(spare) });
  const [one, two, untold] = servers;
  const hasAccepted = (server: SimServer): boolean => Boolean(run.invariants.configAt(server)?.acc);
  if (!run.awaits(PATIENCE_MS, () => servers.every(hasAccepted))) return;
  for (const { name } of [untold, spare]) run.cluster.net.cutLink(grows.name, name);
  const isTold = (server: SimServer): boolean => (configOf(server)?.epoch ?? 0) > 1;
  run.awaits(PATIENCE_MS, () => isTold(one) && isTold(two));
  run.world.kill(grows);
  run.cluster.net.healAll();
  run.cluster.known = run.cluster.servers.slice(0, servers.length + 1);
  const all = [...servers, spare];
  for (const server of all) server.stop();
  if (!run.awaits(PATIENCE_MS, () => all.every((server) => !server.isUp))) return;
  for (const server of all) {
    server.move();
    server.start();
  }
  run.pass(1000);
  run.calmly({ do: "get", name: NAME });
}
