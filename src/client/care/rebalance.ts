/**
 * rebalance: moves files to where they would be put today, after servers were added or replaced. One name after the other, so that
 * others are hardly disturbed; each is whole at every moment, and what is cut short goes on another time.
 */
import { isDfsError } from "../../errors.ts";
import { PAIRS, shapeOf } from "../../file/layout.ts";
import { drawDigest, ringOf } from "../../file/placement.ts";
import { isSealed } from "../../file/sealed_manifest.ts";
import { hasParity } from "../../file/split.ts";
import { type Config, heirOf, placesOf } from "../../membership.ts";
import { isGone, type Version } from "../../version.ts";
import type { Cluster } from "../connect/cluster.ts";
import { namesIn } from "../files/list.ts";
import { finishChange } from "../members/migrate.ts";
import { put } from "../files/put.ts";
import { readName, settle } from "../agree/register.ts";
import { repairName } from "./repair.ts";
import { spacesIn } from "../files/spaces.ts";
import { openStored } from "../files/stored_source.ts";

/** What was done for a name, or with `dryRun` would be. */
export interface Rebalanced {
  readonly name: string;
  readonly bytes: number;
  /** Why it could not be moved, or not wholly. */
  readonly problem: string | null;
}

export interface RebalanceOptions {
  readonly dryRun: boolean;
  /** What the rotation x of a file is taken from. */
  readonly placement: "name" | "content";
  /** Told of bytes of files that lie where they should. */
  readonly progress?: (bytes: number) => void;
}

/** Moves every file below `prefix`; yields those that were not where they should be. Throws DfsError("tooFew"). */
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

/** null: it is where it should be. */
async function rebalanceName(
  cluster: Cluster,
  name: string,
  options: RebalanceOptions,
): Promise<Rebalanced | null> {
  const { is, current, replies, view } = await readName(cluster, name);
  const version = current?.version ?? null;
  if (version === null || isGone(version) || version.pieces === 0) return null;
  const tell = (problem: string | null): Rebalanced => ({
    name: cluster.space.shown(name),
    bytes: version.size,
    problem,
  });
  if (is !== "current") return tell(`${replies.size} servers answer: too few`);
  const ring = wantedRing(cluster.space.user, name, version, view.config);
  if (ring === null || options.dryRun) return ring && tell(null);
  if (ring === "tooFewPlaces") return tell("it has more pieces than there are servers for them");
  try {
    return tell(
      await (hasParity(version)
        ? move(cluster, name, version, ring)
        : anew(cluster, name, version, options)),
    );
  } catch (error) {
    if (!isDfsError(error)) throw error;
    // Who wrote meanwhile put it where it belongs.
    return ["conflict", "noSuchName"].includes(error.code) ? null : tell(error.message);
  }
}

/** The ring that a version should have; null where it has it, whatever the order. */
function wantedRing(
  user: string,
  name: string,
  version: Version,
  config: Config,
): readonly number[] | "tooFewPlaces" | null {
  const places = placesOf(config);
  const isPairs = !hasParity(version);
  const pieces = isPairs ? shapeOf(PAIRS, places.length).pieces : version.pieces;
  if (pieces > places.length) return "tooFewPlaces";
  const wanted = ringOf(drawDigest(user, name), pieces, config);
  const now = version.ring.map((slot) => heirOf(config, slot));
  const isThere = now.length === wanted.length && wanted.every((slot) => now.includes(slot));
  return isThere ? null : isPairs ? wanted : keepingPlaces(now, wanted);
}

/** The servers of `wanted`, those that are in `now` already where they are: so that no more pieces move than must. */
export function keepingPlaces(now: readonly number[], wanted: readonly number[]): number[] {
  const fresh = wanted.filter((slot) => !now.includes(slot));
  const seen = new Set<number>();
  return now.map((slot) => {
    const stays = wanted.includes(slot) && !seen.has(slot);
    seen.add(slot);
    return stays ? slot : (fresh.shift() ?? slot);
  });
}

/** Parity: the version is told another ring, and repair brings its pieces there. */
async function move(
  cluster: Cluster,
  name: string,
  version: Version,
  ring: readonly number[],
): Promise<string | null> {
  const revised = (one: Version): Version =>
    one.vid === version.vid ? { ...one, ring: [...ring] } : one;
  const settled = await settle(cluster, name, 0n, revised);
  if (settled === "failed") return "too few servers answer";
  const { problem, lost } = await repairName(cluster, name, { dryRun: false, orphanAge: Infinity });
  return lost.length > 0 ? `piece ${lost.join(", ")} cannot be had` : problem;
}

/** Pairs: there are as many pieces as servers, so it is put anew, unless somebody else is quicker. */
async function anew(
  cluster: Cluster,
  name: string,
  { vid, body }: Version,
  { placement, progress }: RebalanceOptions,
): Promise<string | null> {
  const shown = cluster.space.shown(name);
  // It is cut in other pieces, and so sealed anew.
  if (isSealed(body) && !cluster.space.guard?.shown(name))
    return `it is sealed: dfs-tool rebalance of ${cluster.space.user} themselves moves it`;
  const { source } = await openStored(cluster, shown);
  await put(cluster, shown, source, {
    layout: PAIRS,
    placement,
    condition: { vid },
    ...(progress && { progress }),
  });
  return null;
}
