/**
 * Servers that were listed when the cluster was founded, and come later. An operator who opens the
 * cluster gives them the seats that are kept for them. That takes a joint epoch, like any change of
 * the members. Reads and writes go on meanwhile, also where it fails. Used by open and repair.
 */
import { type DfsError, isDfsError } from "../../errors.ts";
import { JOIN_MS, JOIN_NAMES_MAX } from "../../limits.ts";
import { takeSeats } from "../../seating.ts";
import { adoptChosen } from "../agree/change.ts";
import type { Cluster } from "../connect/cluster.ts";
import { canAccept } from "../../quorum.ts";
import { pagesIn } from "../files/pages.ts";
import { changeOrThrow } from "./members.ts";
import { finishChange, departingIn } from "./migrate.ts";
import { letsEverybodyIn, strangerWarning, shortFor, type Stranger, strangersIn } from "./seats.ts";
import { allSpacesIn } from "../files/spaces.ts";

/**
 * Has late servers join while the cluster is opened, if there are few names to agree on again. With
 * more names it is left to repair. Then it warns of servers that do not count. It never throws for
 * what servers do.
 */
export async function joinLateServers(cluster: Cluster): Promise<void> {
  if (!cluster.connections.isOperator) return;
  let isOver = false;
  const warn = (error: DfsError): void => {
    if (!isOver) cluster.warn(error.message);
  };
  const work = isWorth(cluster) ? joinIfFewNames(cluster, warn) : Promise.resolve();
  await waitAtMost(cluster, JOIN_MS, work);
  isOver = true;
  for (const stranger of strangersIn(cluster)) cluster.warn(strangerWarning(cluster, stranger));
}

/** Is a server late, or about to join, and do enough servers answer for that? */
function isWorth(cluster: Cluster): boolean {
  if (isJoining(cluster)) return canAccept(cluster.view.quorum, cluster.live);
  const slots = lateIn(cluster).map(({ slot }) => slot);
  return slots.length > 0 && !cluster.view.config.next && !shortFor(cluster, slots);
}

/**
 * Is a change under way in which all present voters stay? Another change may have to move pieces
 * first.
 */
function isJoining(cluster: Cluster): boolean {
  const { voters, next } = cluster.view.config;
  return next !== null && voters.every((slot) => next.includes(slot));
}

async function joinIfFewNames(cluster: Cluster, warn: (error: DfsError) => void): Promise<void> {
  try {
    if (await hasFewNames(cluster)) await joinLate(cluster);
  } catch (error) {
    if (!isDfsError(error)) throw error;
    warn(error);
  }
}

/**
 * Finishes a joining that was begun, and has all late servers join. Throws DfsError("tooFew",
 * "failed").
 */
async function joinLate(cluster: Cluster): Promise<void> {
  if (isJoining(cluster)) await finishChange(cluster);
  if (lateIn(cluster).length === 0) return;
  await adoptChosen(cluster);
  const late = cluster.view.config.next ? [] : await initLate(cluster, lateIn(cluster));
  const slots = late.map(({ slot }) => slot);
  if (late.length === 0 || shortFor(cluster, slots)) return;
  const servers = late.map(
    ({ slot, greeting: { sid }, peer: { address } }) =>
      [slot, { sid, host: address.host, port: address.port }] as const,
  );
  await changeOrThrow(cluster, takeSeats(cluster.view.config, new Map(servers)));
  await finishChange(cluster);
}

/**
 * Finishes a change of the members, and has late servers join. Returns false where that cannot be
 * done now.
 */
export async function finishAndJoin(cluster: Cluster): Promise<boolean> {
  try {
    await adoptChosen(cluster);
    if (departingIn(cluster).length > 0) return false;
    await finishChange(cluster);
    await joinLate(cluster);
    return true;
  } catch (error) {
    if (!isDfsError(error)) throw error;
    return false;
  }
}

const lateIn = (cluster: Cluster): Stranger[] =>
  strangersIn(cluster).filter(
    ({ is, peer }) => is === "late" && !peer.isDown && !letsEverybodyIn(cluster, peer),
  );

/** Has late servers join the cluster as blank ones do. Returns those that did. */
async function initLate(cluster: Cluster, late: readonly Stranger[]): Promise<Stranger[]> {
  const all = await Promise.all(
    late.map(async (stranger) => {
      try {
        await stranger.peer.init(cluster.id);
        return [stranger];
      } catch (error) {
        if (!isDfsError(error)) throw error;
        return [];
      }
    }),
  );
  return all.flat();
}

/** Are there so few names that it takes no time to agree on them again? */
async function hasFewNames(cluster: Cluster): Promise<boolean> {
  let count = 0;
  for (const space of await allSpacesIn(cluster)) {
    if (++count > JOIN_NAMES_MAX) return false;
    for await (const { names } of pagesIn(space, "", false)) {
      count += names.length;
      if (count > JOIN_NAMES_MAX) return false;
    }
  }
  return true;
}

/** Resolves when the work is done, or after `ms`. The work goes on then. */
function waitAtMost({ ports: { clock } }: Cluster, ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, resolve);
    work.then(resolve, reject).finally(cancel);
  });
}
