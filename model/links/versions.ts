/**
 * What users do with older versions in the model of content by reference (docs/consistency.md section 15): what was there at a time, restore,
 * expunge. Used by histories.ts, repair.ts and script.ts.
 */
import { type Result, Violation } from "../simulator.ts";
import type { Files } from "./files.ts";
import { type Accepted, FOREVER, type Version } from "./records.ts";
import type { Look, Step } from "./rounds.ts";
import type { LinkWorld } from "./world.ts";

/** An older version, or the current one, as the answers tell it together. */
export interface Shown {
  readonly record: Accepted;
  readonly replaced: number;
  readonly isCertain: boolean;
  /** How long it stays. */
  readonly left: number;
}

/** The versions of a name in order, and those that were expunged. */
export interface Versions {
  readonly list: readonly Shown[];
  readonly expunged: ReadonlySet<number>;
}

/** Merges what R servers keep. */
export function versionsIn(world: LinkWorld, { current, told }: Look): Versions {
  const answers = [...told.values()];
  const entries = answers.flatMap((one) => one.entries);
  const expunged = new Set(
    entries.flatMap(({ state, vid }) => (state === "expunged" ? [vid] : [])),
  );
  const shown = new Map<number, Shown>();
  const add = (one: Shown): void => {
    const { vid } = one.record.version;
    const old = shown.get(vid);
    const best = old && (old.isCertain || !one.isCertain) ? old : one;
    shown.set(vid, { ...best, left: Math.max(one.left, old?.left ?? 0) });
  };
  for (const { record, replaced, isCertain, left } of entries)
    if (record) add({ record, replaced, isCertain, left });
  for (const { com } of answers)
    if (com && com.version.vid !== current?.version.vid)
      add({ record: com, replaced: Infinity, isCertain: false, left: 0 });
  if (current) {
    shown.delete(current.version.vid);
    add({ record: current, replaced: Infinity, isCertain: true, left: FOREVER });
  }
  for (const vid of expunged) shown.delete(vid);
  const isBySeq = world.broken === "order by birth";
  const list = [...shown.values()].toSorted(({ record: a }, { record: b }) => {
    const births = isBySeq ? 0 : a.version.birthFloor - b.version.birthFloor;
    return births || a.version.seq - b.version.seq;
  });
  return { list: list.map((one) => (one.isCertain ? one : sharpened(one, list))), expunged };
}

/** When it was replaced, as the history of a newer one tells. */
function sharpened(one: Shown, list: readonly Shown[]): Shown {
  for (const { record } of list) {
    const { history, put } = record.version;
    const at = history.findIndex(({ vid }) => vid === one.record.version.vid);
    if (at >= 0) return { ...one, isCertain: true, replaced: history[at - 1]?.put ?? put };
  }
  return one;
}

/** What was there at a time: the answer, and whether it is more than a guess. */
export function versionAt(
  world: LinkWorld,
  { list }: Versions,
  time: number,
): { version: Version | null; isSure: boolean } {
  const one = list.findLast(({ record }) => record.version.put <= time);
  if (!one) return { version: null, isSure: false };
  const isSure = world.broken === "replaced" || (one.isCertain && time < one.replaced);
  return { version: one.record.version, isSure };
}

/** Asks what was there at some times, and compares with the truth. */
export function* lookBack({ of }: Files, name: string): Step<Result> {
  const { world, chance } = of;
  const { truth } = world;
  const asked = world.now();
  const known = truth.of(name).order;
  const look = yield* of.look(name);
  if (!look) return { is: "unavailable" };
  const versions = versionsIn(world, look);
  const { order, promised } = truth.of(name);
  for (const { record } of versions.list) {
    const { vid } = record.version;
    if ((truth.expunged.get(vid) ?? Infinity) < asked)
      throw new Violation("an expunged version is shown");
    if (!order.some((one) => one.vid === vid))
      throw new Violation("a version is shown that never was current");
  }
  if (order.length === 0 || order.length !== known.length) return { is: "ok" };
  const first = order[0]!.put - 5;
  for (let i = 0; i < 6; i++) {
    const time = first + chance.below(order.at(-1)!.put + 5 - first + 1);
    const was = order.findLast(({ put }) => put <= time);
    const { version, isSure } = versionAt(world, versions, time);
    if (isSure) {
      const isRight = was?.deleted ? version!.deleted : version!.vid === was?.vid;
      if (!isRight) throw new Violation("a wrong answer to what was there at a time");
      continue;
    }
    if (!was || was.deleted || truth.asked.has(was.vid)) continue;
    const isPromised = (promised.get(was.vid)?.until ?? 0) > world.now();
    if (isPromised && !versions.list.some(({ record }) => record.version.vid === was.vid))
      throw new Violation("a version that is kept is not found");
  }
  return { is: "ok" };
}

/** An older version that is not the current one, and what is current. */
function* pickOld({ of }: Files, name: string): Step<{ old: Shown; look: Look } | null> {
  const look = yield* of.look(name);
  if (!look) return null;
  const vid = look.current?.version.vid;
  const old = versionsIn(of.world, look).list.filter(
    ({ record }) => !record.version.deleted && record.version.vid !== vid,
  );
  return old.length > 0 ? { old: of.chance.pick(old), look } : null;
}

export function* restore(files: Files, name: string): Step<Result> {
  const found = yield* pickOld(files, name);
  if (!found) return { is: "failed" };
  const { list, x } = found.old.record.version;
  const cids = files.of.world.lists.cidsOf(list);
  return yield* files.write({ name, cids, x, isLinked: true });
}

export function* expunge(files: Files, name: string): Step<Result> {
  const { of } = files;
  const { truth, accept } = of.world;
  const found = yield* pickOld(files, name);
  if (!found) return { is: "failed" };
  const { old, look } = found;
  const { current } = look;
  const { vid } = old.record.version;
  truth.asked.add(vid);
  if (current)
    yield of.ask(
      { is: "commit", ...current, sync: true },
      (so) => so.size >= accept && of.chance.is(0.5),
    );
  const ballot = current?.ballot ?? old.record.ballot;
  const told = yield of.ask({ is: "expunge", name, vid, current: ballot });
  if ([...told.values()].filter(({ ok }) => ok).length < accept) return { is: "failed" };
  if (!truth.expunged.has(vid)) truth.expunged.set(vid, of.world.now());
  return { is: "ok" };
}
