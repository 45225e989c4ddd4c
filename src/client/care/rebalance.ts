/**
 * `rebalance`: moves files to where they would be put today, after servers were added or replaced.
 * It moves one name after the other, so that it hardly disturbs others. Each file is whole at every
 * moment, and a run that is cut short goes on another time. Used by the rebalance command.
 */
import { isDfsError } from "../../errors.ts";
import { PAIRS, shapeOf } from "../../file/layout.ts";
import { checkName, storedAgain, type StoredName } from "../../file/names.ts";
import { drawDigest, ringOf } from "../../file/placement.ts";
import { isSealed } from "../../file/sealed_manifest.ts";
import { hasParity } from "../../file/split.ts";
import { type Config, heirOf, placesOf } from "../../membership.ts";
import { isGone, type Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { namesIn } from "../files/pages.ts";
import { finishChange } from "../members/migrate.ts";
import { put } from "../files/put.ts";
import { readName, settle } from "../agree/register.ts";
import { repairName } from "./repair.ts";
import { spacesIn } from "../files/spaces.ts";
import { openStored } from "../files/stored_source.ts";

/** What was done for a name, or with `dryRun` what would be done. */
export interface Rebalanced {
  readonly name: string;
  readonly bytes: number;
  /** Why the file could not be moved, or not all of it; null where it was moved. */
  readonly problem: string | null;
}

export interface RebalanceOptions {
  readonly dryRun: boolean;
  /** What the rotation of a file is computed from. */
  readonly placement: "name" | "content";
  /** Called with the number of bytes of files that have come to lie where they should. */
  readonly progress?: (bytes: number) => void;
}

/**
 * Moves every file below `prefix`. Yields the files that were not where they should be. Throws
 * DfsError("tooFew").
 */
export async function* rebalance(
  cluster: Cluster,
  prefix: string,
  options: RebalanceOptions,
): AsyncGenerator<Rebalanced> {
  if (!options.dryRun && cluster.connections.isOperator) await finishChange(cluster);
  for (const space of await spacesIn(cluster, prefix))
    for await (const { name } of namesIn(space, prefix, false)) {
      const rebalanced = await rebalanceName(space, name, options);
      if (rebalanced) yield rebalanced;
    }
}

/** Moves the file of one name; null where it lies where it should. */
async function rebalanceName(
  cluster: Cluster,
  name: StoredName,
  options: RebalanceOptions,
): Promise<Rebalanced | null> {
  const { is, current, replies, view } = await readName(cluster, name);
  const version = current?.version ?? null;
  if (version === null || isGone(version) || version.pieces === 0) return null;
  const result = (problem: string | null): Rebalanced => ({
    name: cluster.space.shown(name),
    bytes: version.size,
    problem,
  });
  if (is !== "current") return result(`${replies.size} servers answer: too few`);
  const ring = wantedRing(cluster.space.user, name, version, view.config);
  if (ring === null || options.dryRun) return ring && result(null);
  if (ring === "tooFewPlaces") return result("it has more pieces than there are servers for them");
  try {
    return result(
      await (hasParity(version)
        ? moveParity(cluster, name, version, ring)
        : putAgain(cluster, name, version, options)),
    );
  } catch (error) {
    if (!isDfsError(error)) throw error;
    // Somebody wrote the name meanwhile, and put the file where it belongs.
    return ["conflict", "noSuchName"].includes(error.code) ? null : result(error.message);
  }
}

/**
 * The ring that a version should have; null where it has these servers already, in whatever order.
 */
function wantedRing(
  user: string,
  name: StoredName,
  version: Version,
  config: Config,
): readonly number[] | "tooFewPlaces" | null {
  const places = placesOf(config);
  const isPairs = !hasParity(version);
  const pieces = isPairs ? shapeOf(PAIRS, places.length).pieces : version.pieces;
  if (pieces > places.length) return "tooFewPlaces";
  const wanted = ringOf(drawDigest(user, name), pieces, config);
  const now = version.ring.map((slot) => heirOf(config, slot));
  const isInPlace = now.length === wanted.length && wanted.every((slot) => now.includes(slot));
  return isInPlace ? null : isPairs ? wanted : keepingPositions(now, wanted);
}

/**
 * The servers of `wanted`, in an order in which those that are in `now` keep their position. So no
 * more pieces move than must.
 */
export function keepingPositions(now: readonly number[], wanted: readonly number[]): number[] {
  const fresh = wanted.filter((slot) => !now.includes(slot));
  const seen = new Set<number>();
  return now.map((slot) => {
    const stays = wanted.includes(slot) && !seen.has(slot);
    seen.add(slot);
    return stays ? slot : (fresh.shift() ?? slot);
  });
}

/**
 * Moves a version with parity: the version gets another ring, and repair brings its pieces there.
 */
async function moveParity(
  cluster: Cluster,
  name: StoredName,
  version: Version,
  ring: readonly number[],
): Promise<string | null> {
  const revise = (current: Version): Version =>
    current.vid === version.vid ? { ...current, ring: [...ring] } : current;
  const settled = await settle(cluster, name, 0n, revise);
  if (settled === "failed") return "too few servers answer";
  const { problem, lost } = await repairName(cluster, name, { dryRun: false, orphanAge: Infinity });
  return lost.length > 0 ? `piece ${lost.join(", ")} cannot be had` : problem;
}

/**
 * Moves a version with pairs: it is put again, since it has as many pieces as there are servers.
 * Where somebody else has written the name meanwhile, nothing is put.
 */
async function putAgain(
  cluster: Cluster,
  name: StoredName,
  { vid, body }: Version,
  { placement, progress }: RebalanceOptions,
): Promise<string | null> {
  // The file is cut into other pieces, and so it is sealed again.
  if (isSealed(body) && !cluster.space.guard?.shown(name))
    return `it is sealed: dfs-tool rebalance of ${cluster.space.user} themselves moves it`;
  const known = checkName(cluster.space.shown(name));
  const { source } = await openStored(cluster, known);
  await put(cluster, storedAgain(known), source, {
    layout: PAIRS,
    placement,
    condition: { vid },
    ...(progress && { progress }),
  });
  return null;
}
