/**
 * Repair of one name in the model of content by reference (docs/consistency.md sections 4 and 15): registers, lists, pieces to their homes,
 * orphans behind a fence, history, marks of expunges, tombstones. It has no keys: it knows of lists what servers tell. Used by histories.ts.
 */
import type { Result } from "../simulator.ts";
import { type Accepted, isList, pieceKey, type Request, type Version } from "./records.ts";
import type { Asked, Look, Rounds, Step } from "./rounds.ts";
import { versionsIn } from "./versions.ts";

/** The versions that some server knows as acc, com or kept, with their lists. */
function knownIn(told: Asked, isKeptCounted: boolean): Map<number, number> {
  const known = new Map<number, number>();
  for (const { acc, com, entries } of told.values()) {
    for (const one of [acc, com]) if (one) known.set(one.version.vid, one.version.list);
    for (const { vid, state, list } of entries)
      if (isKeptCounted && state === "kept") known.set(vid, list);
  }
  return known;
}

/** The lists that some server knows. */
const listsIn = (told: Asked): Map<number, readonly number[]> =>
  new Map([...told.values()].flatMap(({ lists }) => [...lists]));

const cidsIn = (told: Asked, list: number): readonly number[] | null =>
  isList(list) ? (listsIn(told).get(list) ?? null) : list === 0 ? [] : [list];

export function* repair(of: Rounds, name: string): Step<Result> {
  const { world } = of;
  const first = yield* of.look(name, true);
  if (!first) return { is: "failed" };
  let { current } = first;
  const answers = [...first.told.values()];
  const isStray = answers.some(({ acc, com, floor }) =>
    acc ? acc.ballot !== com?.ballot : current !== null && !com && floor >= current.ballot,
  );
  const known = knownIn(first.told, world.broken !== "kept is no orphan");
  const pending = answers.flatMap(({ entries }) =>
    entries.flatMap(({ state, vid }) => (state === "pending" && !known.has(vid) ? [vid] : [])),
  );
  const candidates = [...new Set(pending)];
  if (isStray || candidates.length > 0) {
    const settled = yield* of.settle(name, Math.max(1, of.heard(first.told)));
    if (!settled?.current) return { is: "failed" };
    ({ current } = settled);
    yield* collect(of, name, { current, told: first.told }, candidates);
  } else if (current && answers.some(({ com }) => com?.ballot !== current!.ballot))
    yield of.ask({ is: "commit", ...current, sync: false });
  yield* bringLists(of, name);
  const look = yield* of.look(name, true);
  if (!look) return { is: "failed" };
  if (look.current && !look.current.version.deleted)
    yield* bringHome(of, look.current.version, look.told);
  yield* evenOut(of, name, look);
  if (look.current?.version.deleted) yield* forget(of, name, look.current);
  return { is: "ok" };
}

/** Collects what never became current; `look`: what is chosen at the fence, and what was told before it. */
function* collect(
  of: Rounds,
  name: string,
  { current, told: before }: Look,
  candidates: readonly number[],
): Step<void> {
  const { broken, read } = of.world;
  let told = before;
  if (broken !== "listed after the fence" && candidates.length > 0)
    told = yield of.ask({ is: "read", name }, (so) => so.size >= read && of.chance.is(0.3));
  if (told.size < read || !current) return;
  const known = knownIn(told, broken !== "kept is no orphan");
  for (const vid of candidates) {
    if (known.has(vid) || vid === current.version.vid) continue;
    const spare = spareOf(of, [before, told], vid, known);
    yield of.ask({ is: "collect", name, vid, ballot: current.ballot, spare });
  }
}

/** The lists of known versions that share a content with this orphan, or that nobody who answered knows. */
function spareOf(
  of: Rounds,
  told: readonly Asked[],
  vid: number,
  known: ReadonlyMap<number, number>,
): number[] {
  const { broken } = of.world;
  const entries = told.flatMap((so) => [...so.values()].flatMap((one) => one.entries));
  const own = entries.filter((one) => one.vid === vid && one.state === "pending");
  const cids = new Set(own.flatMap((one) => one.cids));
  const isShared = (list: number): boolean => {
    if (list === 0 || broken === "spare") return false;
    if (broken === "spare by content")
      return own.some((one) => one.list === list || (cids.size === 1 && cids.has(list)));
    const theirs = told.map((so) => cidsIn(so, list)).find((one) => one !== null);
    return theirs?.some((cid) => cids.has(cid)) ?? true;
  };
  return [...new Set(known.values())].filter(isShared);
}

/** Lists to whoever lacks one that some server knows. */
function* bringLists(of: Rounds, name: string): Step<void> {
  if (of.world.broken === "repair brings lists") return;
  const told = yield of.ask({ is: "read", name });
  const known = listsIn(told);
  for (const [server, { acc, com, entries, lists }] of told) {
    const versions = [acc, com].flatMap((one) => (one ? [one.version] : []));
    const kept = entries.filter(({ state }) => state === "kept");
    for (const { vid, list } of [...versions, ...kept]) {
      const cids = known.get(list);
      if (!cids || lists.has(list)) continue;
      yield of.ask({ is: "link", name, vid, link: { list, cids } }, undefined, [server]);
    }
  }
}

/** The pieces of one version to their homes: a link where the content is there, else bytes; then what lies away goes. */
function* bringHome(of: Rounds, version: Version, before: Asked): Step<void> {
  const { name, vid, list } = version;
  const cids = cidsIn(before, list);
  if (cids === null) return;
  let told = yield of.ask({ is: "read", name });
  const isBroken = of.world.broken === "repair counts holdings";
  const holds = (server: number, cid: number, piece: number): boolean =>
    isBroken
      ? of.world.servers[server]!.catalog.contents.has(pieceKey(cid, piece))
      : (told.get(server)?.held.get(cid)?.has(piece) ?? false);
  const isHome = (server: number, piece: number): boolean =>
    of.world.homesOf(version.x, piece).includes(server);
  const lacking = of.all.filter(
    (server) =>
      told.has(server) &&
      cids.some((cid) =>
        of.all.some((piece) => isHome(server, piece) && !holds(server, cid, piece)),
      ),
  );
  if (lacking.length > 0 && !isBroken) {
    yield of.ask({ is: "link", name, vid, link: { list, cids } }, undefined, lacking);
    told = yield of.ask({ is: "read", name });
  }
  for (const cid of new Set(cids))
    for (const piece of of.all) {
      const homes = of.world.homesOf(version.x, piece);
      const missing = homes.filter((server) => told.has(server) && !holds(server, cid, piece));
      let isDone = homes.every((server) => told.has(server));
      if (missing.length > 0) {
        const found = yield of.ask({ is: "fetch", cid, piece });
        if (![...found.values()].some(({ ok }) => ok)) continue;
        const put: Request = { is: "upload", name, vid, cid, pieces: [piece] };
        const taken = yield of.ask(put, undefined, missing);
        isDone &&= taken.size === missing.length && [...taken.values()].every(({ ok }) => ok);
      }
      const away = of.all.filter((server) => !isHome(server, piece) && holds(server, cid, piece));
      if (isDone && away.length > 0)
        yield of.ask({ is: "drop", name, cid, piece }, undefined, away);
    }
}

/** A version that is about to run out is not evened out any more. */
const LEFT_LEAST = 30;

/** Records and pieces of kept versions to who missed them; marks of expunges everywhere, then nowhere. */
function* evenOut(of: Rounds, name: string, look: Look): Step<void> {
  const { current, told } = look;
  const { list, expunged } = versionsIn(of.world, look);
  const isBehind = [...told.values()].some(({ com }) => com?.ballot !== current?.ballot);
  if (current && isBehind) yield of.ask({ is: "commit", ...current, sync: true });
  for (const { record, left, replaced, isCertain } of list) {
    const { version } = record;
    const { vid } = version;
    if (vid === current?.version.vid || left < LEFT_LEAST) continue;
    const hasIt = (server: number): boolean => {
      const { com, entries } = told.get(server)!;
      const isTold = entries.some(
        (one) => one.vid === vid && one.record && (one.isCertain || !isCertain),
      );
      return isTold || com?.version.vid === vid;
    };
    const cids = isList(version.list) ? (cidsIn(told, version.list) ?? undefined) : undefined;
    const lacking = [...told.keys()].filter((server) => !hasIt(server));
    const ballot = current?.ballot ?? record.ballot;
    if (lacking.length > 0)
      yield of.ask(
        (server) => ({
          is: "keep",
          name,
          record,
          cids,
          left,
          replaced,
          isCertain,
          expunges: told.get(server)!.expunges,
          current: ballot,
        }),
        undefined,
        lacking,
      );
    if (!version.deleted) yield* bringHome(of, version, told);
  }
  for (const vid of expunged) yield* clearMark(of, name, vid, current);
}

/** An expunge that all servers did leaves no mark. */
function* clearMark(of: Rounds, name: string, vid: number, current: Accepted | null): Step<void> {
  const { count } = of.world;
  if (current) {
    const told = yield of.ask({ is: "commit", ...current, sync: true });
    if (told.size < count) return;
  }
  const told = yield of.ask({ is: "expunge", name, vid, current: current?.ballot ?? 0 });
  if (told.size < count || [...told.values()].some(({ ok }) => !ok)) return;
  yield of.ask({ is: "clear", name, vid });
}

/** Forgets a tombstone that all servers hold. */
function* forget(of: Rounds, name: string, current: Accepted): Step<void> {
  const { count } = of.world;
  const { ballot } = current;
  const done = yield of.ask({ is: "commit", ...current, sync: true });
  if (done.size < count) return;
  const told = yield of.ask({ is: "read", name });
  const isThere = [...told.values()].every(({ acc, com, floor }) =>
    acc || com ? acc?.ballot === ballot && com?.ballot === ballot : floor >= ballot,
  );
  if (told.size === count && isThere) yield of.ask({ is: "forget", name, ballot });
}
