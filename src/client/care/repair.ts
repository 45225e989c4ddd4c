/**
 * repair: brings one name, or all, to what it should be: registers agree, every piece is at home, what nobody needs is gone.
 * It is an ordinary client of the messages and may be killed at any point.
 */
import { DfsError, type ErrorCode, isDfsError } from "../../errors.ts";
import { KEY_NAME } from "../../file/names.ts";
import { pieceBytes } from "../../file/split.ts";
import { NAMES_IN_REPAIR } from "../../limits.ts";
import { type Accepted, highest, type Version, type Vid } from "../../version.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import type { View } from "../connect/view.ts";
import { forget } from "../agree/forget.ts";
import { Full, fullNow } from "./full.ts";
import { carryFloors, levelFor } from "../agree/floors.ts";
import { bringUp } from "../agree/climb.ts";
import { diagnose, type Diagnosis, hasEmptyRow, isDisputed, isEmptyRow } from "./diagnose.ts";
import { holdersOf } from "../fetch/holders.ts";
import { finishAndJoin } from "../members/join.ts";
import { type ReportedName, namesIn } from "../files/list.ts";
import { finishChange } from "../members/migrate.ts";
import { bringHome, type Moved } from "./bring_home.ts";
import { type Reading, readName, settle } from "../agree/register.ts";
import { sendCommit } from "../agree/rounds.ts";
import { causeOf, failedText } from "../send/shortage.ts";
import { spacesIn } from "../files/spaces.ts";
import { untoldText } from "./untold.ts";
import { inParallel } from "../connect/window.ts";

/** What was done for a name, or with `dryRun` would be. */
export interface Repaired {
  readonly name: string;
  /** Its registers were brought in line. */
  readonly agreed: boolean;
  /** Copies of pieces made where they belong. */
  readonly restored: number;
  /** Bytes of those copies. */
  readonly bytes: number;
  /** Copies of pieces taken away from where they do not belong. */
  readonly dropped: number;
  /** Versions that never became current, whose pieces were collected. */
  readonly collected: number;
  /** Its deletion is forgotten. */
  readonly forgotten: boolean;
  /** Copies that stay away from home, since there is no room for them there; nothing is missing. */
  readonly displaced: number;
  /** Versions of no file whose pieces are left alone: too young, or of puts that may go on. */
  readonly spared: number;
  /** Pieces (from 1) that no server that answers holds. */
  readonly lost: readonly number[];
  /** Why it could not be repaired, or not wholly; and what kind of reason that is. */
  readonly problem: string | null;
  readonly cause: ErrorCode | null;
}

export interface RepairOptions {
  readonly dryRun: boolean;
  /** Seconds that pieces which belong to no version must have lain before they are collected. */
  readonly orphanAge: number;
  /** Told of each name that was looked at. */
  readonly looked?: (one: Repaired) => void;
  /** Told of bytes copied between servers. */
  readonly progress?: (bytes: number) => void;
}

/**
 * Repairs every name below `prefix`, of all users whose names this one may see; yields those where something was to do. It takes no
 * keys. Throws DfsError("tooFew").
 */
export async function* repairAll(
  cluster: Cluster,
  prefix: string,
  options: RepairOptions,
): AsyncGenerator<Repaired> {
  // It is about every server: who was silent gets another chance.
  await cluster.reachSilent(() => cluster.silent.length === 0);
  const full = options.dryRun ? await fullNow(cluster) : new Full();
  if (!cluster.connections.isOperator) return yield* repairSpace(cluster, prefix, options, full);
  // Where floors are far apart, some servers would go along with nothing that others do.
  if (!options.dryRun) await carryFloors(cluster);
  const config = await repairName(cluster, "", options);
  if (isNews(config)) yield config;
  // What lies on who goes is moved first; and what keeps a change from its end may be what is to be repaired.
  const isFinished = options.dryRun || (await finishAndJoin(cluster));
  for (const space of await spacesIn(cluster, prefix))
    yield* repairSpace(space, prefix, options, full);
  if (!isFinished) await finishChange(cluster);
}

async function* repairSpace(
  cluster: Cluster,
  prefix: string,
  options: RepairOptions,
  full: Full,
): AsyncGenerator<Repaired> {
  let names: ReportedName[] = [];
  const flush = async (): Promise<Repaired[]> => {
    const done: Repaired[] = [];
    await inParallel(names, NAMES_IN_REPAIR, async (one) => {
      const repaired = await repairName(cluster, one.name, options, hasEmptyRow(one), full);
      options.looked?.(repaired);
      done.push(repaired);
    });
    names = [];
    return done.filter(isNews);
  };
  for await (const one of namesIn(cluster, prefix, true)) {
    names.push(one);
    if (names.length >= NAMES_IN_REPAIR) yield* await flush();
  }
  yield* await flush();
}

const REPAIR_ROUNDS = 4;

/** What a round comes to. */
type Done = Pick<Repaired, "agreed" | "restored" | "bytes" | "dropped" | "collected" | "forgotten">;

const UNMOVED: Moved = {
  restored: 0,
  bytes: 0,
  dropped: 0,
  failed: 0,
  refused: new Map(),
  lost: [],
};
const NOTHING: Done = {
  agreed: false,
  forgotten: false,
  restored: 0,
  bytes: 0,
  dropped: 0,
  collected: 0,
};

const isNothing = ({ agreed, restored, dropped, collected, forgotten }: Done): boolean =>
  !agreed && !forgotten && restored + dropped + collected === 0;

const isNews = (one: Repaired): boolean =>
  !isNothing(one) || one.lost.length > 0 || one.problem !== null;

const sumOf = (a: Done, b: Done): Done => ({
  agreed: a.agreed || b.agreed,
  restored: a.restored + b.restored,
  bytes: a.bytes + b.bytes,
  dropped: a.dropped + b.dropped,
  collected: a.collected + b.collected,
  forgotten: a.forgotten || b.forgotten,
});

/**
 * Repairs one name; never throws for what servers do. `isEmpty`: some server is known to have a row of it that holds nothing; `full`: what
 * servers are known to have no room for, and learns.
 */
export async function repairName(
  cluster: Cluster,
  name: string,
  options: RepairOptions,
  isEmpty = false,
  full = new Full(),
): Promise<Repaired> {
  let done = NOTHING;
  let [displaced, spared] = [0, 0];
  let lost: number[] = [];
  let moved: Pick<Moved, "failed" | "refused" | "lost"> = UNMOVED;
  const shown = cluster.shown(name);
  const tell = (problem: string | null, cause: ErrorCode = "failed"): Repaired => ({
    name: shown,
    ...done,
    displaced,
    spared,
    lost,
    problem,
    cause: problem === null ? null : cause,
  });
  try {
    // What one round brings in line may show the next one more to do.
    for (let round = 0; ; round++) {
      const { is, current, replies, view } = await readName(cluster, name, { patienceMs: null });
      if (is !== "current") return tell("too few servers answer", "tooFew");
      if (name === KEY_NAME && !cluster.guard && isDisputed(replies))
        return tell("only its user can tell which one is right");
      const all = diagnose(current, replies, view.config, options.orphanAge);
      const told = full.without(all, current?.version ?? null, replies, view.places.length);
      ({ displaced, spared } = told);
      const found = { ...told, isEmpty: isEmpty && round === 0 };
      // The configuration has no name: where there was only ever the first one nothing stands for it.
      if (name === "" && current === null && !found.isStray) return tell(null);
      lost = [...found.lost, ...moved.lost].map((piece) => piece + 1);
      const planned = forecast(found, current, replies, view);
      if (options.dryRun) done = planned;
      const untold = untoldText(cluster, { replies, view });
      if (options.dryRun || isNothing(planned)) return tell(untold, "damaged");
      if (moved.failed > 0) return tell(await failedText(cluster, moved), causeOf(moved));
      if (moved.lost.length > 0) return tell(null);
      if (round === REPAIR_ROUNDS) return tell("not all could be done");
      const result = await carryOut(cluster, name, { current, replies, view }, found, options);
      done = sumOf(done, result);
      moved = result;
      if (current) full.learn(current.version, result.refused);
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return tell(error.message, error.code);
  }
}

/** What was found, and whether some server is known to have a row that holds nothing. */
type Found = Diagnosis & { readonly isEmpty: boolean };

/** What `carryOut` would come to. */
const forecast = (
  found: Found,
  current: Accepted | null,
  replies: Replies<"read">,
  { members }: View,
): Done => ({
  agreed: found.isStray || found.isLagging,
  restored: found.missing.reduce((n, { to }) => n + to.length, 0),
  bytes: current ? found.missing.reduce((n, one) => n + copiedBytes(current.version, one), 0) : 0,
  dropped: found.away.reduce((n, { slots }) => n + slots.length, 0),
  collected: found.orphans.length,
  forgotten:
    /* rule: forgotten-by-all */ replies.size === members.length && mayGo(current, found, replies),
});

const copiedBytes = (version: Version, { piece, to }: Diagnosis["missing"][number]): number =>
  to.length * pieceBytes(version, piece);

const mayGo = (current: Accepted | null, found: Found, replies: Replies<"read">): boolean =>
  found.isGone && (found.isEmpty || current !== null || [...replies.values()].some(isEmptyRow));

async function carryOut(
  cluster: Cluster,
  name: string,
  { current: read, replies, view }: Omit<Reading, "is">,
  found: Found,
  options: RepairOptions,
): Promise<Done & Pick<Moved, "failed" | "refused" | "lost">> {
  const { epoch } = view.config;
  let current = read;
  await levelFor(cluster, name, replies);
  await bringUp(cluster, name, replies);
  if (found.isStray || /* rule: fence-before-collect */ found.orphans.length > 0) {
    // Accepting the value anew above every promise is what brings strays in line, and the fence behind which orphans may go.
    const top = highest(
      [...replies.values()].map(({ register, floor }) => highest([register.prom, floor])),
    );
    const settled = await settle(cluster, name, top);
    if (settled === "failed") throw new DfsError("tooFew", "too few servers answer");
    current = settled;
  } else if (found.isLagging && current) {
    await sendCommit(cluster, name, current, false, epoch);
  }
  // rule: collect-needs-fence
  const collected = current ? await collect(cluster, name, current, found.orphans, epoch) : 0;
  const version = current && !current.version.deleted ? current.version : null;
  // Pieces were looked at before the value was settled: what they are pieces of must still be current.
  const isSame = version !== null && version.pieces > 0 && version.vid === read?.version.vid;
  const moved = isSame
    ? await bringHome(
        cluster,
        name,
        version,
        found,
        holdersOf(version, replies),
        epoch,
        options.progress,
      )
    : UNMOVED;
  const forgotten =
    version === null &&
    (await forget(cluster, name, current, mayGo(current, found, replies), epoch));
  return { agreed: found.isStray || found.isLagging, collected, ...moved, forgotten };
}

/** Orphans were listed before the fence; behind it no older ballot can make them current any more. */
async function collect(
  cluster: Cluster,
  name: string,
  fence: Accepted,
  orphans: readonly Vid[],
  epoch: number,
): Promise<number> {
  const doomed = orphans.filter((vid) => vid !== fence.version.vid);
  for (const vid of doomed)
    await cluster.ask(
      "collect",
      () => ({ name, vid, ballot: fence.ballot }),
      () => null,
      epoch,
    );
  return doomed.length;
}
