/**
 * propose in the model of content by reference (docs/consistency.md sections 3 and 15): one write, from its first promise to its end. Used by
 * files.ts and versions.ts.
 */
import type { Result } from "../simulator.ts";
import { type Accepted, type Answer, isList, type Link, type Version } from "./records.ts";
import { type Asked, type Birth, type Rounds, seenOf, type Step, type Write } from "./rounds.ts";

/** An ACCEPT that an operation has sent. */
interface Attempt {
  readonly ballot: number;
  readonly parentSeq: number;
}

const grantedOf = (told: Asked): Answer[] => [...told.values()].filter(({ ok }) => ok);

export function* propose(of: Rounds, write: Write): Step<Result> {
  const { world } = of;
  const { accept, count, lists } = world;
  const { name, vid, expected } = write;
  const link = linkOf(of, write);
  const attempts: Attempt[] = [];
  const giveUp = (): Result => ({ is: attempts.length > 0 ? "unknown" : "failed" });
  const ballots = of.ballots();
  let ballot = ballots.next().value;
  for (let tries = 0; tries < 8; tries++) {
    const told: Asked = yield of.ask({ is: "prepare", name, ballot, vid, link }, (so) => {
      const granted = grantedOf(so);
      if (so.size - granted.length > count - accept) return true;
      return (
        granted.length >= accept && lackingOf(of, write, granted).length === 0 && of.chance.is(0.6)
      );
    });
    const granted = grantedOf(told);
    const tried = ballot;
    ballot = ballots.next(of.heard(told)).value;
    if (granted.length < accept) {
      if (told.size < accept && tries > 3) return giveUp();
      continue;
    }
    const selected = of.select(granted);
    const { current, isCommitted, floor } = selected;
    const now = current?.version ?? null;
    if (now === null && floor >= tried) continue;
    const isTried = attempts.length > 0;
    const isSettled = now === null || isCommitted;
    let next: Version | null = null;
    let result: Result = { is: "ok", value: vid };
    if (now && (now.vid === vid || (isTried && now.history.some((one) => one.vid === vid))))
      next = now;
    else if (isTried && !isNoAncestor(attempts, now, floor)) return { is: "unknown" };
    else if (expected !== undefined && seenOf(now) !== expected) {
      result = { is: "refused", value: seenOf(now) };
      if (isSettled && !isTried) return result;
      next = now ?? of.fence(name, selected);
    } else if (write.deleted && !isTried && seenOf(now) === 0 && isSettled) return { is: "ok" };
    else {
      const lacking = lackingOf(of, write, granted);
      if (lacking.length > 0) {
        for (const cid of lacking)
          if (!(yield* of.makeGood(write, cid, holdersOf(told, cid)))) return giveUp();
        continue;
      }
      const step = yield* commitParent(of, selected, granted, tried);
      if (step === "again") continue;
      if (step === "tooFew") return giveUp();
      const isInherited = now !== null && expected === now.vid;
      next = of.childOf(now, selected, isInherited ? { ...write, x: now.x } : write);
    }
    if (next.vid === vid) attempts.push({ ballot: tried, parentSeq: next.seq - 1 });
    const accepted = { ballot: tried, version: next };
    const outcome = yield* of.accept(accepted, lists.cidsOf(next.list));
    if (outcome === "chosen") return result;
    if (outcome === "tooFew") return giveUp();
  }
  return giveUp();
}

/** What rides with the promise. A change of attributes has the list of its parent, which W know. */
function linkOf({ world }: Rounds, { cids, isLinked }: Write): Link | null {
  const isForgotten = cids.length > 1 && world.broken === "lists ride with promises";
  return isLinked && !isForgotten ? { list: world.lists.idOf(cids), cids } : null;
}

/** Is it certain that none of these attempts was ever chosen, and then overwritten beyond what the history tells? */
function isNoAncestor(attempts: readonly Attempt[], now: Version | null, floor: number): boolean {
  const lowest = Math.min(...attempts.map(({ ballot }) => ballot));
  const parentSeq = Math.min(...attempts.map((one) => one.parentSeq));
  if ((now ? now.birthFloor : floor) >= lowest) return false;
  return now === null || now.seq - now.history.length <= parentSeq + 1;
}

/** The contents that must have their copies among the promises: all but those of the parent that the write is conditional on. */
function countedOf(of: Rounds, write: Write, granted: readonly Answer[]): readonly number[] {
  const { broken, lists } = of.world;
  const { cids, vid, expected, isLinked } = write;
  if (broken === "links counted" && isLinked) return [];
  if (broken === "only the parent's inherited" && cids.length > 1)
    return cids.filter((cid) => cid === vid);
  const parent = of.select(granted).current?.version;
  const inherited = parent && expected === parent.vid ? lists.cidsOf(parent.list) : [];
  return [...new Set(cids)].filter((cid) => !inherited.includes(cid));
}

/** The contents that are short of copies among these promises. */
function lackingOf(of: Rounds, write: Write, granted: readonly Answer[]): number[] {
  const copies = (cid: number, piece: number): number =>
    granted.filter(({ held }) => held.get(cid)?.has(piece)).length;
  return countedOf(of, write, granted).filter((cid) =>
    of.all.some((piece) => copies(cid, piece) < of.world.copies),
  );
}

const holdersOf = (told: Asked, cid: number): Map<number, Set<number>> =>
  new Map(
    [...told].flatMap(([server, { ok, held }]) => (ok ? [[server, new Set(held.get(cid))]] : [])),
  );

/** W hold what is built on as committed, durably, with its list. "again": with a higher ballot. */
function* commitParent(
  of: Rounds,
  selected: Birth & { current: Accepted | null; isCommitted: boolean },
  granted: readonly Answer[],
  ballot: number,
): Step<"ready" | "again" | "tooFew"> {
  const { broken, accept, lists } = of.world;
  const { current, isCommitted } = selected;
  if (!current || broken === "W hold what is built on") return "ready";
  const { version } = current;
  const isHeld = (one: Answer): boolean =>
    one.com?.version.vid === version.vid &&
    (!isList(version.list) || broken === "W hold the list" || one.lists.has(version.list));
  if (granted.filter(isHeld).length >= accept) return "ready";
  if (!isCommitted) {
    const takers = (so: Asked): number => grantedOf(so).length;
    const told = yield of.ask({ is: "accept", ballot, version }, (so) => takers(so) >= accept);
    if (takers(told) < accept) return "again";
  }
  const cids = isList(version.list) ? lists.cidsOf(version.list) : undefined;
  const chosenAt = isCommitted ? current.ballot : ballot;
  const done = yield of.ask(
    { is: "commit", ballot: chosenAt, version, sync: true, cids },
    (so) => so.size >= accept,
  );
  if (done.size < accept) return "tooFew";
  return isCommitted ? "ready" : "again";
}
