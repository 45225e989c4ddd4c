/**
 * `repair`: brings one name, or all names, to what they should be. Registers agree, every piece is
 * at home, and pieces that nobody needs are gone. It is an ordinary client of the messages, and may
 * be killed at any point. Used by the repair command, and by the server's background repair.
 */
import { DfsError, type ErrorCode, isDfsError } from "../../errors.ts";
import { CONFIG_NAME, KEY_NAME, type StoredName } from "../../file/names.ts";
import { pieceBytes } from "../../file/split.ts";
import { NAMES_IN_REPAIR } from "../../limits.ts";
import { type Accepted, highest, type Version } from "../../version.ts";
import type { Cluster, Replies } from "../connect/cluster.ts";
import type { View } from "../connect/view.ts";
import { forget } from "../agree/forget.ts";
import { FullServers, fullServersNow } from "./full.ts";
import { carryFloors, levelFor } from "../agree/floors.ts";
import { bringUp } from "../agree/climb.ts";
import { diagnose, type Diagnosis, hasEmptyRow, isDisputed, isEmptyRow } from "./diagnose.ts";
import { holdersOf } from "../fetch/holders.ts";
import { finishAndJoin } from "../members/join.ts";
import { type ReportedName, namesIn } from "../files/pages.ts";
import { finishChange } from "../members/migrate.ts";
import { bringHome, type Moved } from "./bring_home.ts";
import { collect } from "./collect.ts";
import { type Reading, readName, settle } from "../agree/register.ts";
import { sendCommit } from "../agree/rounds.ts";
import { causeOf, failedText } from "../send/shortage.ts";
import { spacesIn } from "../files/spaces.ts";
import { cannotTellText } from "./untold.ts";
import { inParallel } from "../connect/window.ts";

/** What was done for a name, or with `dryRun` what would be done. */
export interface Repaired {
  readonly name: string;
  /** Whether its registers were brought in line. */
  readonly agreed: boolean;
  /** How many copies of pieces were made at their homes. */
  readonly restored: number;
  /** The bytes of those copies. */
  readonly bytes: number;
  /** How many copies of pieces were dropped from servers where they do not belong. */
  readonly dropped: number;
  /** How many versions that never became current were collected. */
  readonly collected: number;
  /** Whether its deletion was forgotten. */
  readonly forgotten: boolean;
  /** How many copies stay away from a home that has no room for them. Nothing is missing. */
  readonly displaced: number;
  /** How many versions of no file are left alone: too young, or of puts that may go on. */
  readonly spared: number;
  /** The pieces (from 1) that no answering server holds. */
  readonly lost: readonly number[];
  /** Why the name could not be repaired, or not all of it; and the kind of that reason. */
  readonly problem: string | null;
  readonly cause: ErrorCode | null;
}

export interface RepairOptions {
  readonly dryRun: boolean;
  /** How many seconds pending versions must have lain before they are collected. */
  readonly orphanAge: number;
  /** Called with each name that was looked at. */
  readonly looked?: (one: Repaired) => void;
  /** Called with the number of bytes that were just copied between servers. */
  readonly progress?: (bytes: number) => void;
}

/**
 * Repairs every name below `prefix`, of all users whose names this user may see. Yields the names
 * where there was something to do. It needs no keys. Throws DfsError("tooFew").
 */
export async function* repairAll(
  cluster: Cluster,
  prefix: string,
  options: RepairOptions,
): AsyncGenerator<Repaired> {
  // The repair is about every server, so a silent server gets another chance.
  await cluster.reachSilent(() => cluster.silent.length === 0);
  const full = options.dryRun ? await fullServersNow(cluster) : new FullServers();
  if (!cluster.connections.isOperator) return yield* repairSpace(cluster, prefix, options, full);
  // Where floors are far apart, some servers would refuse every ballot that the others grant.
  if (!options.dryRun) await carryFloors(cluster);
  const config = await repairName(cluster, CONFIG_NAME, options);
  if (isNews(config)) yield config;
  // Before a server leaves, its pieces are moved. And what keeps a change from finishing may be the
  // very thing that is to be repaired.
  const isFinished = options.dryRun || (await finishAndJoin(cluster));
  for (const space of await spacesIn(cluster, prefix))
    yield* repairSpace(space, prefix, options, full);
  if (!isFinished) await finishChange(cluster);
}

async function* repairSpace(
  cluster: Cluster,
  prefix: string,
  options: RepairOptions,
  full: FullServers,
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

/** What one round of a repair did. */
type Work = Pick<Repaired, "agreed" | "restored" | "bytes" | "dropped" | "collected" | "forgotten">;

const NOTHING_MOVED: Moved = {
  restored: 0,
  bytes: 0,
  dropped: 0,
  failed: 0,
  refused: new Map(),
  lost: [],
};
const NO_WORK: Work = {
  agreed: false,
  forgotten: false,
  restored: 0,
  bytes: 0,
  dropped: 0,
  collected: 0,
};

const isNothing = ({ agreed, restored, dropped, collected, forgotten }: Work): boolean =>
  !agreed && !forgotten && restored + dropped + collected === 0;

const isNews = (one: Repaired): boolean =>
  !isNothing(one) || one.lost.length > 0 || one.problem !== null;

const sumOf = (a: Work, b: Work): Work => ({
  agreed: a.agreed || b.agreed,
  restored: a.restored + b.restored,
  bytes: a.bytes + b.bytes,
  dropped: a.dropped + b.dropped,
  collected: a.collected + b.collected,
  forgotten: a.forgotten || b.forgotten,
});

/**
 * Repairs one name. Never throws for what servers do. `isEmpty`: some server is known to have a row
 * of it that holds nothing. `full`: the servers that are known to have no room; it learns of more.
 */
export async function repairName(
  cluster: Cluster,
  name: StoredName,
  options: RepairOptions,
  isEmpty = false,
  full = new FullServers(),
): Promise<Repaired> {
  let done = NO_WORK;
  let [displaced, spared] = [0, 0];
  let lost: number[] = [];
  let moved: Pick<Moved, "failed" | "refused" | "lost"> = NOTHING_MOVED;
  const shown = cluster.space.shown(name);
  const report = (problem: string | null, cause: ErrorCode = "failed"): Repaired => ({
    name: shown,
    ...done,
    displaced,
    spared,
    lost,
    problem,
    cause: problem === null ? null : cause,
  });
  try {
    // What one round brings in line may show the next round more to do.
    for (let round = 0; ; round++) {
      const { is, current, replies, view } = await readName(cluster, name, { patienceMs: null });
      if (is !== "current") return report("too few servers answer", "tooFew");
      if (name === KEY_NAME && !cluster.space.guard && isDisputed(replies))
        return report("only its user can tell which one is right");
      const all = diagnose(current, replies, view.config, options.orphanAge);
      const plan = full.feasible(all, current?.version ?? null, replies, view.places.length);
      ({ displaced, spared } = plan);
      const found = { ...plan, isEmpty: isEmpty && round === 0 };
      // The configuration has the name "". No register holds it while there has only been the first
      // one.
      if (name === CONFIG_NAME && current === null && !found.isStray) return report(null);
      lost = [...found.lost, ...moved.lost].map((piece) => piece + 1);
      const planned = forecast(found, current, replies, view);
      if (options.dryRun) done = planned;
      const untold = cannotTellText(cluster, { replies, view });
      if (options.dryRun || isNothing(planned)) return report(untold, "damaged");
      if (moved.failed > 0) return report(await failedText(cluster, moved), causeOf(moved));
      if (moved.lost.length > 0) return report(null);
      if (round === REPAIR_ROUNDS) return report("not all could be done");
      const result = await carryOut(cluster, name, { current, replies, view }, found, options);
      done = sumOf(done, result);
      moved = result;
      if (current) full.learn(current.version, result.refused);
    }
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return report(error.message, error.code);
  }
}

/** The diagnosis, and whether some server is known to have a row that holds nothing. */
type Found = Diagnosis & { readonly isEmpty: boolean };

/** What `carryOut` would do. */
const forecast = (
  found: Found,
  current: Accepted | null,
  replies: Replies<"read">,
  { members }: View,
): Work => ({
  agreed: found.isStray || found.isLagging,
  restored: found.missing.reduce((n, { to }) => n + to.length, 0),
  bytes: current ? found.missing.reduce((n, one) => n + copiedBytes(current.version, one), 0) : 0,
  dropped: found.away.reduce((n, { slots }) => n + slots.length, 0),
  collected: found.orphans.length,
  forgotten:
    /* rule: forgotten-by-all */ replies.size === members.length &&
    mayForget(current, found, replies),
});

const copiedBytes = (version: Version, { piece, to }: Diagnosis["missing"][number]): number =>
  to.length * pieceBytes(version, piece);

const mayForget = (current: Accepted | null, found: Found, replies: Replies<"read">): boolean =>
  found.isGone && (found.isEmpty || current !== null || [...replies.values()].some(isEmptyRow));

async function carryOut(
  cluster: Cluster,
  name: StoredName,
  { current: read, replies, view }: Omit<Reading, "is">,
  found: Found,
  options: RepairOptions,
): Promise<Work & Pick<Moved, "failed" | "refused" | "lost">> {
  const { epoch } = view.config;
  let current = read;
  await levelFor(cluster, name, replies);
  await bringUp(cluster, name, replies);
  if (found.isStray || /* rule: fence-before-collect */ found.orphans.length > 0) {
    // To accept the value anew above every promise brings strays in line. It is also the fence
    // behind which orphans may be collected.
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
  const collected = current
    ? await collect(cluster, name, current, found.orphans, replies, epoch)
    : 0;
  const version = current && !current.version.deleted ? current.version : null;
  // The pieces were looked at before the value was settled. Is it still their version?
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
    : NOTHING_MOVED;
  const forgotten =
    version === null &&
    (await forget(cluster, name, current, mayForget(current, found, replies), epoch));
  return { agreed: found.isStray || found.isLagging, collected, ...moved, forgotten };
}
