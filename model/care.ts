/** What repair does in the register's model (docs/consistency.md section 4): strays, copies, orphans behind a fence, tombstones. */
import type { Answer, Request } from "./register.ts";
import type { Proposed, Rounds, Step } from "./rounds.ts";
import type { Operation } from "./simulator.ts";

/** Brings registers in line, and pieces to their homes. */
export function* repair(of: Rounds): Operation<Request, Answer> {
  const told = [...(yield of.ask({ is: "read" })).values()];
  const top = Math.max(0, ...told.map(({ prom, floor }) => Math.max(prom, floor)));
  const value = Math.max(0, ...told.map(({ acc }) => acc?.ballot ?? 0));
  const isStray = told.some(({ acc, com, floor }) =>
    acc ? acc.ballot !== com?.ballot : value > 0 && floor >= value,
  );
  const settled: Proposed = yield* of.settle(isStray ? top : undefined);
  const { current } = settled;
  if (settled.is !== "ok" || !current) return settled;
  yield of.ask({ is: "commit", ...current, sync: false });
  const { version } = current;
  if (version.deleted || version.small) return { is: "ok" };
  for (const piece of of.all) if (!(yield* bringHome(of, version.vid, piece))) break;
  return { is: "ok" };
}

function* bringHome(of: Rounds, vid: number, piece: number): Step<boolean> {
  const found = yield of.ask({ is: "fetch", vid, piece });
  const holders = [...found].flatMap(([server, { ok, held }]) =>
    ok && held.includes(piece) ? [server] : [],
  );
  if (holders.length === 0) return false;
  const homes = of.world.homesOf(piece);
  const missing = homes.filter((server) => !holders.includes(server));
  const taken = yield of.ask({ is: "upload", vid, pieces: [piece] }, undefined, missing);
  const away = holders.filter((server) => !homes.includes(server));
  if (taken.size < missing.length || away.length === 0) return true;
  // Only once it was read back at each home may another copy go.
  const back = yield of.ask({ is: "fetch", vid, piece }, undefined, homes);
  if (homes.some((server) => !back.get(server)?.held.includes(piece))) return true;
  yield of.ask({ is: "drop", vid, piece }, undefined, away);
  return true;
}

/** Collects versions that never became current. */
export function* collect(of: Rounds): Operation<Request, Answer> {
  const { broken, read } = of.world;
  const told = [...(yield of.ask({ is: "read" })).values()];
  const orphans = new Set(told.flatMap((one) => one.orphans));
  if (orphans.size === 0) return { is: "ok" };
  const top = Math.max(0, ...told.map(({ prom, floor }) => Math.max(prom, floor)));
  let fence: { ballot: number; vid: number | null } = { ballot: 0, vid: null };
  if (broken === "fence by promise only") {
    const ballots = of.ballots();
    ballots.next();
    const ballot = ballots.next(top).value;
    const selected = of.select(yield* of.prepare(ballot, 0, read, false));
    if (selected.granted < read) return { is: "ok" };
    fence = { ballot, vid: selected.current?.version.vid ?? null };
  } else if (broken !== "orphans by age") {
    const { current } = yield* of.settle(top);
    if (!current) return { is: "ok" };
    fence = { ballot: current.ballot, vid: current.version.vid };
  }
  for (const vid of orphans)
    if (vid !== fence.vid) yield of.ask({ is: "collect", vid, ballot: fence.ballot });
  return { is: "ok" };
}

/** Forgets a tombstone that all servers hold. */
export function* forget(of: Rounds): Operation<Request, Answer> {
  const { broken, accept, count } = of.world;
  const now = of.decide(yield of.ask({ is: "read" }));
  const current = now.is === "current" ? now.current : null;
  if (!current?.version.deleted) return { is: "ok" };
  const { ballot } = current;
  const acknowledged = yield of.ask({ is: "commit", ...current, sync: true });
  if (acknowledged.size < (broken === "forgotten by W" ? accept : count)) return { is: "ok" };
  if (broken !== "forgotten by W") {
    const told = yield of.ask({ is: "read" });
    const isThere = [...told.values()].every(({ acc, com, floor }) =>
      acc || com
        ? acc?.ballot === ballot && com?.ballot === ballot
        : floor >= ballot || broken === "no floor",
    );
    if (told.size < count || !isThere) return { is: "ok" };
  }
  yield of.ask({ is: "forget", ballot });
  return { is: "ok" };
}
