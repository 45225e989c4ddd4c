/**
 * What clients do in the register's model (docs/consistency.md section 3): propose, put and get, with the exact-once rules, brief reads
 * and attempts that are found dead. What repair does is in care.ts.
 */
import type { Accepted, Answer, Request, Version } from "./register.ts";
import { type Rounds, seenOf, type Step, type Write } from "./rounds.ts";
import type { Operation, Result } from "./simulator.ts";

/** An ACCEPT that an operation has sent. */
interface Attempt {
  readonly ballot: number;
  readonly parentSeq: number;
}

/** propose: one write, from its first promise to its end. */
function* propose(of: Rounds, write: Write): Step<Result> {
  const { broken, accept } = of.world;
  const { vid, expected } = write;
  const isLarge = !write.deleted && !write.small;
  let attempts: Attempt[] = [];
  const giveUp = (): Result => ({ is: attempts.length > 0 ? "unknown" : "failed" });
  const ballots = of.ballots();
  let ballot = ballots.next().value;
  for (let tries = 0; tries < 6; tries++) {
    if (attempts.length > 0 && of.chance.is(of.watch)) {
      const now = of.decide(yield of.ask({ is: "read" }));
      const current = now.is === "current" ? now.current : null;
      if (current && isIn(current.version, vid)) return { is: "ok" };
      if (current && areDead(of, attempts, current)) attempts = [];
    }
    const told = yield* of.prepare(ballot, vid, accept, isLarge);
    const { current, isCommitted, floor, heard, granted } = of.select(told);
    const tried = ballot;
    ballot = ballots.next(Math.max(heard, floor)).value;
    if (granted < accept) {
      if (told.size < accept) return giveUp();
      continue;
    }
    const now = current?.version ?? null;
    if (now === null && floor >= tried) continue;
    const isTried = attempts.length > 0;
    let next: Version | null = null;
    let result: Result = { is: "ok", value: vid };
    if (
      now &&
      broken !== "no look whether applied" &&
      (now.vid === vid || (isTried && isIn(now, vid)))
    )
      next = now;
    else if (
      isTried &&
      broken !== "no look whether applied" &&
      !isNoAncestor(of, attempts, now, floor)
    )
      return { is: "unknown" };
    else if (expected !== undefined && seenOf(now) !== expected) {
      result = { is: "refused", value: seenOf(now) };
      const isSettled = now === null || isCommitted;
      if (isSettled && (!isTried || broken === "own attempt not dominated")) return result;
      next = now ?? of.fence(floor);
    } else {
      if (isLarge && broken !== "accept uncovered" && !of.isCovered(told)) {
        if (yield* of.upload(vid)) continue;
        return giveUp();
      }
      if (write.deleted && !isTried && seenOf(now) === 0 && (now === null || isCommitted))
        return { is: "ok" };
    }
    next ??= of.childOf(now, floor, write);
    if (next.vid === vid) attempts.push({ ballot: tried, parentSeq: next.seq - 1 });
    const outcome = yield* of.accept({ ballot: tried, version: next });
    if (outcome === "chosen") return result;
    if (outcome === "tooFew") return giveUp();
  }
  return giveUp();
}

/** Is it certain that none of these attempts was ever chosen, and then overwritten beyond what the history tells? */
function isNoAncestor(
  of: Rounds,
  attempts: readonly Attempt[],
  current: Version | null,
  floor: number,
): boolean {
  const first = Math.min(...attempts.map((one) => one.ballot));
  const parentSeq = Math.min(...attempts.map((one) => one.parentSeq));
  const { broken } = of.world;
  if ((current ? current.birthFloor : floor) >= first && broken !== "floor not looked at")
    return false;
  if (broken === "truncated history trusted") return true;
  return current === null || current.seq - current.history.length <= parentSeq + 1;
}

function areDead(of: Rounds, attempts: readonly Attempt[], chosen: Accepted): boolean {
  if (of.world.broken === "attempts forgotten unproved") return true;
  return (
    attempts.every(({ ballot }) => ballot < chosen.ballot) &&
    isNoAncestor(of, attempts, chosen.version, 0)
  );
}

/** Pieces first, then the register. */
export function* put(of: Rounds, write: Write): Operation<Request, Answer> {
  if (!write.small && !write.deleted && !(yield* of.upload(write.vid))) return { is: "failed" };
  if (of.world.broken !== "read, check, write" || write.expected === undefined)
    return yield* propose(of, write);
  const now = of.decide(yield of.ask({ is: "read" }));
  if (now.is !== "current") return { is: "failed" };
  const value = seenOf(now.current?.version ?? null);
  if (value !== write.expected) return { is: "refused", value };
  const { expected: _, ...rest } = write;
  return yield* propose(of, rest);
}

export function* get(of: Rounds): Operation<Request, Answer> {
  const least = of.world.broken === "one server read" ? 1 : of.world.read;
  for (let tries = 0; tries < 5; tries++) {
    // A brief read asks R servers only: where those are in doubt, all are asked.
    const asked = of.chance.is(0.3) && tries === 0 ? few(of) : of.all;
    const told = yield of.ask({ is: "read" }, (so) => so.size >= least && of.chance.is(0.4), asked);
    const now = of.decide(told);
    if (now.is !== "current" && asked !== of.all) continue;
    if (now.is === "tooFew") return { is: "unavailable" };
    let current: Accepted | null = null;
    if (now.is === "current") current = now.current;
    else {
      if (tries < 1) continue;
      const settled = yield* of.settle();
      if (settled.is !== "ok") return { is: "unavailable" };
      current = settled.current ?? null;
    }
    const version = current?.version ?? null;
    const value = seenOf(version);
    if (version === null || value === 0 || version.small || (yield* fetchAll(of, version.vid)))
      return { is: "ok", value };
  }
  return { is: "unavailable" };
}

function few(of: Rounds): number[] {
  const start = of.chance.below(of.world.count);
  return Array.from({ length: of.world.read }, (_, i) => (start + 2 * i) % of.world.count).filter(
    (one, i, all) => all.indexOf(one) === i,
  );
}

function* fetchAll(of: Rounds, vid: number): Step<boolean> {
  for (const piece of of.all) {
    const told = yield of.ask({ is: "fetch", vid, piece }, (so) =>
      [...so.values()].some(({ ok }) => ok),
    );
    if (![...told.values()].some(({ ok }) => ok)) return false;
  }
  return true;
}

const isIn = (version: Version, vid: number): boolean =>
  version.vid === vid || version.history.includes(vid);
